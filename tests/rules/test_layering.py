"""Which room may know which: import-linter's contracts in the root pyproject.toml (docs/architecture.md)."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_imports__keep_to_the_layers():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hooks_of_a_commit__run_what_lint_runs():
    lint = (ROOT / "Makefile").read_text("utf-8").partition("\nlint:")[2].splitlines()[1]
    programs = {re.sub(r"^\$\(BIN\)/", "", command).partition(" .")[0] for command in lint.strip().split(" && ")}
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    entries = {hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude") for hook in hooks}
    assert programs == {"ruff check", "ruff format --check", "pyright", "lint-imports"}
    assert programs < entries
