"""Whether PostgreSQL answers at all, asked beside the pool."""

import psycopg


async def answers(url: str, *, deadline: int = 2) -> bool:
    """Whether a new connection can be made and used within `deadline` seconds."""
    try:
        url = "postgresql://" + url.partition("://")[2]  # without SQLAlchemy's driver name
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=deadline) as conn:
            await conn.execute("SELECT set_config('statement_timeout', %s, false)", [f"{deadline}s"])
            await conn.execute("SELECT 1")
    except (psycopg.Error, OSError):
        return False
    return True
