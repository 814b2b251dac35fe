"""`/healthz` and `/readyz`, without a session: for inside of the network only.

Ready is who can make pages. Services and the identity provider may be away: their pages say so, the others go on.
"""

from fastapi import APIRouter

router = APIRouter()


@router.get("/healthz")
@router.get("/readyz")
async def read_health() -> dict[str, str]:
    """200 while the event loop turns."""
    return {"status": "ok"}
