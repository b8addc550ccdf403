"""A decision in words, from the fields of its entry: who asked, what was given in which form, why, until when. Pure; the person is in none of it.

Every rule and every reason of a decision begins with a word that ``ecluse.policy.decide`` and ``ecluse.disclosure`` number and name; each has its sentence
here, with whose move it is. One that has none is said as it stands, so that nothing is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from ecluse.contracts.words import words_of
from ecluse.ledger.fields import SALT_BYTES, Event, canonical, field_digest
from ecluse.web.console.words import FORMS
from ecluse.web.pages.language import N_, Tongue

HIDDEN: Final = frozenset({"subject"})
"""Fields whose value no page of decisions shows: of them the digest alone."""

OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    Event.PERSON_GRANTED.value: ("ok", N_("disclosed")),
    Event.SHEET_GRANTED.value: ("ok", N_("disclosed on a roll-call")),
    Event.PERSON_REFUSED.value: ("bad", N_("refused")),
    Event.SHEET_REFUSED.value: ("bad", N_("roll-call refused")),
    Event.PERSON_UNDETERMINED.value: ("warn", N_("could not be decided")),
    Event.REFUSALS_COUNTED.value: ("neutral", N_("refusals, counted only")),
    Event.EMERGENCY_GRANTED.value: ("warn", N_("seen in an emergency")),
    Event.USAGE_SHOWN.value: ("neutral", N_("record shown to the person")),
    Event.CONSULTED.value: ("warn", N_("consulted by an officer")),
}  # fmt: skip
"""The chip and the word of each kind of entry about a person."""

ASSURANCES: Final[Mapping[str, str]] = {
    "asserted": N_("named by a machine of the processor"),
    "authenticated": N_("signed in at the desk"),
}
"""How surely an agent was known."""

RULES: Final[Mapping[str, str]] = {
    "parties": N_("Nobody who asked was suspended, and the machine’s key was in use."),
    "agent": N_("The agent is one of this processor’s."),
    "gate": N_("The contract was in force, and nothing stood against its processor."),
    "witnesses": N_("The entries had not waited too long for their witnesses."),
    "handle": N_("The appointment is one of this processor’s."),
    "purpose": N_("The contract names the purpose of the appointment."),
    "attributes": N_("Every attribute that was asked for is named for this purpose."),
    "assurance": N_("The agent was as surely known as the contract demands."),
    "place": N_("The appointment was not cancelled."),
    "window": N_("The instant lay in the window around the session."),
    "person": N_("No hold lay on the person."),
    "roster:none": N_("The session has no list of agents."),
    "roster:listed": N_("The agent is on the session’s list."),
    "roster:unlisted": N_("The agent is not on the session’s list: it was told, and refused nothing."),
}
"""What each rule of a grant found."""

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "parties:key": (N_("The key of the machine was revoked."), N_("Nothing, if that was meant; else the processor registers another key.")),
    "parties": (N_("A suspension of the processor, its contract, a machine or an agent was in force."), N_("Whoever may releases it under Suspensions.")),
    "agent": (N_("The agent that was named is none of this processor’s."), N_("The processor names one of its own, or has a new one registered.")),
    "gate": (N_("The gate was shut."), N_("See the processor’s page: it says what stands against it, and whose move it is.")),
    "witnesses": (N_("The entries had waited too long for their witnesses."), N_("See the state of the ledger.")),
    "handle": (N_("No appointment of this processor has that number."), N_("Nothing: the caller learns no more than that.")),
    "purpose": (N_("The contract does not name the purpose of the appointment."), N_("Plan it under a purpose of the contract, or amend the contract.")),
    "attributes:sheet-changed": (N_("The roll-call of the contract had just changed."), N_("Nothing: the caller asks again.")),
    "attributes": (N_("The contract does not name what was asked for: %(rest)s"), N_("The processor asks for less, or the contract is amended.")),
    "assurance": (N_("The contract asks for an agent who signed in, and this one was only named."), N_("The agent signs in at the desk.")),
    "place:cancelled": (N_("The appointment was cancelled."), N_("Nothing, if that was meant; else reinstate the place.")),
    "place": (N_("The place was not what it had been."), N_("Nothing: the caller asks again.")),
    "window:early": (N_("The window was not open yet."), N_("Nothing: it opens by itself.")),
    "window:late": (N_("The window was closed."), N_("Nothing; plan another session if one is needed.")),
    "person": (N_("A hold lies on this person."), N_("Whoever may releases it, after a look-up of the person.")),
    "budget": (N_("A ceiling was reached: %(rest)s"), N_("It refills by itself; if it is too low for the work, amend the contract.")),
    "register:absent": (
        N_("The register had nobody under the reference of the appointment."),
        N_("Compare the schedule’s source with the register: the person was removed, or the reference is wrong. Correct the place by a file."),
    ),
    "register:unreadable": (
        N_("A value of the register could not be read: %(rest)s"),
        N_("Correct it in the register, or the map of the register; `ecluse doctor` names the column."),
    ),
    "register": (N_("The register did not answer as it must."), N_("`ecluse doctor` looks at the register.")),
    "idempotency": (N_("The key of the retry had been used with another body."), N_("The processor’s software draws a new key for each request.")),
    "redelivery:value-changed": (N_("A value had changed since the first delivery."), N_("Nothing: the caller asks anew.")),
    "redelivery": (N_("It had not been delivered before in this form."), N_("Nothing: the caller asks anew.")),
    "sheet": (N_("The contract grants no roll-call for this purpose."), N_("Amend the contract if one is needed.")),
}  # fmt: skip
"""What each reason of a refusal means, and what would mend it; found by the longest beginning."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A rule or a reason: its code, what it found, and the mend where there is one."""

    code: str
    what: str
    mend: str


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of a decision. ``form``: its word; ``said``: in words; empty: it was asked for and not given."""

    attribute: str
    form: str
    said: str


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the entry as it was hashed. ``value``: canonical JSON, None where it is not shown; ``salt``: hex, empty where it is not; ``digest``: hex."""

    name: str
    value: str | None
    salt: str
    digest: str


