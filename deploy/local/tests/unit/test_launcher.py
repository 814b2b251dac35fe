"""./booking finds its uv wherever it runs, and knows when there is nothing to do."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PAGE = "https://mirror.example/simple/uv/"
NAMES = (
    "macosx_10_12_x86_64",
    "macosx_11_0_arm64",
    "manylinux_2_17_aarch64.manylinux2014_aarch64",
    "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "musllinux_1_1_x86_64",
    "win_amd64",
)


@pytest.fixture(scope="module")
def launcher():
    loader = importlib.machinery.SourceFileLoader("booking_launcher", str(ROOT / "booking"))
    spec = importlib.util.spec_from_loader("booking_launcher", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    written = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


def index(version):
    return "".join(f'<a href="../../f/uv-{version}-py3-none-{name}.whl#sha256=h-{name}">x</a>' for name in NAMES)


@pytest.mark.parametrize(
    ("platform", "machine", "libc", "expected"),
    [
        ("linux", "x86_64", "glibc", "manylinux_2_17_x86_64.manylinux2014_x86_64"),
        ("linux", "aarch64", "glibc", "manylinux_2_17_aarch64.manylinux2014_aarch64"),
        ("linux", "x86_64", "", "musllinux_1_1_x86_64"),
        ("darwin", "arm64", "", "macosx_11_0_arm64"),
        ("darwin", "x86_64", "", "macosx_10_12_x86_64"),
    ],
)
def test_without_pip__the_wheel_of_this_machine(launcher, monkeypatch, platform, machine, libc, expected):  # noqa: PLR0917
    monkeypatch.setattr(launcher.sys, "platform", platform)
    monkeypatch.setattr(launcher.platform, "machine", lambda: machine)
    monkeypatch.setattr(launcher.platform, "libc_ver", lambda: (libc, "2.36"))
    address, sha256 = launcher.choose_wheel(PAGE, index("0.0.1") + index(launcher.UV_VERSION))
    assert address == f"https://mirror.example/simple/../f/uv-{launcher.UV_VERSION}-py3-none-{expected}.whl".replace(
        "/simple/..", ""
    )
    assert sha256 == f"h-{expected}"


def test_no_wheel_for_this_machine__a_sentence_and_exit_1(launcher, capsys):
    with pytest.raises(SystemExit) as stopped:
        launcher.choose_wheel(PAGE, index("0.0.1"))
    assert stopped.value.code == 1
    assert "has no uv" in capsys.readouterr().err


def test_lock_file_changed__the_environment_is_made_anew(launcher, tmp_path, monkeypatch):
    for name in ("pyproject.toml", "uv.lock", "deploy/standins/pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    jars = tmp_path / "deploy/local/src/booking_local/servers/kafka.lock.toml"
    jars.parent.mkdir(parents=True)
    jars.write_text("jars")
    monkeypatch.setattr(launcher, "ROOT", tmp_path)
    before = launcher.fingerprint()
    assert launcher.fingerprint() == before
    (tmp_path / "uv.lock").write_text("another")
    assert launcher.fingerprint() != before
