"""What the console's codes are called where code has to name them; states are named in ``templates/console/_bits.html``, which draws them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from ecluse.contracts.words import KINDS, words_of
from ecluse.web.pages.language import N_, Tongue
from ecluse.web.problem_pages import entries, title_of

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


_NUMBER: Final = re.compile(r" \((?:fnd|ovr|evd)_[a-z2-7]{26}\)")
"""The number of what a reason is about: the reason is a link to it."""


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
            Reason(
                code=code, what=_NUMBER.sub("", _spaced(words.what, tongue)), mend=_spaced(words.mend, tongue), move=words.move.value,
                href=where(code, processor),
            )
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
