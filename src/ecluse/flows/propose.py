"""Proposals to give less, from what was asked for: as a contract file that is ready to be read, compared and applied by a person. Pure.

The ledger tells what was *asked for*, never what was *needed*. So there are two proposals only: to withhold an attribute that next to nobody asks for,
and to name the weaker form where every single disclosure was in it. Nothing is proposed from fewer than `LEAST` disclosures, nor for an attribute that the
roll-call gives, where nobody chooses. The file's text changes in the lines of these forms alone, and is read back: `ecluse.contracts.diff_contracts` has to
find exactly them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ecluse.contracts import Change, Contract, Form, Purpose, diff_contracts, is_weaker_or_equal, parse_contract
from ecluse.flows.errors import NotRewritable
from ecluse.flows.model import Observation, Observed
from ecluse.register import AttributeType
from ecluse.toml_lines import TomlLines

LEAST: Final = 100
"""Disclosures of a purpose in the period below which nothing is proposed for it: too few to tell."""
RARE_PERCENT: Final = 1
"""An attribute asked for in fewer than this share of its purpose's disclosures is proposed to be withheld."""


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """One form that could be weaker. ``asked``: disclosures that asked for it, ``of`` all of its purpose.

    ``persons``: distinct persons of whom it was given in the period, and would not have been; ``erased``: those erased since, by day, added up.
    """

    purpose: str
    attribute: str
    before: Form
    after: Form
    asked: int
    of: int
    persons: int
    erased: int
    why: str


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What could be given less of. ``text``: the contract file with these forms; ``changes``: what it changes for access.

    ``spared``: persons x attributes of the period that would not have been disclosed. ``too_few``: purposes of which too little was seen to propose anything.
    """

    processor: str
    version: int
    proposed: tuple[Proposed, ...]
    spared: int
    too_few: tuple[str, ...]
    text: str
    changes: tuple[Change, ...]


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one processor in a period."""

    observations: Sequence[Observation]
    observed: Observed


def propose(contract: Contract, text: str, version: int, use: Use, kinds: Mapping[str, AttributeType]) -> Proposal:
    """Propose weaker forms for a contract in force, whose file is ``text``. Raises `NotRewritable`."""
    proposed: list[Proposed] = []
    too_few: list[str] = []
    for purpose in contract.purposes.values():
        rows = [
            row
            for row in use.observations
            if row.processor == contract.processor.id and row.purpose == purpose.id and not row.roll_call
        ]
        of = sum(row.disclosures for row in rows if not row.attribute)
        if of < LEAST:
            too_few.append(purpose.id)
            continue
        for attribute, form in purpose.attributes.items():
            found = _weaker(purpose, attribute, form, [row for row in rows if row.attribute == attribute], of, kinds[attribute])
            if found is not None:
                proposed.append(_counted(found, contract.processor.id, use.observed))
    written = rewrite(contract, text, proposed)
    changes = diff_contracts(contract, parse_contract(written, kinds))
    wanted = {f"purpose.{one.purpose}.attributes.{one.attribute}" for one in proposed}
    if {change.where for change in changes} != wanted or any(change.effect != "narrower" for change in changes):
        raise AssertionError("impossible: the proposed file says something else than what is proposed")
    return Proposal(
        processor=contract.processor.id, version=version, proposed=tuple(proposed), spared=sum(one.persons for one in proposed), too_few=tuple(too_few),
        text=written, changes=changes,
    )  # fmt: skip


def _weaker(
    purpose: Purpose, attribute: str, form: Form, rows: Sequence[Observation], of: int, kind: AttributeType
) -> Proposed | None:
    """Return the weaker form that one attribute could have, if any."""
    if form is Form.WITHHELD or purpose.sheet.get(attribute, Form.WITHHELD) is not Form.WITHHELD:
        return None
    asked = sum(row.disclosures for row in rows)
    one = Proposed(
        purpose=purpose.id, attribute=attribute, before=form, after=Form.WITHHELD, asked=asked, of=of, persons=0, erased=0, why=""
    )
    if asked * 100 < of * RARE_PERCENT:
        why = (
            f"asked for in {_percent(asked, of)} of {of:,} disclosures"
            if asked
            else f"not asked for in any of {of:,} disclosures"
        )
        return msgspec.structs.replace(one, why=why)
    if form is Form.RELAY:  # until aliases exist nothing stands for an address: that it was withheld says nothing of the need
        return None
    seen = {Form(row.form) for row in rows if row.form in set(Form)}
    strongest = [each for each in seen if all(is_weaker_or_equal(kind, other, each) for other in seen)]
    if asked >= LEAST and strongest and strongest[0] is not form and is_weaker_or_equal(kind, strongest[0], form):
        why = f"given as {strongest[0]} or weaker in all of {asked:,} disclosures that asked for it"
        return msgspec.structs.replace(one, after=strongest[0], why=why)
    return None


def _percent(part: int, whole: int) -> str:
    """Write a small share: one decimal, two where one would be nought."""
    share = 100 * part / whole
    return f"{share:.1f} %" if share >= 0.05 else f"{share:.2f} %" if share >= 0.005 else "less than 0.01 %"


def _counted(one: Proposed, processor: str, observed: Observed) -> Proposed:
    """Add the persons who would have been spared: all of those of whom it was given, where it is to be withheld."""
    field = next(
        (
            each
            for each in observed.fields
            if (each.processor, each.purpose, each.attribute) == (processor, one.purpose, one.attribute)
        ),
        None,
    )
    if field is None or one.after is not Form.WITHHELD:
        return one
    return msgspec.structs.replace(one, persons=field.persons, erased=field.erased)


def rewrite(contract: Contract, text: str, proposed: Sequence[Proposed]) -> str:
    """Return the file with the proposed forms, all else as it was, comments included. Raises `NotRewritable`."""
    lines, places = text.split("\n"), TomlLines(text)
    order = list(contract.purposes)
    for one in proposed:
        at = places.line(("purpose", order.index(one.purpose), "attributes", one.attribute)) - 1
        name = re.escape(one.attribute)
        pattern = rf"""^(\s*(?:{name}|"{name}"|'{name}')\s*=\s*)(["']){one.before.value}\2(?=\s*(?:#.*)?\r?$)"""
        lines[at], times = re.subn(pattern, rf"\g<1>\g<2>{one.after.value}\g<2>", lines[at])
        if times != 1:
            raise NotRewritable(f"purpose.{one.purpose}.attributes.{one.attribute}")
    return "\n".join(lines)
