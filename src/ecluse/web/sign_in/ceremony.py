"""What the pages' script asks: options for the browser, then its answer. JSON in and out; every refusal comes with words for the person who reads it.

1  `shield` let the request through: it comes from a page of ours
2  the body is JSON, small, there within a time, and of its form
3  an agent's desk key comes with a proof (RFC 9449) that this browser has it; the proof is for this address and for no token
4  the use case decides; what it refuses is told in the reader's language, with a code that the script does not need

Nothing here is logged but codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar

import msgspec
import structlog
from litestar import MediaType, Response, post

from ecluse import clock
from ecluse.db import LOST
from ecluse.identity import KeyInvalid, ProofInvalid, PublicKey, parse_public_jwk
from ecluse.identity.errors import (
    ChallengeSpent,
    DeskKeyMissing,
    LinkClosed,
    PasskeyRefused,
    PasskeyUnknown,
    SignInRefused,
)
from ecluse.identity.passkeys import Assertion, Registration
from ecluse.identity.people import Signed
from ecluse.identity.sign_in import (
    begin_enrolment,
    begin_sign_in,
    begin_step_up,
    finish_enrolment,
    finish_sign_in,
    finish_step_up,
)
from ecluse.ledger.errors import LedgerStale
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.errors import SignInNeeded
from ecluse.web.pages.guard import COOKIE, whoever
from ecluse.web.pages.language import N_, tongue_of
from ecluse.web.sign_in.ways import cookie_of, way_of

MOST_BODY_BYTES: Final = 32_768
BODY_SECONDS: Final = 10
FINISH: Final = "/sign-in/finish"
T = TypeVar("T", bound=msgspec.Struct)

log: Final = structlog.get_logger("ecluse.web")


class Words(msgspec.Struct, frozen=True):
    """What somebody is told: what happened, and what to do."""

    status: int
    title: str
    text: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal, as the page shows it."""

    code: str
    title: str
    text: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser shall sign. ``options``: as WebAuthn has them in JSON; ``now``: our clock, in seconds since 1970, for proofs by the desk's key."""

    options: Mapping[str, object]
    now: int


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a one-time link is for, and what the browser shall make. ``recovery``: passkeys that were lost end with it."""

    name: str
    agent: bool
    recovery: bool
    options: Mapping[str, object]


class Go(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go. ``desk``: keep the browser's key, it is a desk's now."""

    go: str
    desk: bool = False


class Secret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of a one-time link."""

    secret: Annotated[str, msgspec.Meta(max_length=64)]


class Made(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new passkey. ``label``: what its owner calls it."""

    secret: Annotated[str, msgspec.Meta(max_length=64)]
    credential: Registration
    label: Annotated[str, msgspec.Meta(max_length=80)] = ""


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A passkey's answer. ``desk_key``: the public half of the key that this browser made, a JWK; ``next``: where the person wanted to go."""

    credential: Assertion
    next: Annotated[str, msgspec.Meta(max_length=500)] = ""
    desk_key: dict[str, Any] | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the person wants to go."""

    next: Annotated[str, msgspec.Meta(max_length=500)] = ""


class _Unreadable(SignInRefused):
    """The body is not what this address takes."""

    code = "unreadable"


class _ClockWrong(SignInRefused):
    """The browser's proof is of another time."""

    code = "clock"


WORDS: Final[Mapping[type[Exception], Words]] = MappingProxyType(
    {
        LinkClosed: Words(
            410, N_("This link cannot be used"),
            N_("It was used already, is older than a day, or waits for a second administrator. Ask whoever sent it for a new one."),
        ),
        ChallengeSpent: Words(403, N_("That took too long"), N_("For your safety each attempt lasts five minutes and counts once. Begin again.")),
        PasskeyUnknown: Words(
            403, N_("This passkey opens no account here"),
            N_("The account may have been closed or suspended, or the passkey replaced by a newer one. Ask the person who runs the accounts."),
        ),
        PasskeyRefused: Words(
            403, N_("The passkey was not accepted"),
            N_("Its answer could not be verified. Use the browser's own unlocking (fingerprint, face or PIN), on this very address, and try again."),
        ),
        DeskKeyMissing: Words(
            403, N_("This browser kept no key"),
            N_("The desk needs a browser that may keep a key of its own: leave private browsing, or use another browser, and sign in again."),
        ),
        _Unreadable: Words(400, N_("This could not be read"), N_("Load the page again: it may be of an older version. Nothing was changed.")),
        _ClockWrong: Words(403, N_("This computer's clock is wrong"), N_("Set its date and time, then load this page again.")),
        SignInNeeded: Words(401, N_("Please sign in"), N_("Nobody is signed in on this browser, or the time of this sign-in is over.")),
    }
)  # fmt: skip
"""What each refusal is to the person who reads it."""
_UNREADABLE: Final = Words(
    400, N_("This could not be read"), N_("Load the page again: it may be of an older version. Nothing was changed.")
)
_CLOCK: Final = Words(403, N_("This computer's clock is wrong"), N_("Set its date and time, then load this page again."))
_DOWN: Final = Words(503, N_("Not available just now"), N_("Wait a moment, then try again. Nothing was changed."))


Handler = Callable[[HttpRequest, Gateway], Awaitable[Response[Any]]]


