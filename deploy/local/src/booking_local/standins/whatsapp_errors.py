"""The error bodies of Meta's Cloud API, as its callers see them."""

import secrets
from typing import Any

from starlette.responses import JSONResponse

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
