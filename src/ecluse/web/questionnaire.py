"""A questionnaire behind a link: pages with a form, for a person of a processor who has no account here. No script, nothing from elsewhere.

The link's secret stands in the path of its first page alone, and is exchanged there for a cookie (``HttpOnly``, ``SameSite=Strict``, ``__Host-`` over TLS).
That page is left by a link of its own: a strict cookie would not go along with a redirect that began in somebody's mail. No page sends a ``Referer``; we log
no path. Unknown, expired, revoked and used links are one answer, one probe and one way through the code.

A change is taken only from a page of ours: ``Sec-Fetch-Site: same-origin``, or where a browser sends none, an ``Origin`` that is our own (as
https://words.filippo.io/csrf/ reasons). A body is read after the link is known to be open, and is bounded.

These pages are for people and not part of the API's document.
"""

from __future__ import annotations

from typing import Annotated, Final

from litestar import MediaType, Response, get, post
from litestar.params import PathParameter, QueryParameter

from ecluse import clock
from ecluse.db import DatabaseUnavailable
from ecluse.evidence.questionnaire import service
from ecluse.evidence.questionnaire.errors import LinkInvalid, QuestionnaireRefused
from ecluse.evidence.questionnaire.model import Answer, Contact, say
from ecluse.evidence.questionnaire.score import score
from ecluse.evidence.questionnaire.service import Opened
from ecluse.evidence.store import translated
from ecluse.web import questionnaire_pages as pages
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.problem_pages import choose_language
from ecluse.web.questionnaire_form import MOST_BODY_BYTES, NoForm, read_contact, read_form, read_part
from ecluse.web.questionnaire_pages import NoticePage, Page, Spoken

PATH: Final = "/questionnaire"
MOST_A_MINUTE: Final = 120
"""Requests with one link, in a minute and a process."""
MOST_MISSES: Final = 600
"""Requests with links that are not open, in a minute and a process: beyond, only links seen open are looked up."""
_MOST_KNOWN: Final = 10_000
_COOKIE: Final = "ecluse-questionnaire"
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
Secret = Annotated[str, PathParameter(description="The secret of a link.")]
Number = Annotated[int, PathParameter(description="The part, counted from 1.")]
Lang = Annotated[str | None, QueryParameter(description="The language to speak.")]


class _Busy(Exception):
    """Asked too often."""


