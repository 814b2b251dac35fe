"""The events' npm package: its README's first lines read real records, and a wrong reader doesn't compile."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from tests.plugins.servers import KafkaServer
from tests.rigs.typescript import EVENTS, copied, told

from booking_contracts.corpus import NAMES, golden
from booking_contracts.generate import VERSION
from booking_contracts.topics import SESSIONS

(SNIPPET,) = re.findall(r"```ts\n(.*?)```", (EVENTS / "README.md").read_text("utf-8"), re.DOTALL)
TOLD = [golden(name) for name in NAMES if golden(name).topic == SESSIONS.name]
TYPES = [dict(record.headers)["ce_type"] for record in TOLD]
WRONG = sorted(path.name for path in (EVENTS / "tests" / "wrong").iterdir())


@pytest.fixture(scope="module")
async def package(tmp_path_factory) -> tuple[Path, Path]:
    """Node, and the package's copy, built and found by its name."""
    folder = tmp_path_factory.mktemp("npm") / "booking-events"
    node = await copied(folder, EVENTS)
    code, said = await told(node, folder / "node_modules/typescript/bin/tsc", "-p", folder / "tsconfig.build.json")
    assert code == 0, said
    return node, folder


def test_version__is_the_contract_s():
    assert json.loads((EVENTS / "package.json").read_text("utf-8"))["version"] == VERSION
    assert json.loads((EVENTS / "package-lock.json").read_text("utf-8"))["version"] == VERSION


async def test_compiler__takes_what_is_right_and_refuses_each_wrong_reader(package: tuple[Path, Path]):
    node, folder = package
    code, said = await told(node, folder / "node_modules/typescript/bin/tsc", "-p", folder, "--pretty", "false")
    assert code != 0
    refused = {line.split("(")[0] for line in said.splitlines() if ": error TS" in line}
    assert {Path(file).name for file in refused} == set(WRONG), said


@pytest.mark.servers
async def test_first_lines_of_the_readme__read_typed_events(package: tuple[Path, Path], kafka: KafkaServer):
    assert len([line for line in SNIPPET.splitlines() if line.strip()]) <= 12
    node, folder = package
    prefix = kafka.prefix()
    kafka.create_topics(prefix, [SESSIONS.name])
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type="zstd") as producer:
        for record in TOLD:
            headers = [(name, value or b"") for name, value in record.headers]
            await producer.send_and_wait(prefix + record.topic, record.value, record.key, headers=headers, partition=0)
    program = folder / "first.ts"
    text = SNIPPET.replace("localhost:9092", kafka.bootstrap).replace(SESSIONS.name, prefix + SESSIONS.name)
    program.write_text(text.replace('groupId: "analytics"', f'groupId: "{prefix}"'), "utf-8")
    process = await asyncio.create_subprocess_exec(
        node, program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    seen: list[bytes] = []
    try:
        async with asyncio.timeout(60):
            while len(seen) < len(TYPES) and (line := await process.stdout.readline()):
                seen += re.findall(rb"^com\.booking\.\S+", line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert seen == TYPES


BAD = {
    "no type": ("const m = message(); delete m.headers.ce_type;", "ce_type is missing"),
    "a header twice": ('const m = message(); m.headers.ce_id = ["a", "b"];', "ce_id is there more than once"),
    "no instant": ('const m = message(); m.headers.ce_time = "yesterday";', "ce_time is no instant"),
    "no version": ('const m = message(); m.headers.ce_sequence = "0";', "ce_sequence is no version"),
    "no key": ("const m = message(); m.key = null;", "the key is missing"),
    "no JSON": ('const m = message(); m.value = Buffer.from("{");', "the value is no JSON"),
}
GOOD = {
    "a tombstone": ("const m = message(); m.value = null;", "tombstone"),
    "a newer type": ('const m = message(); m.headers.ce_type = "com.booking.consultation.SessionHeld.v1";', "unknown"),
    "a newer version": (
        'const m = message(); m.headers.ce_type = "com.booking.checkout.TransactionPaid.v9";',
        "unknown",
    ),
    "an event": ("const m = message();", "event"),
}


KINDS = """
import { told } from "booking-events";
const message = () => ({ key: Buffer.from("k"), value: Buffer.from(VALUE), headers: HEADERS });
const say = (m) => {
  try {
    return told(m).kind;
  } catch (error) {
    return error.constructor.name + ": " + error.message;
  }
};
"""


async def test_each_kind_of_record__is_told_or_refused_in_words(package: tuple[Path, Path]):
    node, folder = package
    headers = {name: (value or b"").decode() for name, value in TOLD[0].headers}
    begin = KINDS.replace("VALUE", json.dumps((TOLD[0].value or b"").decode())).replace("HEADERS", json.dumps(headers))
    tried = [f"{{ {setup} console.log(say(m)); }}\n" for setup, _ in (*GOOD.values(), *BAD.values())]
    program = folder / "kinds.mjs"
    program.write_text(begin + "".join(tried), "utf-8")
    code, said = await told(node, program)
    assert code == 0, said
    assert said.splitlines() == [
        *[kind for _, kind in GOOD.values()],
        *[f"NotOfTheContract: {why}" for _, why in BAD.values()],
    ]
