"""The TypeScript client's own tests, by Node's own runner."""

from pathlib import Path

from tests.rigs.typescript import copied, told


async def test_client__does_what_it_promises(tmp_path: Path):
    folder = tmp_path / "typescript"
    node = await copied(folder)
    code, said = await told(node, "--test", folder / "tests" / "unit" / "*.test.ts")
    assert code == 0, said
    assert "tests 0" not in said, said
