"""What Meta's Cloud API checks and says: its errors, the templates it approved, and the verification of a webhook."""

import asyncio
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from starlette.responses import JSONResponse, Response

KINDS = ("text", "template", "interactive", "image", "document", "location", "contacts", "reaction")
_BAD_TEXT = re.compile(r"[\n\t]| {5}")
_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_KNOWN: dict[int, tuple[int, str, str]] = {
    100: (400, "Invalid parameter", "One or more parameters are invalid"),
    190: (401, "Error validating access token: The session is invalid.", "Access token has expired"),
    130429: (429, "(#130429) Rate limit hit", "Message failed to send because there were too many messages sent"),
    131000: (500, "(#131000) Something went wrong", "Message failed to send due to an unknown error"),
    131008: (400, "(#131008) Required parameter is missing", "A required parameter is missing"),
    131009: (400, "(#131009) Parameter value is not valid", "One or more parameter values are invalid"),
    131016: (503, "(#131016) Service unavailable", "A service is temporarily unavailable"),
    131026: (400, "(#131026) Message undeliverable", "Message undeliverable"),
    131031: (403, "(#131031) Business Account locked", "Business account has been locked"),
    131042: (400, "(#131042) Business eligibility payment issue", "There was an error related to your payment method"),
    131048: (400, "(#131048) Spam rate limit hit", "Too many previous messages were blocked or flagged as spam"),
    131047: (400, "(#131047) Re-engagement message", "More than 24 hours have passed since the recipient last replied"),
    131056: (
        400,
        "(#131056) (Business Account, Consumer Account) pair rate limit hit",
        "Too many messages to the same person",
    ),
    132000: (400, "(#132000) Number of parameters does not match", "The number of parameters does not match"),
    132018: (400, "(#132018) There's an issue with the parameters in your template", "Parameters are not valid"),
    132001: (404, "(#132001) Template name does not exist in the translation", "The template does not exist"),
}


def error(code: int, details: str = "", *, retry_after: int | None = None) -> JSONResponse:
    """One of Meta's errors with its HTTP status; unknown codes are answered 400."""
    status, message, usual = _KNOWN.get(code, (400, f"(#{code}) Error", "Error"))
    body: dict[str, Any] = {
        "message": message,
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details or usual},
        "fbtrace_id": secrets.token_urlsafe(8),
    }
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else None
    return JSONResponse({"error": body}, status, headers=headers)


def status_error(code: int) -> dict[str, Any]:
    """The same error as a status webhook carries it."""
    _, message, usual = _KNOWN.get(code, (400, f"(#{code}) Error", "Error"))
    title = message.split(") ", 1)[-1]
    return {"code": code, "title": title, "message": title, "error_data": {"details": usual}}


@dataclass(frozen=True, slots=True)
class Approved:
    """By name: the languages, and how many places each has. None: nobody said, so any template is taken."""

    templates: dict[str, tuple[frozenset[str], int]] | None

    @classmethod
    def read(cls, path: str) -> "Approved":
        """From a file `{name: {"parameters": [...], "body": {language: text}}}`. Raises OSError or ValueError."""
        if not path:
            return cls(None)
        told: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
        return cls({name: (frozenset(one["body"]), len(one["parameters"])) for name, one in told.items()})

    def refusal(self, body: dict[str, Any]) -> Response | None:
        """Meta's error for a template message that is not as it was approved; None for any other."""
        if self.templates is None or body.get("type") != "template":
            return None
        template = body["template"]
        languages, places = self.templates.get(template["name"], (frozenset[str](), 0))
        if template["language"]["code"] not in languages:
            return error(132001)
        texts = [
            str(one.get("text", ""))
            for component in template.get("components", [])
            if component.get("type") == "body"
            for one in component.get("parameters", [])
        ]
        if len(texts) != places:
            return error(132000, f"body: number of localizable_params ({len(texts)}) does not match {places}")
        if any(_BAD_TEXT.search(text) or not text for text in texts):
            return error(132018, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
        return None


def refused_message(body: dict[str, Any]) -> Response | None:
    """What Meta refuses at once; everything else it takes and tells later."""
    number, kind = str(body.get("to") or "").lstrip("+"), body.get("type", "text")
    content = body.get(kind) if kind in KINDS else None
    if not (number.isdigit() and 7 <= len(number) <= 15):
        return error(131009, "'to' is not a phone number")
    if not isinstance(content, dict):
        return error(131008, f"'{kind}' is missing or of no known type")
    if kind == "template" and not (content.get("name") and (content.get("language") or {}).get("code")):
        return error(131008, "template['name'] and template['language']['code'] are required")
    if kind == "text" and not 0 < len(str(content.get("body", ""))) <= 4096:
        return error(131009, "text['body'] must have 1 to 4096 characters")
    return None


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
