"""Facts of flows that unit tests compare, written as shortly as they can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ecluse.contracts import Contract, parse_contract
from ecluse.flows.compare import Facts
from ecluse.flows.model import FieldSeen, Folded, Observation, Observed, Recipient, Version
from ecluse.register import parse_register
from tests.invented import contract_text, register_toml

REGISTER: Final = parse_register(register_toml())
KINDS: Final = {name: attribute.type for name, attribute in REGISTER.attributes.items()}
ZONE: Final = ZoneInfo("Europe/Paris")
AT: Final = datetime(2026, 6, 30, 12, tzinfo=UTC)
FIRM: Final = "firm"


def contract(**terms: object) -> Contract:
    """Return a contract of the firm; ``terms`` as `contract_text` takes them."""
    return parse_contract(contract_text(FIRM, **terms), KINDS)  # type: ignore[arg-type] # the tests' own words


def versions(*some: Contract, days_ago: Sequence[int] = (400, 20, 10)) -> dict[str, tuple[Version, ...]]:
    """Return these contracts as versions 1, 2 …, applied so many days ago."""
    return {
        FIRM: tuple(
            Version(version=number, contract=one, applied_at=AT - timedelta(days=ago))
            for (number, one), ago in zip(enumerate(some, 1), days_ago, strict=False)
        )
    }


def seen(attribute: str, form: str = "full", *, days_ago: int = 1, **other: object) -> Observation:
    """Return one observation."""
    at = AT - timedelta(days=days_ago)
    given = {
        "processor": FIRM,
        "purpose": "civic-training",
        "roll_call": False,
        "site": "large",
        "version": 1,
        "other_version": False,
        "disclosures": 1,
    }
    return Observation(**{**given, "attribute": attribute, "form": form, "first_seen_at": at, "last_seen_at": at, **other})  # type: ignore[arg-type] # as above


def observed(*rows: Observation, persons: Mapping[str, int] | None = None) -> Observed:
    """Return what these observations add up to; ``persons``: of each attribute, one where it is not said."""
    people = persons or {}
    names = sorted({(row.processor, row.purpose, row.attribute) for row in rows if row.attribute and row.form != "withheld"})
    fields = tuple(
        FieldSeen(
            processor=processor, purpose=purpose, attribute=name, forms={"full": people.get(name, 1)}, disclosures=1, persons=people.get(name, 1), erased=0,
            first_seen_at=AT, last_seen_at=AT,
        )
        for processor, purpose, name in names
    )  # fmt: skip
    pairs = sorted({(row.processor, row.purpose) for row in rows})
    recipients = tuple(
        Recipient(processor=processor, purpose=purpose, disclosures=1, persons=1, erased=0, first_seen_at=AT, last_seen_at=AT)
        for processor, purpose in pairs
    )
    log = Folded(log_id=1, next_index=90, size=100, erased=3, unreadable=2, folded_at=AT)
    return Observed(
        since=date(2026, 5, 31), until=date(2026, 7, 1), fields=fields, recipients=recipients, by_processor=dict.fromkeys([one for one, _ in pairs], 1),
        by_purpose=dict.fromkeys([one for _, one in pairs], 1), persons=1, logs=(log,),
    )  # fmt: skip


def facts(*rows: Observation, contracts: Mapping[str, tuple[Version, ...]], **other: object) -> Facts:
    """Return facts to compare."""
    given: dict[str, object] = {
        "at": AT, "days": 30, "zone": ZONE, "kinds": KINDS, "versions": contracts, "observations": rows, "observed": observed(*rows), "attempts": (),
        "imported": (), "lists": {},
        "last_seen": {(row.processor, row.purpose, row.attribute, row.roll_call): row.last_seen_at for row in rows},
    }  # fmt: skip
    return Facts(**{**given, **other})  # type: ignore[arg-type] # as above
