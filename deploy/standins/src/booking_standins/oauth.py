"""The identity provider's flows, by Authlib: `authorization_code` with PKCE, `refresh_token`, and `client_credentials`.

Access tokens are JWTs as RFC 9068 says, with the `roles` that the services ask for. Nobody has a password here: who
signs in says who they are. What was said is known until the process ends.
"""

# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportOptionalMemberAccess=false
# pyright: reportArgumentType=false
# (Authlib says what its methods are given in prose; the stubs that the checker has are of another release.)

import json
import secrets
import time
import uuid
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Error, OAuth2Payload, OAuth2Request, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode
from joserfc.jwk import ECKey, KeySet
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from booking_standins.refreshing import OFFLINE, Refreshes, RefreshGrant

ROLES = ("member", "practitioner", "admin", "service")
ALGORITHM = "ES256"
CLAIMS = {
    "profile": ("name", "locale", "zoneinfo"),
    "email": ("email",),
    "phone": ("phone_number",),
}
"""Which scope tells which claims of a person (OpenID Connect Core §5.4)."""
SCOPES = ("openid", *CLAIMS, OFFLINE)
AUDIENCE = "booking"
TOKEN_SECONDS, CODE_SECONDS = 3600, 60
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_HOUSE = uuid.UUID("3f4d2c1b-8a6e-4d7c-9b0a-51e2c7d8f900")


@dataclass(frozen=True)
class Client(ClientMixin):
    """A page is public and sends people here; a server has a secret and acts as itself, in the roles it asks for."""

    client_id: str
    grants: tuple[str, ...]
    secret: str | None = None

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        return None

    def get_allowed_scope(self, scope: str | None) -> str:
        known = ("admin", "service") if self.secret else SCOPES
        return " ".join(one for one in (scope or "service").split() if one in known)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Any page of this machine, as RFC 8252 §7.3 lets programs of it be: they are on any port."""
        address = urlsplit(redirect_uri)
        return address.scheme == "http" and address.hostname in _LOOPBACK and not address.fragment

    def check_client_secret(self, client_secret: str) -> bool:
        return self.secret is not None and client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        del endpoint
        return (method == "none") == (self.secret is None)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and "authorization_code" in self.grants

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grants


@dataclass(frozen=True)
class Person:
    """Who signs in."""

    sub: str
    roles: tuple[str, ...]
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    locale: str | None = None
    zoneinfo: str | None = None

    def get_user_id(self) -> str:
        return self.sub

    def claims(self, scope: str) -> dict[str, Any]:
        """What that scope tells of them, `sub` always."""
        wanted = {claim for one in scope.split() for claim in CLAIMS.get(one, ())}
        return {"sub": self.sub} | {
            name: value for name, value in asdict(self).items() if name in wanted and value is not None
        }


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """What a person agreed to, for a minute and one exchange."""

    client_id: str
    person: Person
    redirect_uri: str | None
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    at: float

    def get_redirect_uri(self) -> str | None:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(self.at)

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class _Payload(OAuth2Payload):
    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._data = dict(pairs)
        self._datalist: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._datalist[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._datalist


class _Asked(OAuth2Request):
    """A request of Starlette's, its form read already."""

    def __init__(self, request: Request, form: list[tuple[str, str]]) -> None:
        super().__init__(request.method, str(request.url), headers=request.headers)
        self._args, self._form = dict(request.query_params), dict(form)
        self.payload = _Payload([*request.query_params.multi_items(), *form])

    @property
    def args(self) -> dict[str, str]:
        return self._args

    @property
    def form(self) -> dict[str, str]:
        return self._form


