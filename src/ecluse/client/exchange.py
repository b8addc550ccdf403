"""Talking to the gate without touching a socket: what to send, what an answer means, when to try again, when a token is needed.

A call is a generator. It yields a step (``Send``, ``Pause`` or ``NeedToken``), is given what came of it, and returns the answer;
the synchronous and asynchronous fronts only carry out steps. One rule of retrying, for all calls, at most ``tries`` in all:

- no answer (connection lost or timed out): again, with a new proof and the same ``Idempotency-Key``;
- a problem that says to come again (`RETRYABLE`: 503, and 404 ``not-published`` in an entry's first second): again;
- 401 ``invalid_token``: once more, with a new token;
- anything else is final, a 429 too: it says that refusals were asked again in a loop, and one more would not help.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NoReturn, TypeAlias, TypeVar
from urllib.parse import urlencode, urlsplit

from ecluse.client import errors
from ecluse.client.credential import ASSERTION_TYPE, JTI_BYTES, Credential
from ecluse.client.model import Json
from ecluse.errors import ConfigurationError

RETRYABLE: Final = frozenset({"ledger-unavailable", "register-unavailable", "busy", "not-published"})
RENEW_BEFORE: Final = timedelta(seconds=30)
FIRST_BACKOFF_SECONDS: Final = 0.1
_PLAIN_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request; what comes back is an ``Answer`` or ``Lost``."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NeedToken:
    """Run ``authorise`` to its end, one at a time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing came back: whether the request arrived is not known."""


T = TypeVar("T")
Step: TypeAlias = Send | Pause | NeedToken
Reply: TypeAlias = Answer | Lost | None
Exchange: TypeAlias = Generator[Step, Reply, T]


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    expires_at: datetime


class Exchanger:
    """One client's talk with one gate: its credential, its token, its patience. Reads no clock and draws no bits of its own."""

    def __init__(
        self,
        credential: Credential,
        base_url: str,
        *,
        tries: int,
        now: Callable[[], datetime],
        draw: Callable[[int], bytes],
        unsafe_plain_http: bool = False,
    ) -> None:
        """Talk to the gate at ``base_url``, at most ``tries`` times a call; plain http is for this very machine only."""
        self.base_url = base_url.removesuffix("/")
        parts = urlsplit(self.base_url)
        if not parts.hostname or parts.query or parts.scheme not in {"https", "http"}:
            raise ConfigurationError("base_url", "it is not an http address", "Write https://host.")
        if parts.scheme == "http" and parts.hostname not in _PLAIN_HOSTS and not unsafe_plain_http:
            raise ConfigurationError("base_url", "personal data would travel in clear", "Write https://host.")
        self._credential, self._tries, self._now, self._draw = credential, max(1, tries), now, draw
        self._metadata: tuple[str, str] | None = None
        self._held: _Held | None = None
        self._refused: str | None = None  # a token the gate no longer takes, whatever its life

    def authorise(self) -> Exchange[None]:
        """Have a token that is good for another 30 seconds: keep the one held, or ask for a new one."""
        if self._fresh() is not None:
            return
        if self._metadata is None:
            self._metadata = yield from self._discover()
        issuer, endpoint = self._metadata
        asked_at = self._now()
        answer = yield from self._attempts(lambda: self._token_request(issuer, endpoint))
        granted = read_object(answer.body)
        if answer.status != 200:
            raise errors.NotAuthorised(str(granted.get("error", f"http-{answer.status}")))
        token, kind, life = granted.get("access_token"), granted.get("token_type"), granted.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not isinstance(kind, str) or not isinstance(life, int):
            raise errors.AnswerInvalid("no token in the token answer")
        if kind.lower() != "dpop":
            raise errors.AnswerInvalid("the token is not bound to our key")
        self._held = _Held(token, asked_at + timedelta(seconds=life))

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Json] | None = None,
        once: bool = False,
    ) -> Exchange[dict[str, Json]]:
        """Make one call and return its JSON object; ``once`` gives it an ``Idempotency-Key`` kept over all tries."""
        key = self._draw(JTI_BYTES).hex() if once else None
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        url = self.base_url + path

        def request() -> Send:
            token = self._token()
            headers = {"Authorization": f"DPoP {token}", "DPoP": self._proof(method, url, token), "Accept": "application/json"}
            if content is not None:
                headers["Content-Type"] = "application/json"
            if key is not None:
                headers["Idempotency-Key"] = key
            return Send(method, f"{url}?{urlencode(query)}" if query else url, headers, content)

        answer = yield from self._attempts(request, bound=True)
        if answer.status == 401 and "invalid_token" in answer.headers.get("www-authenticate", ""):
            self._refused = self._token()
            answer = yield from self._attempts(request, bound=True)
        if answer.status != 200:
            raise_problem(answer)
        return read_object(answer.body)

    def fetch(self, url: str) -> Exchange[bytes | None]:
        """Read a public file, without a token; None where there is none. Raises ``Unavailable``, ``ConfigurationError`` for no address."""
        if not _is_address(url):
            raise ConfigurationError(
                "policy", "the address of a log is no http address", "Take the policy file as it was handed over."
            )
        answer = yield from self._attempts(lambda: Send("GET", url, {"Accept": "*/*"}, None))
        if answer.status in {404, 410}:
            return None
        if answer.status != 200:
            raise errors.Unavailable(problem_code(answer) or f"http-{answer.status}")
        return answer.body

    def pause(self, attempt: int) -> Pause:
        """Return a wait that doubles with each attempt (0 first), up to five seconds, at least half of it, the rest by chance."""
        longest = min(5.0, FIRST_BACKOFF_SECONDS * 2 ** min(attempt, 10))
        return Pause(longest / 2 + longest / 2 * int.from_bytes(self._draw(2), "big") / 0xFFFF)

    def _attempts(self, request: Callable[[], Send], *, bound: bool = False) -> Exchange[Answer]:
        """Send until there is a final answer; ``bound`` sees to a token before each try. Raises ``Unavailable``."""
        trouble = "connection-lost"
        for attempt in range(self._tries):
            if bound:
                yield NeedToken()
            reply = yield request()
            if isinstance(reply, Answer):
                wait = self._wait(reply, attempt)
                if wait is None:
                    return reply
                trouble = problem_code(reply) or f"http-{reply.status}"
            else:
                wait, trouble = self.pause(attempt), "connection-lost"
            if attempt + 1 < self._tries:
                yield wait
        raise errors.Unavailable(trouble)

    def _wait(self, answer: Answer, attempt: int) -> Pause | None:
        if answer.status in {404, 503} and problem_code(answer) in RETRYABLE:
            return self.pause(attempt)
        return None

    def _discover(self) -> Exchange[tuple[str, str]]:
        """Read the metadata (RFC 8414 §3): the issuer must be the address we were given, the token endpoint of that server."""
        parts = urlsplit(self.base_url)
        origin = f"{parts.scheme}://{parts.netloc}"
        url = f"{origin}/.well-known/oauth-authorization-server{parts.path}"
        answer = yield from self._attempts(lambda: Send("GET", url, {"Accept": "application/json"}, None))
        if answer.status != 200:
            raise_problem(answer)
        described = read_object(answer.body)
        issuer, endpoint = described.get("issuer"), described.get("token_endpoint")
        if issuer != self.base_url or not isinstance(endpoint, str) or not endpoint.startswith(origin + "/"):
            raise errors.AnswerInvalid("the server's metadata is of another server")
        return self.base_url, endpoint

    def _token_request(self, issuer: str, endpoint: str) -> Send:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._credential.assertion(audience=issuer, now=self._now(), nonce=self._draw(JTI_BYTES)),
        }
        headers = {"DPoP": self._proof("POST", endpoint, None), "Content-Type": "application/x-www-form-urlencoded"}
        return Send("POST", endpoint, headers, urlencode(form).encode("ascii"))

    def _proof(self, method: str, url: str, token: str | None) -> str:
        return self._credential.proof(method=method, url=url, token=token, now=self._now(), nonce=self._draw(JTI_BYTES))

    def _fresh(self) -> str | None:
        held = self._held
        if held is None or held.token == self._refused or self._now() >= held.expires_at - RENEW_BEFORE:
            return None
        return held.token

    def _token(self) -> str:
        held = self._held
        if held is None:
            raise AssertionError("impossible: a call without a token")
        return held.token


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and bool(parts.hostname) and url.isascii() and url.isprintable()


