"""The pages of the problem catalogue, for people: what a code means, whose move it is, what to do now, whether asking again helps.

``GET /problems/`` lists them, ``GET /problems/<code>`` shows one: the ``type`` of every problem answered. English and French, by ``?lang=`` or
``Accept-Language``. No script, nothing from elsewhere, the same for everyone: a page knows its code and its language, and the browser is told to take nothing
else (``Content-Security-Policy``). The facts are `problems.PROBLEMS`, the words ``problem_words.toml``.
"""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Annotated, Final, Literal

import msgspec
from litestar import MediaType, Response, get
from litestar.params import PathParameter, QueryParameter

from ecluse.web.gateway import HttpRequest
from ecluse.web.problems import PROBLEMS, HttpProblem, Move, Problem, document, headers_of
from ecluse.web.published import examples, published

Language = Literal["en", "fr"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr")
STYLE: Final = "/problems.css"
_POLICY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
MOST_LANGUAGES: Final = 20
"""How many ranges of an ``Accept-Language`` field are read."""


class Again(StrEnum):
    """What becomes of asking again."""

    WAIT = "wait"
    FRESH = "fresh"
    NEW_KEY = "new-key"
    LATER = "later"
    MEND = "mend"
    ONCE = "once"


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One problem in one language. ``title`` None: the catalogue's."""

    means: str
    now: list[str]
    title: str | None = None


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One problem's words."""

    again: Again
    en: Words
    fr: Words

    def words(self, language: Language) -> Words:
        """Return the words in one language."""
        return self.fr if language == "fr" else self.en


_UI: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "all": "All problems", "lead": "What the gate answers when it does not do what was asked, and what to do about it.", "other": "Français",
        "whose": "Whose move is it?", "now": "What to do now", "again": "Does asking again help?", "key": "Idempotency-Key", "example": "An example",
        "answer": "Answer", "proof": "Proof of key", "fresh": "A fresh one for each request, retries too.", "skip": "Skip to the text",
        "foot": "This page is the same for everyone and holds nothing about any person.", "code": "Code", "status": "Status", "title": "Problem",
        "processor": "Yours", "controller": "The agency’s", "wait": "Nobody’s: wait",
        "processor-is": "whoever sent the request can mend it", "controller-is": "the public office that answers for the data",
        "wait-is": "time alone mends it",
    },
    "fr": {
        "all": "Tous les refus", "lead": "Ce que la porte répond quand elle ne fait pas ce qui est demandé, et quoi faire alors.", "other": "English",
        "whose": "À qui de jouer\u00a0?", "now": "Que faire maintenant", "again": "Redemander sert-il à quelque chose\u00a0?", "key": "Idempotency-Key",
        "example": "Un exemple", "answer": "Réponse", "proof": "Preuve de clé", "fresh": "Une neuve pour chaque requête, répétitions comprises.",
        "skip": "Aller au texte", "foot": "Cette page est la même pour tous et ne contient rien sur personne.", "code": "Code", "status": "Statut",
        "title": "Refus", "processor": "À vous", "controller": "À l’administration", "wait": "À personne\u00a0: patience",
        "processor-is": "qui a envoyé la requête peut la corriger", "controller-is": "l’organisme public qui répond des données",
        "wait-is": "le temps seul y remédie",
    },
}  # fmt: skip

AGAIN: Final[dict[Language, dict[Again, tuple[str, str]]]] = {
    "en": {
        Again.WAIT: ("Yes, after the time in Retry-After.", "The same, with the same body: it can’t be counted twice."),
        Again.FRESH: ("Yes, at once, and once.", "The same: nothing was decided."),
        Again.NEW_KEY: ("Not with this key.", "A fresh one. What you then get is a new disclosure."),
        Again.LATER: ("Not by itself: only once the cause is gone. Never in a loop.", "The same or a fresh one: a refusal uses none up."),
        Again.MEND: ("No: the same request gets the same answer. Mend it first.", "The same or a fresh one: a refusal uses none up."),
        Again.ONCE: ("Once, after a few seconds.", "The same, with the same body: it can’t be counted twice."),
    },
    "fr": {
        Again.WAIT: ("Oui, après le délai de Retry-After.", "La même, avec le même corps : elle ne peut pas compter deux fois."),
        Again.FRESH: ("Oui, aussitôt, et une fois.", "La même : rien n’a été décidé."),
        Again.NEW_KEY: ("Pas avec cette clé.", "Une neuve. Ce que vous recevrez alors est une nouvelle communication."),
        Again.LATER: ("Pas en soi : seulement une fois la cause levée. Jamais en boucle.", "La même ou une neuve : un refus n’en consomme pas."),
        Again.MEND: ("Non : même requête, même réponse. Corrigez-la d’abord.", "La même ou une neuve : un refus n’en consomme pas."),
        Again.ONCE: ("Une fois, après quelques secondes.", "La même, avec le même corps : elle ne peut pas compter deux fois."),
    },
}  # fmt: skip
"""Whether asking again helps, and with which key."""