def _telling(answer: Callable[[HttpRequest, Gateway], Awaitable[Response[Any]]]) -> Handler:
    """Turn what a handler raises into words for who reads them."""

    @wraps(answer)
    async def told(request: HttpRequest, gateway: Served) -> Response[Any]:
        try:
            return await answer(request, gateway)
        except (SignInRefused, SignInNeeded) as refused:
            words = WORDS.get(type(refused))
            if words is None:
                raise
            return _tell(request, refused.code, words)
        except (*LOST, LedgerStale) as lost:
            log.warning("web:sign-in:unavailable", code=type(lost).__name__)
            return _tell(request, "unavailable", _DOWN)

    return told


def _tell(request: HttpRequest, code: str, words: Words) -> Response[Any]:
    tongue = tongue_of(request)
    body = Told(code=code, title=tongue.say(words.title), text=tongue.say(words.text))
    return _json(body, words.status, {"content-language": tongue.language})


def _json(body: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[Any]:
    return Response(content=msgspec.json.encode(body), status_code=status, media_type=MediaType.JSON, headers=dict(headers or {}))


async def _read(request: HttpRequest, struct: type[T]) -> T:
    """Read the body (step 2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Unreadable("not JSON")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return msgspec.json.decode(await request.body(), type=struct)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TimeoutError):
        raise _Unreadable("not of its form") from None


def _desk_key(request: HttpRequest, gateway: Gateway, jwk: dict[str, Any] | None) -> PublicKey | None:
    """Return the key that this browser proves to have (step 3); None where it sent none."""
    if jwk is None:
        return None
    proof = request.headers.get("dpop", "")
    try:
        key = parse_public_jwk(jwk)
        proved = gateway.desk_proofs.check(proof, method="POST", path=FINISH, token=None, thumbprint=None, now=clock.now())
    except ProofInvalid as bad:
        if bad.code == "proof-out-of-time":
            raise _ClockWrong("of another time") from None
        raise DeskKeyMissing("the desk key is not proved") from None
    except KeyInvalid:
        raise DeskKeyMissing("the desk key is none") from None
    if proved.thumbprint != key.thumbprint:
        raise DeskKeyMissing("the desk key is not proved")
    return key


async def _signed(request: HttpRequest, gateway: Gateway) -> Signed:
    signed = await whoever(request, gateway)
    if signed is None:
        raise SignInNeeded
    return signed


def _asked(options: Mapping[str, object]) -> Response[Any]:
    return _json(Asked(options=options, now=int(clock.now().timestamp())))


@_telling
async def _here(request: HttpRequest, gateway: Served) -> Response[Any]:
    """Say where to go to whoever is signed in: a browser that came by a link of another site did not show its cookie at first."""
    wanted = await _read(request, Wanted)
    signed = await whoever(request, gateway)
    return _json(Go(go="" if signed is None else way_of(signed, wanted.next)))


@_telling
async def _begin(request: HttpRequest, gateway: Served) -> Response[Any]:
    """Say what to sign."""
    await _read(request, Wanted)
    return _asked(await begin_sign_in(gateway.pool, gateway.site))


@_telling
async def _finish(request: HttpRequest, gateway: Served) -> Response[Any]:
    """Sign somebody in."""
    sent = await _read(request, Signature)
    key = _desk_key(request, gateway, sent.desk_key)
    brought = request.cookies.get(COOKIE)
    entered = await finish_sign_in(
        gateway.pool, gateway.site, log_id=gateway.log_id, answer=sent.credential, desk_key=key, cookie=brought
    )
    answer = _json(Go(go=way_of(entered.signed, sent.next), desk=entered.signed.thumbprint is not None))
    answer.set_cookie(cookie_of(entered.cookie))
    return answer


@_telling
async def _enrol_begin(request: HttpRequest, gateway: Served) -> Response[Any]:
    """Say whom a link is for, and what to make."""
    sent = await _read(request, Secret)
    welcome = await begin_enrolment(gateway.pool, gateway.site, secret=sent.secret)
    return _json(Greeting(name=welcome.name, agent=welcome.agent, recovery=welcome.recovery, options=welcome.options))


@_telling
async def _enrol_finish(request: HttpRequest, gateway: Served) -> Response[Any]:
    """Register the passkey that was made."""
    sent = await _read(request, Made)
    await finish_enrolment(
        gateway.pool, gateway.site, log_id=gateway.log_id, secret=sent.secret, answer=sent.credential, label=sent.label
    )
    return _json(Go(go="/sign-in"))


@_telling
async def _again_begin(request: HttpRequest, gateway: Served) -> Response[Any]:
    """Say what to sign once more."""
    await _read(request, Wanted)
    return _asked(await begin_step_up(gateway.pool, gateway.site, await _signed(request, gateway)))


@_telling
async def _again_finish(request: HttpRequest, gateway: Served) -> Response[Any]:
    """Say that the same person is there."""
    sent = await _read(request, Signature)
    signed = await _signed(request, gateway)
    await finish_step_up(gateway.pool, gateway.site, signed, sent.credential)
    return _json(Go(go=way_of(signed, sent.next)))


def _at(path: str, handler: Handler) -> Any:  # noqa: ANN401 - the framework's handler, decorated
    return post(path, status_code=200, include_in_schema=False, request_max_body_size=MOST_BODY_BYTES)(handler)


HANDLERS: Final = [
    _at("/sign-in/here", _here),
    _at("/sign-in/begin", _begin),
    _at(FINISH, _finish),
    _at("/sign-in/enrol/begin", _enrol_begin),
    _at("/sign-in/enrol/finish", _enrol_finish),
    _at("/sign-in/again/begin", _again_begin),
    _at("/sign-in/again/finish", _again_finish),
]