def rules_of(codes: object, tongue: Tongue) -> tuple[Said, ...]:
    """Say the rules of a grant, in the order in which they are asked."""
    named = [code for code in codes if isinstance(code, str)] if isinstance(codes, list) else []
    order = list(RULES)
    named.sort(key=lambda code: order.index(code) if code in RULES else len(order))
    return tuple(Said(code=code, what=tongue.find(RULES[code]) if code in RULES else code, mend="") for code in named)


def reasons_of(codes: object, tongue: Tongue) -> tuple[Said, ...]:
    """Say the reasons of a refusal, in the order in which they were found."""
    return tuple(say_reason(code, tongue) for code in codes if isinstance(code, str)) if isinstance(codes, list) else ()


def say_reason(code: str, tongue: Tongue) -> Said:
    """Say one reason, and what would mend it."""
    parts = code.split(":")
    if parts[0] == "gate" and len(parts) > 1:
        words = words_of(code.removeprefix("gate:"), tongue.language)
        if words.mend:
            return Said(code=code, what=_sentence(words.what), mend=_sentence(words.mend))
    for size in (2, 1):
        found = REASONS.get(":".join(parts[:size]))
        if found is not None:
            what, mend = found
            rest = ":".join(parts[size:]).replace(",", ", ")
            return Said(
                code=code, what=tongue.say(what, rest=rest) if "%(rest)s" in what else tongue.find(what), mend=tongue.find(mend)
            )
    return Said(code=code, what=code, mend="")


def _sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def given_of(fields: Mapping[str, object], tongue: Tongue) -> tuple[Given, ...]:
    """List what was given in which form; of a refusal, what was asked for."""
    forms, asked = fields.get("forms"), fields.get("attributes")
    if isinstance(forms, dict):
        return tuple(
            Given(attribute=str(name), form=str(form), said=tongue.find(FORMS.get(str(form), str(form))))
            for name, form in sorted(forms.items())
        )
    return tuple(Given(attribute=str(name), form="", said="") for name in asked) if isinstance(asked, list) else ()


def assurance_of(fields: Mapping[str, object], tongue: Tongue) -> str:
    """Say how surely the agent was known."""
    word = fields.get("assurance")
    return tongue.find(ASSURANCES.get(word, word)) if isinstance(word, str) else ""


def interval_of(fields: Mapping[str, object]) -> tuple[datetime, datetime] | None:
    """Return from when until when a grant held, half-open."""
    found = fields.get("interval")
    if not isinstance(found, list) or len(found) != 2:
        return None
    try:
        return datetime.fromisoformat(str(found[0])), datetime.fromisoformat(str(found[1]))
    except ValueError:
        return None


def hashed_fields(pairs: Sequence[tuple[str, object]], salts: bytes) -> tuple[Field, ...]:
    """Return an entry's fields as they were hashed. Of what is not shown the digest alone: with the salt a value could be guessed."""
    found = []
    for rank, (name, value) in enumerate(pairs):
        salt = salts[rank * SALT_BYTES : (rank + 1) * SALT_BYTES]
        shown = name not in HIDDEN
        found.append(
            Field(
                name=name, value=canonical(value).decode() if shown else None, salt=salt.hex() if shown else "", digest=field_digest(name, salt, value).hex()
            )
        )  # fmt: skip
    return tuple(found)


def text(fields: Mapping[str, object], name: str) -> str:
    """Return a field that is a text; empty where it is none."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""