class Pace:
    """How often links were asked for in this minute, in this process. Forgotten with the minute."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self._minute = 0
        self._misses = 0
        self._known: dict[str, int] = {}

    def ask(self, secret: str) -> None:
        """Count a request. Raises `_Busy` above the limits."""
        minute = int(clock.now().timestamp()) // 60
        if minute != self._minute:
            self._minute, self._misses = minute, 0
            self._known = dict.fromkeys(list(self._known)[-_MOST_KNOWN:], 0)
        if secret not in self._known:
            if self._misses >= MOST_MISSES:
                raise _Busy
            return
        self._known[secret] += 1
        if self._known[secret] > MOST_A_MINUTE:
            raise _Busy

    def answered(self, secret: str, *, found: bool) -> None:
        """Hear whether a link was open."""
        if found:
            self._known.setdefault(secret, 1)
        else:
            self._known.pop(secret, None)
            self._misses += 1


_pace: Final = Pace()


async def _open(gateway: Gateway, secret: str) -> Opened:
    """Return what stands behind a link. Raises `LinkInvalid`, `_Busy`, `DatabaseUnavailable`."""
    _pace.ask(secret)
    try:
        with translated():
            async with gateway.pool.acquire() as connection:
                opened = await service.open_link(connection, secret)
    except LinkInvalid:
        _pace.answered(secret, found=False)
        raise
    _pace.answered(secret, found=True)
    return opened


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _page(page: Page, spoken: Spoken, *, status: int = 200, cookie: str | None = None) -> Response[str]:
    """Answer with a page."""
    headers = {**_HEADERS, "content-language": spoken.language, **({"set-cookie": cookie} if cookie is not None else {})}
    return Response(content=pages.render(page, spoken), status_code=status, media_type=MediaType.HTML, headers=headers)


def _notice(request: HttpRequest, key: str, status: int) -> Response[str]:
    """Answer with a page that only says something, in the language of the browser."""
    tongue = choose_language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
    return _page(NoticePage(key=key), Spoken(language=tongue, tongue=tongue, others=()), status=status)


def _failed(request: HttpRequest, error: Exception) -> Response[str]:
    """Turn what is raised here into its page."""
    for kind, key, status in (
        (LinkInvalid, "gone", 404), (_Busy, "busy", 429), (NoForm, "refused", 400), (_Foreign, "refused", 403), (DatabaseUnavailable, "down", 503),
    ):  # fmt: skip
        if isinstance(error, kind):
            return _notice(request, key, status)
    raise error


def _moved(path: str, spoken: Spoken, anchor: str = "") -> Response[str]:
    """Send the browser on after a change, so that loading the page again changes nothing."""
    separator = "&" if "?" in path else "?"
    return Response(
        content="", status_code=303, headers={**_HEADERS, "location": f"{path}{separator}lang={spoken.language}{anchor}"}
    )


def _cookie_name(gateway: Gateway) -> str:
    return f"__Host-{_COOKIE}" if gateway.settings.public_url.startswith("https:") else _COOKIE


def _cookie(gateway: Gateway, value: str) -> str:
    """Write the cookie; an empty ``value`` takes it away."""
    secure = "; Secure" if gateway.settings.public_url.startswith("https:") else ""
    return f"{_cookie_name(gateway)}={value}; Path=/; HttpOnly; SameSite=Strict{secure}" + ("" if value else "; Max-Age=0")


def _secret(gateway: Gateway, request: HttpRequest) -> str:
    """Return the secret that a browser kept; without one, what opens nothing."""
    return str(request.cookies.get(_cookie_name(gateway), ""))[:64]


class _Foreign(Exception):
    """A change that was not sent from a page of ours."""


def _refuse_foreign(gateway: Gateway, request: HttpRequest) -> None:
    """Refuse a change that was not sent from a page of ours."""
    site = request.headers.get("sec-fetch-site")
    if site is None:
        if request.headers.get("origin") != gateway.settings.public_url.rstrip("/"):
            raise _Foreign
    elif site != "same-origin":
        raise _Foreign


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get(f"{PATH}/{{secret:str}}", include_in_schema=False, media_type=MediaType.HTML)
async def begin(request: HttpRequest, gateway: Served, secret: Secret, lang: Lang = None) -> Response[str]:
    """Show what is asked, by whom and until when, and keep the secret in a cookie. It changes nothing: mail programs open links on their own."""
    try:
        opened = await _open(gateway, secret)
    except (LinkInvalid, _Busy, DatabaseUnavailable) as error:
        return _failed(request, error)
    response = opened.response
    spoken = pages.spoken_in(opened.questionnaire, lang, response.language)
    page = pages.begin_page(
        opened.questionnaire, spoken, controller=gateway.settings.controller.name, processor=opened.processor,
        until=response.expires_at.astimezone(gateway.settings.zone), begun=bool(response.answers),
    )  # fmt: skip
    return _page(page, spoken, cookie=_cookie(gateway, secret))


@get(f"{PATH}/part/{{number:int}}", include_in_schema=False, media_type=MediaType.HTML)
async def part(request: HttpRequest, gateway: Served, number: Number, lang: Lang = None) -> Response[str]:
    """Show one part."""
    try:
        opened = await _open(gateway, _secret(gateway, request))
        _part_of(opened, number)
    except (LinkInvalid, _Busy, DatabaseUnavailable) as error:
        return _failed(request, error)
    spoken = pages.spoken_in(opened.questionnaire, lang, opened.response.language)
    new = frozenset(
        int(text)
        for text in request.query_params.get("new", "").split(",")[:50]
        if text.isascii() and text.isdecimal() and len(text) < 5
    )
    return _page(pages.part_page(opened.questionnaire, spoken, number, opened.response.answers, new=new), spoken)


def _part_of(opened: Opened, number: int) -> pages.Part:
    """Return a part. Raises `LinkInvalid` where there is none."""
    parts = pages.parts_of(opened.questionnaire)
    if not 1 <= number <= len(parts):
        raise LinkInvalid
    return parts[number - 1]


@post(f"{PATH}/part/{{number:int}}", include_in_schema=False, media_type=MediaType.HTML, request_max_body_size=MOST_BODY_BYTES)
async def save_part(request: HttpRequest, gateway: Served, number: Number, lang: Lang = None) -> Response[str]:
    """Keep the answers of one part as a draft, and go on; where they open a question of the same part, show it first."""
    secret = _secret(gateway, request)
    try:
        _refuse_foreign(gateway, request)
        opened = await _open(gateway, secret)
        shown = pages.shown(opened.questionnaire, _part_of(opened, number), opened.response.answers)
        fields = read_form(request.headers.get("content-type", ""), await request.body())
        answers, faults = read_part(shown, fields)
        spoken = pages.spoken_in(opened.questionnaire, lang, opened.response.language)
        merged = opened.response.answers | answers
        if faults:
            return _page(pages.part_page(opened.questionnaire, spoken, number, merged, faults=faults), spoken, status=422)
        with translated():
            async with gateway.pool.acquire() as connection:
                await service.save(connection, secret, opened, answers)
    except (LinkInvalid, _Busy, DatabaseUnavailable, NoForm, _Foreign) as error:
        return _failed(request, error)
    return _onward(opened, number, merged, {place for place, *_ in shown}, spoken, back=fields.get("go") == ["back"])


def _onward(
    opened: Opened, number: int, answers: dict[str, Answer], seen: set[int], spoken: Spoken, *, back: bool
) -> Response[str]:
    """Say where to go after a part was saved: to a question that has just been opened in it, else to the next part that asks anything, or the one before."""
    questionnaire = opened.questionnaire
    parts = pages.parts_of(questionnaire)
    new = [place for place, *_ in pages.shown(questionnaire, parts[number - 1], answers) if place not in seen]
    if new and not back:
        return _moved(f"{PATH}/part/{number}?new={','.join(map(str, new))}", spoken, f"#q{new[0]}")
    ways = range(number - 1, 0, -1) if back else range(number + 1, len(parts) + 1)
    for other in ways:
        if pages.shown(questionnaire, parts[other - 1], answers):
            return _moved(f"{PATH}/part/{other}", spoken)
    return _moved(f"{PATH}/part/{number}" if back else f"{PATH}/review", spoken)


@get(f"{PATH}/review", include_in_schema=False, media_type=MediaType.HTML)
async def review(request: HttpRequest, gateway: Served, lang: Lang = None) -> Response[str]:
    """Show everything once more."""
    try:
        opened = await _open(gateway, _secret(gateway, request))
    except (LinkInvalid, _Busy, DatabaseUnavailable) as error:
        return _failed(request, error)
    spoken = pages.spoken_in(opened.questionnaire, lang, opened.response.language)
    return _page(_review(gateway, opened, spoken, Contact(), ""), spoken)


def _review(gateway: Gateway, opened: Opened, spoken: Spoken, contact: Contact, fault: str) -> pages.ReviewPage:
    """Make the last page before handing in."""
    questionnaire, answers = opened.questionnaire, opened.response.answers
    return pages.ReviewPage(
        controller=gateway.settings.controller.name, title=say(questionnaire.name, spoken.language),
        chapters=pages.chapters(questionnaire, spoken, answers), steps=pages.steps(questionnaire, spoken, answers, 0),
        open=len(score(questionnaire, answers).unanswered), contact=contact, fault=fault,
    )  # fmt: skip


@post(f"{PATH}/review", include_in_schema=False, media_type=MediaType.HTML, request_max_body_size=MOST_BODY_BYTES)
async def hand_in(request: HttpRequest, gateway: Served, lang: Lang = None) -> Response[str]:
    """Hand in, once, and show what was handed in: the link no longer works, and the cookie goes."""
    secret = _secret(gateway, request)
    try:
        _refuse_foreign(gateway, request)
        opened = await _open(gateway, secret)
        contact = read_contact(read_form(request.headers.get("content-type", ""), await request.body()))
        spoken = pages.spoken_in(opened.questionnaire, lang, opened.response.language)
        try:
            with translated():
                async with gateway.pool.acquire() as connection:
                    done, at = await service.hand_in(connection, secret, contact)
        except QuestionnaireRefused as refused:
            return _page(_review(gateway, await _open(gateway, secret), spoken, contact, refused.where), spoken, status=422)
    except (LinkInvalid, _Busy, DatabaseUnavailable, NoForm, _Foreign) as error:
        return _failed(request, error)
    page = pages.DonePage(
        controller=gateway.settings.controller.name, title=say(done.questionnaire.name, spoken.language), reference=done.response.id,
        handed_in=pages.local(at.astimezone(gateway.settings.zone), spoken), chapters=pages.chapters(done.questionnaire, spoken, done.response.answers),
    )  # fmt: skip
    # no other language to change to: behind this page there is nothing any more
    return _page(page, Spoken(language=spoken.language, tongue=spoken.tongue, others=()), cookie=_cookie(gateway, ""))


@get(pages.STYLE, include_in_schema=False, media_type=MediaType.CSS)
async def style_sheet() -> Response[str]:
    """Give the pages their one style sheet; they ask for it by what it holds, so it may be kept."""
    headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
    return Response(content=pages.style()[0], media_type=MediaType.CSS, headers=headers)


HANDLERS: Final = [begin, part, save_part, review, hand_in, style_sheet]
