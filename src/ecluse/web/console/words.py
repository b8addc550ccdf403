"""What the console's codes are called: gates, kinds of evidence, severities, scopes, sources, states. Source texts, translated where they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from ecluse.contracts.words import KINDS, words_of
from ecluse.web.pages.language import N_, Tongue
from ecluse.web.problem_pages import entries, title_of

GATES: Final[Mapping[str, str]] = {
    "open": N_("open"),
    "warn": N_("open, with a warning"),
    "frozen": N_("frozen"),
    "closed": N_("closed"),
}
MOVES: Final[Mapping[str, str]] = {
    "controller": N_("ours"),
    "processor": N_("the processor’s"),
    "nobody": N_("nobody’s: wait"),
}
SEVERITIES: Final[Mapping[str, str]] = {
    "critical": N_("critical"),
    "high": N_("high"),
    "medium": N_("medium"),
    "low": N_("low"),
}
SOURCES: Final[Mapping[str, str]] = {
    "audit": N_("an audit"),
    "pentest": N_("a penetration test"),
    "questionnaire": N_("a questionnaire"),
    "incident": N_("an incident"),
    "other": N_("something else"),
}
SCOPES: Final[Mapping[str, str]] = {
    "processor": N_("processor"),
    "client": N_("machine"),
    "agent": N_("agent"),
    "contract": N_("contract"),
    "person": N_("person"),
}
EFFECTS: Final[Mapping[str, str]] = {
    "suspend": N_("suspended"),
    "freeze": N_("frozen by hand"),
    "keep": N_("records kept"),
}
DOCUMENTS: Final[Mapping[str, str]] = {
    "submitted": N_("waits for a decision"),
    "accepted": N_("accepted"),
    "rejected": N_("rejected"),
    "withdrawn": N_("withdrawn"),
}
OVERRIDES: Final[Mapping[str, str]] = {
    "asked": N_("waits for a second person"),
    "in force": N_("in force"),
    "lapsed": N_("lapsed: nobody approved it in time"),
    "over": N_("over"),
    "revoked": N_("revoked"),
}
RESPONSES: Final[Mapping[str, str]] = {
    "sent": N_("sent, nothing answered yet"),
    "begun": N_("being answered"),
    "handed in": N_("handed in: read it"),
    "accepted": N_("accepted as evidence"),
    "revoked": N_("link revoked"),
    "expired": N_("link expired"),
}
FORMS: Final[Mapping[str, str]] = {
    "full": N_("in full"),
    "initial": N_("the initial"),
    "year": N_("the year"),
    "age_band": N_("an age band"),
    "masked": N_("partly masked"),
    "region": N_("the region"),
    "predicate": N_("yes or no"),
    "relay": N_("a substitute address"),
    "withheld": N_("not given"),
}
ASSURANCES: Final[Mapping[str, str]] = {
    "asserted": N_("named by the processor’s machine"),
    "authenticated": N_("signed in at the desk"),
}
CHIPS: Final[Mapping[str, str]] = {
    "open": "open", "warn": "warn", "frozen": "frozen", "closed": "closed",
    "critical": "bad", "high": "bad", "medium": "warn", "low": "neutral",
    "submitted": "wait", "accepted": "ok", "rejected": "neutral", "withdrawn": "neutral",
    "asked": "wait", "in force": "warn", "lapsed": "neutral", "over": "neutral", "revoked": "neutral",
    "sent": "neutral", "begun": "neutral", "handed in": "wait", "expired": "neutral",
    "suspend": "bad", "freeze": "frozen", "keep": "neutral",
}  # fmt: skip
"""The look of each state: the word stands in it, so nothing is said by colour alone."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of a gate: its code, what is wrong, the mend, whose move (``controller``, ``processor``, ``nobody``), and where it is mended."""

    code: str
    what: str
    mend: str
    move: str
    href: str


def reasons_of(codes: Iterable[str], processor: str, tongue: Tongue) -> tuple[Reason, ...]:
    """Say the reasons of a processor's gate in words."""
    found = []
    for code in codes:
        words = words_of(code, tongue.language)
        found.append(
            Reason(code=code, what=_spaced(words.what, tongue), mend=_spaced(words.mend, tongue), move=words.move.value, href=where(code, processor))
        )  # fmt: skip
    return tuple(found)


def where(code: str, processor: str) -> str:
    """Return the page on which a reason is looked after."""
    parts = code.split(":")
    place = {
        "evidence": f"/console/processors/{processor}/evidence",
        "finding": f"/console/findings/{parts[-1]}",
        "override": f"/console/overrides/{parts[-1]}",
        "sub-processor": f"/console/evidence/{parts[-1]}",
        "witnesses": "/console/ledger",
    }
    return place.get(parts[0], f"/console/processors/{processor}#contract")


def kind_name(kind: str, tongue: Tongue) -> str:
    """Name a kind of evidence."""
    return KINDS.get(kind, (kind, kind))[tongue.language == "fr"]


def refusal_name(code: str, tongue: Tongue) -> str:
    """Name a public reason of refusals."""
    return _spaced(title_of(code, tongue.language), tongue) if code in entries() else code


def _spaced(text: str, tongue: Tongue) -> str:
    """Let no French sign stand alone at the beginning of a line."""
    if tongue.language != "fr":
        return text
    return text.replace(" :", "\u00a0:").replace(" ;", "\u202f;").replace(" ?", "\u202f?").replace(" !", "\u202f!")
