"""A notice in plain words, French or English: what, since or from when, why, what to do, whose move, where. Pure.

Nothing of a person is in it, and no words that people typed, the processor's own name apart: kinds, dates, codes and ids only. Lines are short, so that every
reader of mail shows them as they are; no line break of a name gets into a header, for names are made one plain line first.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from babel.dates import format_date

from ecluse.contracts.words import KINDS, Language, Move, words_of
from ecluse.notices.model import Audience, Due, Topic

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

WIDTH: Final = 72
_MOST_NAME: Final = 60
_FRENCH: Final = frozenset({"FR", "BE", "LU", "MC"})
"""Countries whose processors are written to in French; others in English."""


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Of whom and to whom a notice speaks. ``name``: of the processor, empty: of none; ``controller``: who runs the register."""

    name: str
    controller: str
    reference: str  # of the contract, empty: of none
    language: Language
    zone: ZoneInfo


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as it is sent. ``text``: short lines, each ended with a line feed."""

    subject: str
    text: str


_SUBJECTS: Final[Mapping[Topic, tuple[str, str]]] = {
    Topic.GATE_SOON: ("{name}: access stops on {day}", "{name} : l'accès s'arrête le {day}"),
    Topic.GATE_FROZEN: ("{name}: access is stopped", "{name} : l'accès est suspendu"),
    Topic.GATE_CLOSED: ("{name}: access is closed", "{name} : l'accès est clos"),
    Topic.GATE_OPENED: ("{name}: access is open again", "{name} : l'accès est rouvert"),
    Topic.FINDING_OPENED: ("{name}: a finding to mend by {due}", "{name} : un constat à corriger avant le {due}"),
    Topic.OVERRIDE_ASKED: (
        "{name}: an override waits for a second person",
        "{name} : une dérogation attend une seconde personne",
    ),
    Topic.OVERRIDE_APPROVED: ("{name}: an override is in force", "{name} : une dérogation est en vigueur"),
    Topic.OVERRIDE_ENDED: ("{name}: an override has ended", "{name} : une dérogation a pris fin"),
    Topic.EVIDENCE_SUBMITTED: ("{name}: a document waits to be judged", "{name} : un document attend votre examen"),
    Topic.EVIDENCE_ACCEPTED: ("{name}: a document was accepted", "{name} : un document a été accepté"),
    Topic.EVIDENCE_REJECTED: ("{name}: a document was rejected", "{name} : un document a été refusé"),
    Topic.EMERGENCY_OPENED: ("An emergency waits for its review", "Une urgence attend son contrôle"),
    Topic.EMERGENCY_LATE: ("An emergency should have been reviewed by now", "Une urgence aurait dû être contrôlée"),
}
_LEADS: Final[Mapping[Topic, tuple[str, str]]] = {
    Topic.GATE_SOON: (
        "On {at} the gate for {name} shuts by itself ({left}). From then on no personal data is disclosed to it, until the reason below is mended.",
        "Le {at}, l'accès de {name} s'arrêtera de lui-même ({left}). Aucune donnée personnelle ne lui sera plus communiquée tant que ce motif n'est pas réglé.",
    ),
    Topic.GATE_FROZEN: (
        "Since {at} the gate for {name} is frozen: no personal data is disclosed to it, until the reason below is mended.",
        "Depuis le {at}, l'accès de {name} est suspendu : aucune donnée personnelle ne lui est communiquée tant que le motif ci-dessous n'est pas réglé.",
    ),
    Topic.GATE_CLOSED: (
        "Since {at} the gate for {name} is closed: no personal data is disclosed to it any more.",
        "Depuis le {at}, l'accès de {name} est clos : plus aucune donnée personnelle ne lui est communiquée.",
    ),
    Topic.GATE_OPENED: (
        "Since {at} the gate for {name} is open again: nothing of what was told before stands against it now.",
        "Depuis le {at}, l'accès de {name} est rouvert : rien de ce qui avait été signalé ne s'y oppose plus.",
    ),
    Topic.FINDING_OPENED: (
        "On {at} a finding about {name} was opened ({severity}, from: {source}). It is to be mended by {due}. {then}",
        "Le {at}, un constat sur {name} a été ouvert (gravité : {severity}, origine : {source}). Il est à corriger avant le {due} inclus. {then}",
    ),
    Topic.OVERRIDE_ASKED: (
        "On {at} somebody asked to lift what is listed below, for {name} and for {hours} h. It has no effect until another person approves it, within a day.",
        "Le {at}, une personne a demandé de lever ce qui suit, pour {name} et {hours} h. Cela reste sans effet sans l'accord d'une autre sous un jour.",
    ),
    Topic.OVERRIDE_APPROVED: (
        "Since {at} two persons have lifted what is listed below, for {name} and for {hours} h. It ends by itself.",
        "Depuis le {at}, deux personnes ont levé ce qui suit, pour {name} et pendant {hours} h. Cela prend fin de soi-même.",
    ),
    Topic.OVERRIDE_ENDED: (
        "On {at} an override for {name} ended. What it had lifted, and is listed below, stands again if it was not mended.",
        "Le {at}, une dérogation pour {name} a pris fin. Ce qu'elle levait, listé ci-dessous, vaut de nouveau s'il n'a pas été réglé.",
    ),
    Topic.EVIDENCE_SUBMITTED: (
        "On {at} a document was handed in for {name}: {kind}. It counts for nothing until a person accepts it.",
        "Le {at}, un document a été remis pour {name} : {kind}. Il ne compte pas tant qu'une personne ne l'a pas accepté.",
    ),
    Topic.EVIDENCE_ACCEPTED: (
        "On {at} a document for {name} was accepted: {kind}. It counts from then on, for as long as the contract and its own dates allow.",
        "Le {at}, un document pour {name} a été accepté : {kind}. Il compte depuis lors, aussi longtemps que le contrat et ses propres dates le permettent.",
    ),
    Topic.EVIDENCE_REJECTED: (
        "On {at} a document for {name} was rejected: {kind}. It counts for nothing. Ask the agency why, and hand in another one.",
        "Le {at}, un document pour {name} a été refusé : {kind}. Il ne compte pas. Demandez le motif à l'administration et remettez-en un autre.",
    ),
    Topic.EMERGENCY_OPENED: (
        "On {at} a duty officer saw one attribute of one person in an emergency ({attribute}). Another person says within three days whether it was right.",
        "Le {at}, l'agent de permanence a vu une donnée d'une personne en urgence ({attribute}). Une autre personne dit sous trois jours si c'était justifié.",
    ),
    Topic.EMERGENCY_LATE: (
        "Three days were over on {at}, and nobody has said whether it was right that a duty officer saw one attribute of one person ({attribute}).",
        "Trois jours étaient passés le {at}, et nul n'a dit s'il était justifié que l'agent de permanence voie une donnée d'une personne ({attribute}).",
    ),
}
_COMMANDS: Final[Mapping[Topic, str]] = {
    Topic.FINDING_OPENED: "ecluse finding list {id}",
    Topic.OVERRIDE_ASKED: "ecluse override list {id}",
    Topic.OVERRIDE_APPROVED: "ecluse override list {id}",
    Topic.OVERRIDE_ENDED: "ecluse contract gate {id}",
    Topic.EVIDENCE_SUBMITTED: "ecluse evidence show {reason}",
    Topic.EMERGENCY_OPENED: "ecluse emergency list",
    Topic.EMERGENCY_LATE: "ecluse emergency list",
}
"""Where the controller looks; the gate itself, where nothing else is named."""

_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "what": ("Why", "Motif"),
    "mend": ("To do", "À faire"),
    "move": ("Whose move", "Qui agit"),
    "where": ("Where", "Où"),
    "ask": ("Questions", "Questions"),
    "code": ("Reference", "Référence"),
}
_FACT: Final = re.compile(rf"({'|'.join(label for pair in _LABELS.values() for label in pair)}) ?: +")
_MOVES: Final[Mapping[Move, tuple[str, str]]] = {
    Move.PROCESSOR: ("the processor's", "l'organisme"),
    Move.CONTROLLER: ("the agency's", "l'administration"),
    Move.NOBODY: ("nobody's", "personne"),
}
_SEVERITIES: Final[Mapping[str, tuple[str, str]]] = {
    "critical": ("critical", "critique"), "high": ("high", "élevée"), "medium": ("medium", "moyenne"), "low": ("low", "faible"),
}  # fmt: skip
_SOURCES: Final[Mapping[str, tuple[str, str]]] = {
    "audit": ("an audit", "audit"), "pentest": ("a penetration test", "test d'intrusion"), "questionnaire": ("a questionnaire", "questionnaire"),
    "incident": ("an incident", "incident"), "other": ("elsewhere", "autre"),
}  # fmt: skip
_THEN: Final = (
    "After that day access stops until the agency has closed it.",
    "Passé ce jour, l'accès est suspendu jusqu'à ce que l'administration l'ait clos.",
)
_LEFT: Final = (("within a day", "within {0} days"), ("dans un jour au plus", "dans {0} jours au plus"))
_ANSWER: Final = ("answer this message", "répondez à ce message")
_FOOT: Final = (
    "{controller}. This message says nothing about any person in its register. Nobody has to act on it for the gate to follow its dates: it does so by itself.",
    "{controller}. Ce message ne dit rien d'aucune personne de son registre. L'accès suit ses dates de lui-même, que ce message soit lu ou non.",
)
_BY_CONTRACT: Final = ("Contract {0} names this address.", "Cette adresse figure au contrat {0}.")


def language_of(country: str) -> Language:
    """Return the language that a processor of a country is written to in."""
    return "fr" if country in _FRENCH else "en"


def one_line(text: str, most: int = _MOST_NAME) -> str:
    """Make a name one plain line of at most ``most`` characters: no control character, no line break, no odd space."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def say(due: Due, party: Party) -> Said:
    """Write one notice."""
    french = int(party.language == "fr")
    facts = _facts(due, party)
    lines = [_LEADS[due.topic][french].format_map(facts), "", *_reasons(due, party.language)]
    lines += _pairs(_where(due), french)
    foot = _FOOT[french].format(controller=one_line(party.controller))
    if due.audience is Audience.PROCESSOR and party.reference:
        foot += " " + _BY_CONTRACT[french].format(one_line(party.reference))
    text = "\n".join(line for each in [*lines, "", "-- ", foot] for line in _wrapped(each))
    return Said(subject=one_line("[Écluse] " + _SUBJECTS[due.topic][french].format_map(facts), 150), text=text + "\n")