_APOSTROPHE: Final = re.compile(r"(?<=\w)'(?=\w)")
_QUOTED: Final = re.compile(r"'([^']+)'|« ([^»]+) »")
_BEFORE_SIGN: Final = re.compile(r" (?=[:?!;])")
_MARK: Final = (
    '<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false"><rect width="32" height="32" rx="7" fill="#0d3b46"/>'
    '<path d="M7 6v20M25 6v20M7 9l9 7-9 7M25 9l-9 7 9 7" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)


@cache
def entries() -> dict[str, Entry]:
    """Return the words of each code."""
    text = (files("ecluse.web") / "problem_words.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Entry])


@cache
def _style() -> tuple[str, str]:
    """Return the style sheet and its address, which changes with it."""
    css = (files("ecluse.web") / "problem_pages.css").read_text(encoding="utf-8")
    return css, f"{STYLE}?v={sha256(css.encode()).hexdigest()[:16]}"


def choose_language(asked: str | None, accepted: str) -> Language:
    """Return the language to speak: the one asked for, else the best of an ``Accept-Language`` field (RFC 9110 §12.5.4), else English."""
    for language in LANGUAGES:
        if asked == language:
            return language
    best: tuple[float, Language] = (0.0, "en")
    for part in accepted.split(",")[:MOST_LANGUAGES]:
        name, _, weight = part.strip().lower().partition(";q=")
        try:
            value = min(float(weight), 1.0) if weight else 1.0
        except ValueError:
            continue
        for language in LANGUAGES:
            if name.split("-")[0] == language and value > best[0]:
                best = (value, language)
    return best[1]


def title_of(code: str, language: Language) -> str:
    """Return a problem's name in one language."""
    return entries()[code].words(language).title or PROBLEMS[code].title


def example(code: str) -> str:
    """Write an answer as it goes over the wire; the receipt of a sealed refusal is left out."""
    told = {name: value for name, value in examples()["problems"].get(code, {}).items() if name != "receipt"}
    status, body = document(code, None, told)
    fields = [f"{name.decode().title()}: {value.decode()}" for name, value in headers_of(code)]
    shown = msgspec.json.format(body, indent=2).decode()
    return "\n".join([f"HTTP/1.1 {status}", *fields, "", shown])


@cache
def page(code: str, language: Language) -> str:
    """Write one problem's page."""
    row, words, ui = PROBLEMS[code], entries()[code].words(language), _UI[language]
    helps, key = AGAIN[language][entries()[code].again]
    steps = "".join(f"<li>{_said(step)}</li>" for step in words.now)
    main = (
        f'<p class="eyebrow"><code>{escape(code)}</code> <span>HTTP {row.status}</span></p><h1>{escape(title_of(code, language))}</h1>'
        f'<p class="lead">{_said(words.means)}</p>'
        f'<section aria-labelledby="whose"><h2 id="whose">{ui["whose"]}</h2>{_movers(row.move, ui)}</section>'
        f'<section aria-labelledby="now"><h2 id="now">{ui["now"]}</h2><ol>{steps}</ol></section>'
        f'<section aria-labelledby="again"><h2 id="again">{ui["again"]}</h2><p class="verdict">{escape(helps)}</p>'
        f"<dl><div><dt>{ui['key']}</dt><dd>{escape(key)}</dd></div><div><dt>{ui['proof']}</dt><dd>{ui['fresh']}</dd></div></dl></section>"
        f'<section aria-labelledby="example"><h2 id="example">{ui["example"]}</h2>'
        f'<pre tabindex="0" lang="en" aria-labelledby="example"><code>{escape(example(code))}</code></pre></section>'
    )
    return _document(language, code, title_of(code, language), main)


@cache
def index(language: Language) -> str:
    """Write the list of all problems, by whose move it is."""
    ui = _UI[language]
    parts = []
    for move in Move:
        rows = "".join(_line(row, language) for row in PROBLEMS.values() if row.move is move)
        parts.append(
            f'<section class="{move.value}" aria-labelledby="{move.value}"><h2 id="{move.value}">{ui[move.value]} <small>{ui[move.value + "-is"]}</small></h2>'
            f"<ul>{rows}</ul></section>"
        )
    return _document(
        language, "", ui["all"], f'<h1>{ui["all"]}</h1><p class="lead">{ui["lead"]}</p><div class="list">{"".join(parts)}</div>'
    )


def _line(row: Problem, language: Language) -> str:
    return (
        f'<li><a href="/problems/{row.code}?lang={language}"><strong>{escape(title_of(row.code, language))}</strong> '
        f"<code>{row.code}</code> <span>{row.status}</span></a></li>"
    )


def _movers(move: Move, ui: dict[str, str]) -> str:
    """Show the three who may have the move, the one who has it lit."""
    cells = []
    for each in Move:
        lit = ' class="lit" aria-current="true"' if each is move else ""
        cells.append(
            f'<li{lit} data-move="{each.value}"><strong>{ui[each.value]}</strong> <span>{ui[each.value + "-is"]}</span></li>'
        )
    return f'<ul class="movers">{"".join(cells)}</ul>'


def _said(text: str) -> str:
    """Write a sentence; what stands between straight quotes (in French: between guillemets) is code."""
    curved = _APOSTROPHE.sub("’", escape(text, quote=False))
    return _BEFORE_SIGN.sub("\u00a0", _QUOTED.sub(lambda found: f"<code>{found[1] or found[2]}</code>", curved))


def _document(language: Language, code: str, title: str, main: str) -> str:
    """Write the frame of a page."""
    ui, other = _UI[language], "en" if language == "fr" else "fr"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)} · Écluse</title><link rel="stylesheet" href="{_style()[1]}"></head><body>'
        f'<a class="skip" href="#main">{ui["skip"]}</a>'
        f'<header><a class="home" href="/problems/?lang={language}">{_MARK}<span>Écluse</span></a><nav>'
        f'<a href="/problems/?lang={language}">{ui["all"]}</a> <a href="/problems/{code}?lang={other}" lang="{other}" hreflang="{other}">{ui["other"]}</a>'
        f'</nav></header><main id="main">{main}</main><footer><p>{ui["foot"]}</p></footer></body></html>'
    )


