"""Checking a receipt's file offline, with a policy and nothing else, and saying what it shows and what it does not. Pure.

Standards: C2SP tlog-proof ("Verifying a tlog proof"), docs/decisions/0005-witnessed-ledger.md. For a processor, a person, an auditor, a
judge: no account, no installation, no network. The steps are numbered as below; nothing of the file is believed before all of them:

1 the file has its one form; 2 the opening leads to a leaf; 3 the checkpoint is signed by a log of the policy and cosigned by its
quorum; 4 the leaf is in the tree of that checkpoint; 5 what the opening shows is of its type; 6 each value has its digest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

from ecluse.client.errors import ReceiptBroken
from ecluse.client.model import Head, Json, PersonalValues
from ecluse.client.proofs import ReceiptFile, read_file
from ecluse.client.receipts import CONSULTED, EMERGENCY, GRANTS, LOOK, check_values, open_entry
from ecluse.client.tree import check_inclusion
from ecluse.client.trust import Policy, believe

T = TypeVar("T", str, int, dict, list)  # type: ignore[type-arg]  # the kinds of a field's value
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


class Kind(StrEnum):
    """What a receipt is of. Grows at its end."""

    GIVEN = "given"
    REFUSED = "refused"
    LOOKED = "looked"
    """The record of who was given a person's data was looked at, by the person or through the controller's portal."""
    EMERGENCY = "emergency"
    """The controller's own duty officer saw an attribute in an emergency; no processor took part."""
    CONSULTED = "consulted"
    """The record was looked at by an officer of the controller, with a second officer's approval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What a receipt shows. None, or empty, is what its opening hides from its holder; nothing here is more than the log committed to.

    ``processor``: None where the controller itself looked; ``attributes``: those asked for; ``forms``: what was given of them, empty for a refusal, which has
    a ``reason``; ``committed``: the attributes whose values the entry commits to; ``values``: those that the file shows.
    """

    kind: Kind
    at: datetime
    processor: str | None
    client: str | None
    agent: str | None
    assurance: str | None
    disclosure: str | None
    appointment: str | None
    subject: str | None
    purpose: str | None
    legal_basis: str | None
    contract: Mapping[str, Json] | None
    attributes: tuple[str, ...]
    forms: Mapping[str, str]
    reason: str | None
    committed: tuple[str, ...] | None
    values: PersonalValues | None
    index: int
    leaf_hash: bytes
    head: Head
    event: str


_OWN: Final = {LOOK: Kind.LOOKED, EMERGENCY: Kind.EMERGENCY, CONSULTED: Kind.CONSULTED}
"""What the controller did itself."""


def check_file(raw: bytes, policy: Policy) -> Statement:
    """Check a receipt's file by a policy, and return what it shows; raise ``ReceiptBroken`` if it shows nothing."""
    held = read_file(raw)  # 1
    leaf_hash, shown = open_entry(held.opening)  # 2
    head = believe(held.note, policy)  # 3
    check_inclusion(held.index, leaf_hash, held.path, head.checkpoint)  # 4
    statement = _statement(shown, held, leaf_hash, head)  # 5
    _check_values(shown, held)  # 6
    return statement


def _check_values(shown: Mapping[str, Json], held: ReceiptFile) -> None:
    """Check salts and values against the digests that the entry shows; salts alone prove nothing, and have to be those of the digests."""
    digests = _typed(shown, "values", dict)
    if held.value_salts is not None and (digests is None or held.value_salts.keys() != digests.keys()):
        raise ReceiptBroken("the salts are not those of the values that the entry commits to")
    if held.values is not None:
        if held.value_salts is None:
            raise ReceiptBroken("values without their salts can't be checked")
        check_values(digests, held.value_salts, held.values)


def _statement(shown: Mapping[str, Json], held: ReceiptFile, leaf_hash: bytes, head: Head) -> Statement:
    event, at = _needed(shown, "event"), _needed(shown, "at")
    kind = Kind.GIVEN if event in GRANTS else _OWN.get(event, Kind.REFUSED)
    forms = _typed(shown, "forms", dict) or {}
    asked = forms if kind in {Kind.GIVEN, Kind.EMERGENCY} else _typed(shown, "attributes", list) or []
    if (
        (not asked and kind not in {Kind.LOOKED, Kind.CONSULTED})
        or not all(isinstance(name, str) for name in asked)
        or not all(isinstance(form, str) for form in forms.values())
    ):
        raise ReceiptBroken("the entry does not show which attributes, in which forms")
    digests = _typed(shown, "values", dict)
    if digests is not None and not digests.keys() <= forms.keys():
        raise ReceiptBroken("the entry commits to values of other attributes")
    if not shown.get("subject") and not shown.get("appointment"):
        raise ReceiptBroken("the entry shows nobody: neither a person nor an appointment")
    return Statement(
        kind=kind,
        at=_instant(at),
        processor=None if event in _OWN else _needed(shown, "processor"),
        client=_typed(shown, "client", str),
        agent=_typed(shown, "agent", str),
        assurance=_typed(shown, "assurance", str),
        disclosure=_typed(shown, "disclosure", str),
        appointment=_typed(shown, "appointment", str),
        subject=_typed(shown, "subject", str),
        purpose=_typed(shown, "purpose", str),
        legal_basis=_typed(shown, "legal_basis", str),
        reason=_typed(shown, "reason", str),
        contract=_typed(shown, "contract", dict),
        attributes=tuple(asked),
        forms=forms,
        committed=None if digests is None else tuple(digests),
        values=held.values,
        index=held.index,
        leaf_hash=leaf_hash,
        head=head,
        event=event,
    )


def _needed(shown: Mapping[str, Json], name: str) -> str:
    text = _typed(shown, name, str)
    if not text:
        raise ReceiptBroken(f"the entry does not show its {name}")
    return text


def _typed(shown: Mapping[str, Json], name: str, kind: type[T]) -> T | None:
    """Return a shown field of a kind; None where it is hidden, or null."""
    value = shown.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise ReceiptBroken(f"the entry's {name} is of another type")
    return value


def _instant(text: str) -> datetime:
    try:
        if _INSTANT.fullmatch(text) is None:
            raise ValueError(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise ReceiptBroken("the entry's instant is none") from None