def _facts(due: Due, party: Party) -> dict[str, str]:
    """Return what the sentences name."""
    french = int(party.language == "fr")
    severity, source, kind = (str(due.facts.get(name, "")) for name in ("severity", "source", "kind"))
    due_on = due.facts.get("due_on")
    left = _LEFT[french][due.days > 1].format(due.days)
    return {
        "name": one_line(party.name) or due.processor or "",
        "at": _instant(due.at, party),
        "day": format_date(due.at.astimezone(party.zone), "d MMM y", locale=party.language),
        "left": left,
        "due": format_date(date.fromisoformat(str(due_on)), "d MMM y", locale=party.language) if due_on else "",
        "severity": _SEVERITIES.get(severity, (severity, severity))[french],
        "source": _SOURCES.get(source, (source, source))[french],
        "then": _THEN[french] if severity in {"critical", "high"} else "",
        "kind": KINDS.get(kind, (kind, kind))[french],
        "hours": str(due.facts.get("hours", "")),
        "attribute": one_line(str(due.facts.get("attribute", ""))),
    }


def _reasons(due: Due, language: Language) -> list[str]:
    """Write the gate's reasons that a notice is about, each in words: why, what to do, whose move."""
    lifted = due.facts.get("reasons", [due.reason] if due.topic.startswith("gate:") and due.reason else [])
    codes = [str(code) for code in lifted] if isinstance(lifted, list) else []
    french, lines = int(language == "fr"), []
    for code in codes:
        words = words_of(code, language)
        lines += _pairs(
            [("what", words.what), ("mend", words.mend), ("move", _MOVES[words.move][french]), ("code", code)], french
        )
        lines.append("")
    return lines


