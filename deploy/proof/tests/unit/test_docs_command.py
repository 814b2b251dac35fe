"""`booking docs`: each joined document and a page that shows it, from the checkout alone."""

import asyncio
import re
import signal
import sys
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
from tests.rigs.waiting import until

from booking_local.layout import checkout
from booking_local.servers.ports import free_port
from booking_proof.docs import PAGES, application

HOME = checkout() or Path()


@pytest.mark.parametrize(("prefix", "file", "title"), PAGES)
async def test_page__shows_the_committed_document_and_calls_nobody(prefix: str, file: str, title: str):
    transport = httpx2.ASGITransport(app=application(HOME / "docs"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://docs") as client:
        page = await client.get(f"{prefix}/docs")
        assert title in page.text
        loaded = [urljoin(f"{prefix}/docs", one) for one in re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)]
        assert len(loaded) == 3
        for address in loaded:
            assert (await client.get(address)).status_code == 200, address
        start = (await client.get(f"{prefix}/docs/start.js")).text
        assert '"supportedSubmitMethods": []' in start
        document = await client.get(f"{prefix}/openapi.json")
        assert document.content == (HOME / "docs" / file).read_bytes()


async def test_command__prints_where_it_is_and_ends_at_a_signal():
    port = free_port()
    command = [sys.executable, "-m", "booking_local", "docs", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        first = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        assert first.split() == ["Booking", f"http://127.0.0.1:{port}/docs"]
        await until(lambda: _answers(f"http://127.0.0.1:{port}/docs"), "the page")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) in (0, 130, -signal.SIGINT)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx2.get(address, trust_env=False, timeout=30).status_code == 200
    except httpx2.TransportError:
        return False
