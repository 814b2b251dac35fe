"""Meta's verification of a webhook: a challenge that only its owner repeats, before any status is sent there."""

import asyncio
import secrets

import httpx2

_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


async def verified(url: str, token: str) -> None:
    """Ask until the webhook has repeated a challenge. Meta asks once, when somebody registers the address; here the
    receiver may start later than the stand-in."""
    pause = _PAUSE
    async with httpx2.AsyncClient(timeout=10.0, trust_env=False) as http:
        while not await _repeats(http, url, token):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def _repeats(http: httpx2.AsyncClient, url: str, token: str) -> bool:
    challenge = str(secrets.randbelow(10**10))
    query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}
    try:
        answer = await http.get(url, params=query)
    except httpx2.HTTPError:
        return False
    return answer.status_code == 200 and answer.text == challenge