def _where(due: Due) -> list[tuple[str, str]]:
    """Return where to act: a command for the controller, the address of this message for a processor; and what the matter is called."""
    command = _COMMANDS.get(due.topic, "ecluse contract gate {id}").format(id=due.processor, reason=due.reason)
    where = [("where", command) if due.audience is Audience.CONTROLLER else ("ask", "")]
    return [*where, *([] if due.topic.startswith("gate:") or not due.reason else [("code", due.reason)])]


def _pairs(rows: list[tuple[str, str]], french: int) -> list[str]:
    """Write facts, one a line, under each other. A place that is nowhere is this message's own address."""
    colon = " :" if french else ":"
    width = max(len(label[french]) for label in _LABELS.values()) + len(colon)
    return [f"{_LABELS[name][french] + colon:<{width}} {text or _ANSWER[french]}" for name, text in rows]


def _wrapped(line: str) -> list[str]:
    """Break a line where it is too long; of a fact, what follows stands under what it says."""
    if len(line) <= WIDTH:
        return [line]
    fact = _FACT.match(line)
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=" " * len(fact[0]) if fact else "", break_long_words=False, break_on_hyphens=False
    )


def _instant(at: datetime, party: Party) -> str:
    """Write an instant in the controller's time, with the short name of its zone."""
    local = at.astimezone(party.zone)
    day = format_date(local, "d MMMM y", locale=party.language)
    return f"{day}{' à ' if party.language == 'fr' else ', '}{local:%H:%M} ({local.tzname()})"
