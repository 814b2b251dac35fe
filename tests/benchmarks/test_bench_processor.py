"""Processor time per operation: of this process, of one that is told to work, of PostgreSQL's backends that ended."""

import sys
import time

import psycopg
import pytest
from benchmarks.peers.program import PREAMBLE, measured
from benchmarks.processor import Span, own
from benchmarks.system import system

linux = pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")
BURN = "SELECT count(*) FROM generate_series(1, 1000000)"


def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


@linux
def test_processor__a_span_has_what_was_used_inside_it_per_operation():
    burn(0.05)
    with Span({"client": own}) as span:
        burn(0.05)
    burn(0.05)

    assert span.cost(10)["client"] == pytest.approx(5_000, rel=0.3)


@linux
async def test_processor__a_program_is_measured_from_its_begin_to_its_end():
    burning = "until = time.process_time() + 0.3\nwhile time.process_time() < until: pass\n"

    told, span = await measured("p", [sys.executable, "-c", f"{PREAMBLE}{burning}begin()\n{burning}end([1])"], {})

    assert told == [1]
    assert span.cost(1)["client"] == pytest.approx(300_000, rel=0.3)


async def test_processor__a_program_that_fails_is_told_of_in_its_own_words():
    with pytest.raises(RuntimeError, match=r"p failed: (?s:.*)no such thing"):
        await measured("p", [sys.executable, "-c", f"{PREAMBLE}begin()\nraise SystemExit('no such thing')"], {})


@linux
@pytest.mark.servers
def test_processor__postgres_counts_backends_that_live_and_that_ended():
    with system() as on:
        url, clock = on.postgres.admin_url, on.postgres_clock
        with psycopg.connect(url, autocommit=True) as living, Span({"PostgreSQL": clock}) as one:
            living.execute(BURN)
        with Span({"PostgreSQL": clock}) as three:
            for _ in range(3):
                with psycopg.connect(url, autocommit=True) as ending:
                    ending.execute(BURN)

    assert three.cost(3)["PostgreSQL"] == pytest.approx(one.cost(1)["PostgreSQL"], rel=0.5)
