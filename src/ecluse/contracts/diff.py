"""What a new version of a contract changes for access, before it does.

Each change has one effect on what the processor can reach: ``wider``, ``narrower``, or ``other`` where it is not a matter of
more or less. A form that is neither weaker nor stronger than the old one (``masked`` to ``relay``) is ``wider``: it tells
something new. A clause counts when it opens or freezes the gate. Sentences hold no contact address; ``before`` and ``after`` do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

from ecluse.contracts.model import (
    FORMS_OF,
    REQUIRED_CLAUSES,
    Age,
    Assurance,
    Containment,
    Contract,
    Form,
    Purpose,
    SubProcessor,
    is_weaker_or_equal,
)

Effect: TypeAlias = Literal["wider", "narrower", "other"]

_Amount = TypeVar("_Amount", int, timedelta, Fraction)
_DAYS_A_MONTH: Final = Fraction(146_097, 4_800)  # the mean of the Gregorian calendar


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between two versions; ``before`` or ``after`` is null where the thing was not or is no longer there."""

    where: str
    before: str | None
    after: str | None
    effect: Effect
    sentence: str


def diff_contracts(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Return what ``new`` changes against ``old``, in the order of the file; nothing if they say the same."""
    return (
        *_processor(old, new),
        *_head(old, new),
        *_sub_processors(old, new),
        *_sites(old, new),
        *_limits(old, new),
        *_purposes(old, new),
        *_evidence(old, new),
        *_containment(old.containment, new.containment),
    )


def _processor(old: Contract, new: Contract) -> Iterator[Change]:
    """Compare ``[processor]``."""
    if old.processor.id != new.processor.id:
        yield Change(
            where="processor.id",
            before=old.processor.id,
            after=new.processor.id,
            effect="wider",
            sentence=f"Another processor: {new.processor.id} instead of {old.processor.id}.",
        )
    for key in ("name", "country", "siren", "security_contact", "address", "contact", "representative", "dpo"):
        yield from _other(f"processor.{key}", getattr(old.processor, key), getattr(new.processor, key))


def _head(old: Contract, new: Contract) -> Iterator[Change]:
    """Compare ``[contract]``."""
    yield from _other("contract.reference", old.reference, new.reference)
    starts = _more(-old.starts_on.toordinal(), -new.starts_on.toordinal())
    yield from _moved("contract.starts_on", old.starts_on, new.starts_on, starts)
    yield from _moved("contract.ends_on", old.ends_on, new.ends_on, _more(old.ends_on.toordinal(), new.ends_on.toordinal()))
    yield from _other("contract.breach_notice_hours", old.breach_notice_hours, new.breach_notice_hours)
    yield from _other("contract.subject_matter", old.subject_matter, new.subject_matter)
    yield from _other("contract.nature", old.nature, new.nature)
    was_open, is_open = (set(REQUIRED_CLAUSES) <= set(contract.clauses) for contract in (old, new))
    for clause in sorted(set(old.clauses) ^ set(new.clauses)):
        added = clause in new.clauses
        effect: Effect = "other"
        if clause in REQUIRED_CLAUSES and was_open != is_open:  # so it was added if it opens, removed if it freezes
            effect = "wider" if is_open else "narrower"
        if effect == "wider":
            sentence = f"Clause {clause} is added. The gate is no longer frozen for a clause."
        elif effect == "narrower":
            sentence = f"Clause {clause} is removed. The gate freezes."
        else:
            sentence = f"Clause {clause} is added." if added else f"Clause {clause} is removed."
        yield Change(
            where=f"contract.clauses.{clause}",
            before=None if added else clause,
            after=clause if added else None,
            effect=effect,
            sentence=sentence,
        )


def _sub_processors(old: Contract, new: Contract) -> Iterator[Change]:
    """Compare sub-processors by name."""
    before, after = ({sub.name: sub for sub in contract.sub_processors} for contract in (old, new))
    yield from _listed("sub_processor", "Sub-processor", _described(before), _described(after))
    for name in (name for name in before if name in after):
        for key in ("country", "role", "address", "contact"):
            yield from _other(f"sub_processor.{name}.{key}", getattr(before[name], key), getattr(after[name], key))


def _described(subs: Mapping[str, SubProcessor]) -> dict[str, str]:
    """Return what stands for each sub-processor in a change: its country and role."""
    return {name: f"{sub.country}, {sub.role}" for name, sub in subs.items()}


def _sites(old: Contract, new: Contract) -> Iterator[Change]:
    """Compare sites by id: each room and session is a place for a person."""
    sizes = [
        {site.id: f"{site.rooms} rooms, {site.max_sessions_per_day} sessions a day" for site in contract.sites.values()}
        for contract in (old, new)
    ]
    yield from _listed("site", "Site", *sizes)
    for name in (name for name in old.sites if name in new.sites):
        before, after = old.sites[name], new.sites[name]
        yield from _other(f"site.{name}.timezone", before.timezone, after.timezone)
        for key in ("rooms", "max_sessions_per_day"):
            yield from _number(f"site.{name}.{key}", getattr(before, key), getattr(after, key))


def _limits(old: Contract, new: Contract) -> Iterator[Change]:
    """Compare ``[limits]``."""
    for key in ("persons_per_day", "persons_per_month", "persons_per_client_per_hour"):
        yield from _number(f"limits.{key}", getattr(old.limits, key), getattr(new.limits, key))
    before, after = old.limits.agent_assurance, new.limits.agent_assurance
    effect: Effect = "wider" if after is Assurance.ASSERTED else "narrower"
    yield from _moved("limits.agent_assurance", before, after, effect)


def _purposes(old: Contract, new: Contract) -> Iterator[Change]:
    """Compare purposes by id."""
    granted = [{purpose.id: _granted(purpose) for purpose in contract.purposes.values()} for contract in (old, new)]
    yield from _listed("purpose", "Purpose", *granted)
    for name in (name for name in old.purposes if name in new.purposes):
        yield from _purpose(old.purposes[name], new.purposes[name])


def _granted(purpose: Purpose) -> str:
    """Return the attributes of a purpose with their forms."""
    return ", ".join(f"{name}={form}" for name, form in purpose.attributes.items())


def _purpose(old: Purpose, new: Purpose) -> Iterator[Change]:
    """Compare two versions of one purpose."""
    where = f"purpose.{old.id}"
    yield from _other(f"{where}.label", old.label, new.label)
    yield from _other(f"{where}.legal_basis", old.legal_basis, new.legal_basis)
    for key in ("opens_before", "closes_after"):
        before, after = getattr(old, key), getattr(new, key)
        yield from _moved(f"{where}.{key}", duration_text(before), duration_text(after), _more(before, after))
    for key in ("max_capacity", "reads_per_appointment", "persons_per_agent_per_hour"):
        yield from _number(f"{where}.{key}", getattr(old, key), getattr(new, key))
    yield from _forms(f"{where}.attributes", old.attributes, new.attributes)
    yield from _forms(f"{where}.sheet", old.sheet, new.sheet)


def _forms(where: str, old: Mapping[str, Form], new: Mapping[str, Form]) -> Iterator[Change]:
    """Compare the forms of attributes: what is not named is as good as withheld."""
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if before is after:
            continue
        place = f"{where}.{name}"
        effect = _form_effect(before or Form.WITHHELD, after or Form.WITHHELD)
        if before is None:
            sentence = f"{place} is added, given as {after}."
        elif after is None:
            sentence = f"{place} is removed; it was given as {before}."
        else:
            sentence = f"{place} is given as {after} instead of {before}."
        yield Change(where=place, before=before, after=after, effect=effect, sentence=sentence)


def _form_effect(before: Form, after: Form) -> Effect:
    """Weigh a change of form: the orders of all types agree with one another, so the type need not be known."""
    if before is after:
        return "other"
    narrower = any(is_weaker_or_equal(kind, after, before) for kind in FORMS_OF)
    return "narrower" if narrower else "wider"


def _evidence(old: Contract, new: Contract) -> Iterator[Change]:
    """Compare the evidence required by kind: to ask for less keeps the gate open longer."""
    before, after = ({required.kind: required for required in contract.evidence_required} for contract in (old, new))
    for kind in [*before, *(kind for kind in after if kind not in before)]:
        where = f"evidence_required.{kind}"
        if kind not in after:
            was = before[kind].max_age
            yield Change(where=where, before=was, after=None, effect="wider", sentence=f"Evidence {kind} is no longer required.")
        elif kind not in before:
            now = after[kind].max_age
            sentence = f"Evidence {kind} is required, at most {now} old."
            yield Change(where=where, before=None, after=now, effect="narrower", sentence=sentence)
        else:
            effect = _more(_days(before[kind].age), _days(after[kind].age))
            yield from _moved(f"{where}.max_age", before[kind].max_age, after[kind].max_age, effect)


def _days(age: Age) -> Fraction:
    """Return the mean length of an age in days."""
    return age.months * _DAYS_A_MONTH + age.days


def _containment(old: Containment, new: Containment) -> Iterator[Change]:
    """Compare ``[containment]``: it acts after an alarm and opens nothing."""
    yield from _other("containment.on_decoy", old.on_decoy, new.on_decoy)
    yield from _other("containment.on_departure", old.on_departure, new.on_departure)


def _listed(where: str, word: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    """Tell which named things are gone and which are new; each new one can reach more."""
    for name in (name for name in old if name not in new):
        sentence = f"{word} {name} is removed ({old[name]})."
        yield Change(where=f"{where}.{name}", before=old[name], after=None, effect="narrower", sentence=sentence)
    for name in (name for name in new if name not in old):
        sentence = f"{word} {name} is added ({new[name]})."
        yield Change(where=f"{where}.{name}", before=None, after=new[name], effect="wider", sentence=sentence)


def _number(where: str, before: int, after: int) -> Iterator[Change]:
    """Compare a ceiling."""
    yield from _moved(where, before, after, _more(before, after))


def _moved(where: str, before: str | int | date, after: str | int | date, effect: Effect) -> Iterator[Change]:
    """Tell that a value changed, with the effect it has."""
    if before != after:
        sentence = f"{where} goes from {before} to {after}."
        yield Change(where=where, before=str(before), after=str(after), effect=effect, sentence=sentence)


def _other(where: str, before: str | int | None, after: str | int | None) -> Iterator[Change]:
    """Tell that a value changed which gives neither more nor less access; it may be a contact: the sentence is silent on it."""
    if before != after:
        was, now = (None if value is None else str(value) for value in (before, after))
        yield Change(where=where, before=was, after=now, effect="other", sentence=f"{where} changes; access stays as it is.")


def _more(before: _Amount, after: _Amount) -> Effect:
    """Weigh a ceiling: more is wider."""
    if before == after:
        return "other"
    return "wider" if after > before else "narrower"


def duration_text(length: timedelta) -> str:
    """Write an exact length of time, whole minutes, as ISO 8601 hours and minutes: ``PT24H``, ``PT1H30M``, ``PT0M``."""
    hours, minutes = divmod(length // timedelta(minutes=1), 60)
    if not hours:
        return f"PT{minutes}M"
    return f"PT{hours}H{minutes}M" if minutes else f"PT{hours}H"