def _answer(html: str, language: Language) -> Response[str]:
    headers = {
        "content-security-policy": _POLICY,
        "content-language": language,
        "vary": "Accept-Language",
        "cache-control": "public, max-age=3600",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    return Response(content=html, media_type=MediaType.HTML, headers=headers)


_CODE: Final = PathParameter(description="The last part of a problem's `type`.", schema_extra={"enum": list(PROBLEMS)})
_LANG: Final = QueryParameter(
    description="`en` or `fr`; without it, what `Accept-Language` prefers.", schema_extra={"enum": list(LANGUAGES)}
)


@get(
    "/problems",
    operation_id="problems",
    tags=["operation"],
    media_type=MediaType.HTML,
    summary="Read the catalogue of problems",
    operation_class=published(answer="A page for people.", sends=["CacheControl"]),
)
async def problems(request: HttpRequest, lang: Annotated[str | None, _LANG] = None) -> Response[str]:
    """List every problem, by whose move it is."""
    language = choose_language(lang, request.headers.get("accept-language", ""))
    return _answer(index(language), language)


@get(
    "/problems/{code:str}",
    operation_id="problem",
    tags=["operation"],
    media_type=MediaType.HTML,
    summary="Read about a problem",
    operation_class=published(answer="A page for people.", problems=["not-found"], sends=["CacheControl"]),
)
async def problem(request: HttpRequest, code: Annotated[str, _CODE], lang: Annotated[str | None, _LANG] = None) -> Response[str]:
    """Explain a problem in words: whose move it is, what to do now, whether asking again helps."""
    if code not in PROBLEMS:
        raise HttpProblem("not-found")
    language = choose_language(lang, request.headers.get("accept-language", ""))
    return _answer(page(code, language), language)


@get(
    STYLE,
    operation_id="problem_style",
    tags=["operation"],
    media_type=MediaType.CSS,
    summary="Get the style sheet of these pages",
    operation_class=published(answer="A style sheet.", sends=["CacheControl", "ContentTypeOptions"]),
)
async def problem_style() -> Response[str]:
    """Give the pages their one style sheet; they ask for it by what it holds, so it may be kept."""
    headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
    return Response(content=_style()[0], media_type=MediaType.CSS, headers=headers)


HANDLERS: Final = [problems, problem, problem_style]
