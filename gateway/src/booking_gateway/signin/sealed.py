"""What a browser keeps for us without reading or changing it: JWE (RFC 7516), `dir` with A256GCM."""

import hashlib
import json
import time
from typing import Any

from joserfc import errors, jwe
from joserfc.jwk import OctKey

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class Seal:
    """One secret for a kind of content: what was sealed as another kind doesn't open."""

    def __init__(self, secret: str, kind: str) -> None:
        self._key = OctKey.import_key(hashlib.sha256(f"{kind}\0{secret}".encode()).digest())

    def seal(self, content: dict[str, Any], seconds: float) -> str:
        """Text for a cookie that opens for so many seconds."""
        kept = json.dumps({"content": content, "until": time.time() + seconds}, separators=(",", ":"))
        return jwe.encrypt_compact(_HEADER, kept.encode(), self._key)

    def open(self, text: str) -> dict[str, Any] | None:
        """What was sealed; None for what was not sealed by us, or too long ago."""
        try:
            plain = jwe.decrypt_compact(text, self._key, algorithms=["dir", "A256GCM"]).plaintext
            kept = json.loads(plain or b"")
        except (errors.JoseError, ValueError):
            return None
        return kept["content"] if kept["until"] > time.time() else None
