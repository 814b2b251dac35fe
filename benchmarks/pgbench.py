"""pgbench of the PostgreSQL wheel: the fastest client there is, hence the floor of everything that speaks SQL."""

import asyncio
import re
import tempfile
from pathlib import Path

from benchmarks.harness import SkippedError
from benchmarks.processor import Clock, Cost, Span, ended_children
from booking_local.servers.postgres import wheel_programs

_RATE = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")
_DONE = re.compile(r"number of transactions actually processed: (\d+)/(\d+)")


async def pgbench(
    url: str, script: Path, postgres: Clock, *, clients: int, transactions: int, **variables: int
) -> tuple[float, Cost]:
    """Run the script ``transactions`` times, shared among the clients; transactions per second, and what each cost.

    The script finds `:each` (a client's share), `:client_id` and ``variables``. What connecting costs, measured by
    itself, is taken off. Raises SkippedError without a pgbench.
    """
    each = transactions // clients
    clocks = {"client": ended_children, "PostgreSQL": postgres}
    with tempfile.NamedTemporaryFile("w", suffix=".pgbench") as nothing, Span(clocks) as connecting:
        nothing.write("\\set n 1\n")
        nothing.flush()
        await _run(url, Path(nothing.name), clients=clients, each=1)
    with Span(clocks) as span:
        rate = await _run(url, script, clients=clients, each=each, **variables)
    count = each * clients
    before = connecting.cost(count)
    return rate, {part: max(0.0, cost - before[part]) for part, cost in span.cost(count).items()}


async def _run(url: str, script: Path, *, clients: int, each: int, **variables: int) -> float:
    program = wheel_programs() / "pgbench"
    if not program.exists():
        raise SkippedError(f"there is no pgbench beside PostgreSQL's programs in {program.parent}")
    words = [str(program), "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)), "-t", str(each)]
    for name, value in {"each": each, **variables}.items():
        words += ["-D", f"{name}={value}"]
    process = await asyncio.create_subprocess_exec(
        *words, "-f", str(script), url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = (part.decode() for part in await process.communicate())
    rate, done = _RATE.search(out), _DONE.search(out)
    if process.returncode != 0 or rate is None or done is None or done[1] != done[2]:
        raise RuntimeError(f"pgbench failed:\n{out}\n{errors}")
    return float(rate[1])
