"""The contracts' wheel, in an environment that has nothing else of ours: its README's first lines read real records."""

import asyncio
import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from tests.plugins.servers import KafkaServer

from booking_contracts.corpus import NAMES, golden
from booking_contracts.generate import PACKAGE, VERSION
from booking_contracts.topics import SESSIONS
from booking_local.layout import tools_folder
from booking_local.packages import UnavailableError, python_with

README = PACKAGE.parents[1] / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
TOLD = [record for record in map(golden, NAMES) if record.topic == SESSIONS.name]
TYPES = [name.rpartition(".")[0] for name in NAMES if golden(name).topic == SESSIONS.name]
LOCK = Path(__file__).parent / "locks" / "outsider.txt"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built as a release would be."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = tools_folder() / "uv" / "bin" / "uv"
    words = [uv, "build", "--quiet", "--wheel", "--package", "booking-contracts", "--out-dir", folder]
    environment = {**os.environ, "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(tools_folder() / "uv-cache"))}
    done = subprocess.run(
        words, cwd=PACKAGE.parents[3], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory) -> Path:
    """The wheel, unpacked as an installer does."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
async def outsider() -> Path:
    """A Python with clients and pydantic, and nothing of ours."""
    try:
        return await python_with(LOCK)
    except UnavailableError as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"an environment for readers can't be had: {why}")


def _environment(site: Path) -> dict[str, str]:
    return {"PATH": os.defpath, "PYTHONPATH": str(site), "PYTHONUNBUFFERED": "1"}


def test_version__is_the_contract_s():
    assert tomllib.loads((README.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"] == VERSION


def test_wheel__carries_schemas_asyncapi_and_corpus(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "booking_contracts/asyncapi.json" in names
    for name in NAMES:
        assert {f"booking_contracts/schemas/{name}.json", f"booking_contracts/corpus/{name}.json"} <= names
    assert not [name for name in names if "tests" in name or "published" in name]


def test_reading__needs_no_client(outsider: Path, site: Path, tmp_path: Path):
    program = (
        "import sys\n"
        "import booking_contracts.corpus, booking_contracts.decode, booking_contracts.records\n"
        "for name in booking_contracts.corpus.NAMES:\n"
        "    assert booking_contracts.decode.decode(booking_contracts.corpus.golden(name)).kind == 'event', name\n"
        "print([name for name in sys.modules if 'kafka' in name and not name.startswith('booking')])\n"
    )
    words = [outsider, "-c", program]
    done = subprocess.run(
        words, cwd=tmp_path, env=_environment(site), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.fixture(scope="module")
async def told(kafka: KafkaServer) -> tuple[str, str]:
    """A broker, and a prefix below which each golden record of the sessions' topic is on it."""
    prefix = kafka.prefix()
    kafka.create_topics(prefix, [SESSIONS.name])
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type="zstd") as producer:
        for record in TOLD:
            headers = [(name, value or b"") for name, value in record.headers]
            await producer.send_and_wait(prefix + record.topic, record.value, record.key, headers=headers, partition=0)
    return kafka.bootstrap, prefix


@pytest.mark.servers
@pytest.mark.parametrize("snippet", SNIPPETS, ids=["confluent", "aiokafka"])
async def test_first_lines_of_the_readme__read_typed_events(
    snippet: str, told: tuple[str, str], outsider: Path, site: Path, tmp_path: Path
):
    bootstrap, prefix = told
    program = snippet.replace("localhost:9092", bootstrap).replace(SESSIONS.name, prefix + SESSIONS.name)
    program = re.sub(r"(from_\w+)\((message|record)\)", rf'\1(\2, "{prefix}")', program)
    assert len([line for line in snippet.splitlines() if line.strip()]) <= 10
    process = await asyncio.create_subprocess_exec(
        outsider, "-c", program, cwd=tmp_path, env=_environment(site),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        lines: list[str] = []
        async with asyncio.timeout(60):
            while len(lines) < len(TOLD) and (line := await process.stdout.readline()):
                lines.append(line.decode())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert len(lines) == len(TOLD), (await process.stderr.read()).decode()
    assert [line.split("(")[0] for line in lines] == TYPES


def test_there_are_two_snippets():
    assert len(SNIPPETS) == 2