class Provider(AuthorizationServer):
    """The server of both flows. The key file is read at each token: rotating is writing it anew."""

    def __init__(self, issuer: str, key_file: Path, secret: str, token_seconds: int = TOKEN_SECONDS) -> None:
        super().__init__(scopes_supported=(*SCOPES, "admin", "service"))
        self.issuer = issuer
        self.token_seconds = token_seconds
        self.refreshes = Refreshes()
        self.people: dict[str, Person] = {}
        self.codes: dict[str, Code] = {}
        self._key_file = key_file
        clients = (
            Client("booking-web", ("authorization_code", "refresh_token")),
            Client("booking-service", ("client_credentials",), secret),
        )
        self._clients = {one.client_id: one for one in clients}
        self.register_grant(_CodeGrant, [_Challenge(required=True), _IdToken(self)])
        self.register_grant(RefreshGrant)
        self.register_grant(grants.ClientCredentialsGrant)
        self.register_token_generator("default", _AccessTokens(self))

    @property
    def keys(self) -> KeySet:
        """The signing key, with its id."""
        kept = json.loads(self._key_file.read_text("utf-8"))
        return KeySet([ECKey.import_key(kept["signing_key"], {"kid": kept["signing_kid"], "alg": ALGORITHM})])

    def authorize(self, request: Request, form: list[tuple[str, str]], person: Person) -> Response:
        """The redirection with a code for who signed in, or the refusal as OAuth tells it."""
        asked = _Asked(request, form)
        try:
            grant = self.get_consent_grant(asked, person)
        except OAuth2Error as error:
            return self.handle_error_response(asked, error)
        self.people[person.sub] = person
        return self.create_authorization_response(asked, person, grant)

    def refused(self, request: Request) -> Response | None:
        """Why this request may not show the page; None when it may."""
        asked = _Asked(request, [])
        try:
            self.get_consent_grant(asked)
        except OAuth2Error as error:
            return self.handle_error_response(asked, error)
        return None

    def token(self, request: Request, form: list[tuple[str, str]]) -> Response:
        """The answer of the token endpoint."""
        return self.create_token_response(_Asked(request, form))

    def query_client(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Refresh tokens alone: whoever has the keys can tell an access token of ours."""
        if "refresh_token" in token:
            before = getattr(request, "refresh_token", None)
            self.refreshes.give(token["refresh_token"], request.client, request.user, token["scope"], before)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        answer = JSONResponse(body, status) if isinstance(body, dict) else Response(body or None, status)
        for name, value in headers:
            if name.lower() != "content-type":
                answer.headers[name] = value
        return answer


class _CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]  # noqa: RUF012 - the library's word
    server: Provider
    request: OAuth2Request

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        asked: dict[str, str] = request.payload.data
        self.server.codes[code] = Code(
            client_id=request.client.get_client_id(),
            person=request.user,
            redirect_uri=asked.get("redirect_uri"),
            scope=request.scope or "",
            nonce=asked.get("nonce"),
            code_challenge=asked.get("code_challenge"),
            code_challenge_method=asked.get("code_challenge_method"),
            at=time.time(),
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found = self.server.codes.get(code)
        fits = found is not None and found.client_id == client.client_id and found.at + CODE_SECONDS > time.time()
        return found if fits else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        self.server.codes = {code: one for code, one in self.server.codes.items() if one is not authorization_code}

    def authenticate_user(self, authorization_code: Code) -> Person:
        return authorization_code.person


class _Challenge(CodeChallenge):
    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 - the library's word
    DEFAULT_CODE_CHALLENGE_METHOD = "S256"


class _IdToken(OpenIDCode):
    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        """Never: a code is good once, whatever its nonce."""
        return False

    def resolve_client_private_key(self, client: Client) -> KeySet:
        return self._provider.keys

    def get_client_algorithm(self, client: Client) -> str:
        return ALGORITHM

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {"iss": self._provider.issuer, "aud": [client.client_id]}

    def generate_user_info(self, user: Person, scope: str) -> dict[str, Any]:
        return user.claims(scope)


class _AccessTokens(JWTBearerTokenGenerator):
    def __init__(self, provider: Provider) -> None:
        super().__init__(
            provider.issuer,
            ALGORITHM,
            refresh_token_generator=lambda **_: secrets.token_urlsafe(32),
            expires_generator=lambda _client, _grant: provider.token_seconds,
        )
        self._provider = provider

    def generate(  # noqa: PLR0917 - the library says so
        self,
        grant_type: str,
        client: Client,
        user: Person | None = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        wanted = include_refresh_token and OFFLINE in (scope or "").split()
        return super().generate(grant_type, client, user, scope, expires_in, wanted)

    def get_jwks(self) -> KeySet:
        return self._provider.keys

    def get_audiences(self, client: Client, user: Person | None, scope: str) -> str:
        return AUDIENCE

    def get_extra_claims(self, client: Client, grant_type: str, user: Person | None, scope: str) -> dict[str, Any]:
        """A person's claims by scope, and their roles; a server is somebody too, in the roles that it asked for."""
        if user is None:
            return {"sub": str(uuid.uuid5(_HOUSE, client.client_id)), "roles": scope.split()}
        return user.claims(scope) | {"roles": list(user.roles)}
