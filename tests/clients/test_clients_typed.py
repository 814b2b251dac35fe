"""A wrong call does not pass the type checkers: each file of `wrong` says on its first line what is told of it."""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from clients.generate import HERE
from tests.rigs.typescript import CLIENT as TYPESCRIPT
from tests.rigs.typescript import copied, told

PYTHON = HERE / "python"
WRONG = {
    folder: {file.stem: file.read_text("utf-8").splitlines()[0] for file in sorted((folder / "tests/wrong").iterdir())}
    for folder in (PYTHON, TYPESCRIPT)
}


PYTHON_README = """
from collections.abc import Callable

from booking_client import Booking, Caller, NotModified, Seen, Servers, problems
from booking_client.models import SessionSchedule


async def readme(
    servers: Servers,
    token: str,
    kept_in_the_browsers_session: list[tuple[str, str]],
    product: str,
    practitioner_id: str,
    practitioner: Caller,
    schedule: SessionSchedule,
    show: Callable[[object], None],
) -> None:
"""
TYPESCRIPT_README = """
import { Booking, type components, Seen } from "../src/index.ts";

declare const checkout: string, consultation: string, notifier: string, calendar: string, token: string;
declare const keptInTheSession: [string, string][], product_id: string, practitioner_id: string;
declare const practitioner: Booking, path: { session_id: string }, schedule: components["schemas"]["SessionSchedule"];
declare function show(what: unknown): void;
declare function readAgain(): void;

export async function readme(): Promise<void> {
"""
"""What the readers of the examples have already."""


def _readme(client: Path, language: str, before: str) -> str:
    """The README's example, as the body of a function."""
    found = re.search(rf"```{language}\n(.*?)```", (client / "README.md").read_text("utf-8"), re.DOTALL)
    assert found
    lines = [line for line in found[1].splitlines() if not re.match(r"(import|from) ", line)]
    return before + "".join(f"    {line}\n" for line in lines) + ("}\n" if language == "ts" else "")


async def test_typescript__refuses_each_wrong_call_and_takes_the_right_ones(tmp_path: Path):
    folder = tmp_path / "typescript"
    node = await copied(folder)
    (folder / "tests" / "readme.ts").write_text(_readme(TYPESCRIPT, "ts", TYPESCRIPT_README), "utf-8")
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    _, said = await told(node, compiler, "--project", folder, "--pretty", "false")
    _matches(WRONG[TYPESCRIPT], _by_file(said))
    _, said = await told(node, compiler, "--project", folder / "tsconfig.build.json")
    assert said == "", "what is published compiles without the tests and their types"
    index = folder / "dist" / "index.js"
    program = f"const client = await import('{index}'); new client.Booking('https://booking.example')"
    assert await told(node, "--input-type=module", "--eval", program) == (0, "")
    assert index.with_name("index.d.ts").exists()


async def test_python__refuses_each_wrong_call(tmp_path: Path):
    folder = tmp_path / "wrong"
    await asyncio.to_thread(shutil.copytree, PYTHON / "tests" / "wrong", folder)
    (folder / "readme.py").write_text(_readme(PYTHON, "python", PYTHON_README), "utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"include": ["wrong"], "typeCheckingMode": "standard"}', "utf-8")
    pyright = Path(sys.executable).with_name("pyright")
    words = (pyright, "--project", tmp_path, "--pythonpath", sys.executable, "--outputjson")
    _, said = await told(*words)
    diagnostics = json.loads(said)["generalDiagnostics"]
    found = {one["file"]: "" for one in diagnostics}
    for one in diagnostics:
        found[one["file"]] += f"{one['rule']}: {one['message']}\n"
    _matches(WRONG[PYTHON], {Path(file).stem: text for file, text in found.items()})


def _matches(wanted: Mapping[str, str], found: Mapping[str, str]) -> None:
    assert found.keys() == wanted.keys(), set(found) ^ set(wanted)
    for name, line in wanted.items():
        rule, _, words = line.removesuffix("  # noqa: ERA001").lstrip("/# ").partition(": ")
        assert found[name].startswith(f"{rule}: "), found[name]
        assert words in found[name], f"{name}: {found[name]}"


def _by_file(said: str) -> dict[str, str]:
    """What tsc said of each file, each error as `CODE: message`."""
    found: dict[str, str] = {}
    name = ""
    for line in said.splitlines():
        if error := re.match(r"(\S+?)\(\d+,\d+\): error (TS\d+): (.*)", line):
            name = Path(error[1]).stem
        found[name] = found.get(name, "") + (f"{error[2]}: {error[3]}" if error else line) + "\n"
    return found