def read_object(body: bytes) -> dict[str, Json]:
    """Read a JSON object strictly (no name twice); raise ``AnswerInvalid``."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise errors.AnswerInvalid("the answer is not JSON") from None
    if not isinstance(value, dict):
        raise errors.AnswerInvalid("the answer is not a JSON object")
    return value


def problem_code(answer: Answer) -> str | None:
    """Return the code of a problem (RFC 9457, ``type`` = ``/problems/<code>``), or None if the answer is none."""
    try:
        kind = read_object(answer.body).get("type")
    except errors.AnswerInvalid:
        return None
    return kind.rpartition("/problems/")[2] if isinstance(kind, str) and "/problems/" in kind else None


def raise_problem(answer: Answer) -> NoReturn:
    """Raise what an answer that is no success means."""
    code = problem_code(answer)
    if code is None or answer.status >= 500:
        if answer.status == 401:
            raise errors.NotAuthorised("http-401")
        raise errors.Unavailable(code or f"http-{answer.status}")
    members = read_object(answer.body)
    title, detail = str(members.get("title", "")), str(members.get("detail", ""))
    extra = {name: value for name, value in members.items() if name not in {"type", "title", "detail", "status"}}
    raise errors.REFUSALS.get(code, errors.Refused)(code, title, detail, extra)


def _distinct(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members
