"""The entry of one decision and what it releases: salted fields, value digests, fingerprints, opening (docs/decisions/0001-formats.md). Pure.

Random bytes, ids and instants are arguments. What a processor is shown of its entry is chosen by name, never by leaving something out.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

import msgspec

from ecluse.clock import sealed_text
from ecluse.contracts import Form
from ecluse.disclosure.minimise import WITHHELD, minimise, normal
from ecluse.disclosure.model import Delivery, Plan
from ecluse.ledger import SHOWN_TO_PROCESSOR, SHOWN_TO_REFUSED, Event, canonical, commit, leaf_hash, opening_shown
from ecluse.policy import Ask, Granted, Place, Reason, Terms, budgets_of
from ecluse.register import AttributeType

SALTS: Final = 32 * 24
"""Random bytes that an entry needs at most: 32 for each field there is."""


class FingerprintKey(msgspec.Struct, frozen=True, kw_only=True):
    """The secret behind value salts and fingerprints. ``version``: as entries name it; ``secret``: 32 bytes, outside the database."""

    version: int
    secret: bytes

    def __repr__(self) -> str:
        """Show no secret."""
        return f"FingerprintKey(version={self.version})"


def value_salt(key: FingerprintKey, disclosure: str, attribute: str) -> bytes:
    """Return the 32-byte salt of one delivered value: derived, so that no database holds it."""
    return _keyed(key.secret, f"salt\0{disclosure}\0{attribute}".encode())


def value_digest(attribute: str, salt: bytes, value: object) -> str:
    """Return the hex digest that proves one delivered value."""
    return sha256(b"ecluse/1/value/" + attribute.encode() + b"\0" + salt + canonical(value)).hexdigest()


def fingerprint(key: FingerprintKey, disclosure: str, attribute: str, kind: AttributeType, value: object) -> str:
    """Return the hex fingerprint of one delivered value in normal form 1."""
    return _keyed(key.secret, f"fp\0{disclosure}\0{attribute}\0".encode() + canonical(normal(kind, value))).hex()


@lru_cache(maxsize=8)
def _started(secret: bytes) -> hmac.HMAC:
    """Return an HMAC-SHA256 that has taken in its key."""
    return hmac.new(secret, digestmod="sha256")


def _keyed(secret: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256. A copy of one that has taken in its key costs half of a new one."""
    mac = _started(secret).copy()
    mac.update(message)
    return mac.digest()


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One person's values in their forms. ``subject`` lacks what is withheld; ``forms`` names every attribute asked."""

    subject: dict[str, object]
    forms: dict[str, str]


def give(
    ask: Ask, forms: Mapping[str, Form], kinds: Mapping[str, AttributeType], row: Mapping[str, str | date | None], today: date
) -> Given:
    """Minimise one register row to what is asked, in the contract's forms."""
    subject: dict[str, object] = {}
    given: dict[str, str] = {}
    for name in ask.attributes:
        form, value = minimise(kinds[name], forms[name], row[name], today)
        given[name] = form.value
        if value is not WITHHELD:
            subject[name] = value
    return Given(subject=subject, forms=given)


def compose_grant(
    ask: Ask, place: Place, terms: Terms, granted: Granted, *, at: datetime, disclosure: str, event: Event, given: Given,
    kinds: Mapping[str, AttributeType], key: FingerprintKey, salts: bytes,
) -> Plan:  # fmt: skip
    """Build the entry of a grant and what it will release."""
    value_salts = {name: value_salt(key, disclosure, name) for name in given.subject}
    purpose = terms.contract.purposes[place.purpose]
    fields: list[tuple[str, object]] = [
        ("at", sealed_text(at)),
        ("event", event.value),
        ("disclosure", disclosure),
        ("processor", ask.processor),
        ("client", ask.client),
        ("agent", ask.agent),
        ("assurance", ask.assurance.value),
        ("appointment", ask.appointment),
        ("subject", place.subject_ref),
        ("purpose", place.purpose),
        ("legal_basis", purpose.legal_basis),
        ("contract", {"hash": terms.hash, "reference": terms.contract.reference, "version": terms.version}),
        ("forms", given.forms),
        ("values", {name: value_digest(name, salt, given.subject[name]) for name, salt in value_salts.items()}),
        (
            "fingerprints",
            {
                "attributes": {
                    name: fingerprint(key, disclosure, name, kinds[name], value) for name, value in given.subject.items()
                },
                "key": key.version,
                "normal": 1,
            },
        ),
        ("rules", granted.rules),
        ("interval", (sealed_text(granted.valid_from), sealed_text(granted.valid_until))),
    ]
    return Plan(
        ask=ask,
        kind="grant",
        event=event.value,
        disclosure=disclosure,
        committed=commit(fields, salts[: 32 * len(fields)]),
        fields=fields,
        place=place,
        granted=granted,
        budgets=budgets_of(ask, place, terms),
        max_reads=purpose.reads_per_appointment,
        subject=given.subject,
        forms=given.forms,
        value_salts={name: salt.hex() for name, salt in value_salts.items()},
    )


def compose_refusal(
    ask: Ask, place: Place | None, terms: Terms | None, reason: Reason, reasons: Sequence[str], told: Mapping[str, object],
    *, at: datetime, disclosure: str, event: Event, salts: bytes,
) -> Plan:  # fmt: skip
    """Build the entry of a refusal: the same shape for an unknown handle as for a foreign one."""
    fields: list[tuple[str, object]] = [
        ("at", sealed_text(at)),
        ("event", event.value),
        ("disclosure", disclosure),
        ("processor", ask.processor),
        ("client", ask.client),
        ("agent", ask.agent),
        ("assurance", ask.assurance.value),
        ("appointment", ask.appointment),
        ("subject", place.subject_ref if place else None),
        ("purpose", place.purpose if place else None),
        ("contract", {"hash": terms.hash, "reference": terms.contract.reference, "version": terms.version} if terms else None),
        ("attributes", ask.attributes),
        ("reason", reason.value),
        ("reasons", tuple(reasons)),
    ]
    return Plan(
        ask=ask,
        kind="refuse",
        event=event.value,
        disclosure=disclosure,
        committed=commit(fields, salts[: 32 * len(fields)]),
        fields=fields,
        place=place,
        reason=reason,
        told=dict(told),
    )


def opening_of(plan: Plan) -> dict[str, object]:
    """Return what the processor is shown of its own entry."""
    shown = SHOWN_TO_REFUSED if plan.kind == "refuse" else SHOWN_TO_PROCESSOR
    committed = plan.committed
    return {
        "v": 1,
        "k": "decision",
        "h": committed.hour,
        "fields": opening_shown(plan.fields, committed.salts, shown, committed.digests),
    }


def release(plan: Plan) -> Delivery:
    """Turn a sealed plan into what is sent. Called after the commit only."""
    if plan.granted is None or plan.index < 0:
        raise AssertionError("impossible: released without a seal")
    return Delivery(
        appointment=plan.ask.appointment,
        processor=plan.ask.processor,
        disclosure=plan.disclosure,
        subject=plan.subject,
        forms=plan.forms,
        closes_at=plan.granted.closes_at,
        index=plan.index,
        leaf_hash=leaf_hash(plan.committed.leaf).hex(),
        opening=opening_of(plan),
        value_salts=plan.value_salts,
    )
