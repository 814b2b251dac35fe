"""What is generated of the clients is what the committed document and schemas give."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from clients.generate import EVENTS_PACKAGE, PYTHON, TYPESCRIPT, events, python, typescript

from booking_local.packages import UnavailableError


@pytest.mark.parametrize(
    ("generate", "committed"), [(python, PYTHON), (typescript, TYPESCRIPT), (events, EVENTS_PACKAGE)]
)
async def test_generation__leaves_no_difference(
    generate: Callable[[Path], Awaitable[list[Path]]], committed: Path, tmp_path: Path
):
    try:
        written = await generate(tmp_path)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    for path in written:
        assert path.read_text("utf-8") == (committed / path.name).read_text("utf-8"), "make generate"
