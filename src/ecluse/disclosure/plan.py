"""Steps 1b and 2 of a disclosure: from gathered facts to entries ready to be sealed.

The rules are ``policy.decide``; here they meet the register's rows, the idempotency keys and what an earlier seal refused. One register read a batch, with
no lock held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import asyncpg
import msgspec

from ecluse.contracts import Form
from ecluse.db import Connection
from ecluse.disclosure.compose import SALTS, FingerprintKey, Given, compose_grant, compose_refusal, give, value_digest, value_salt
from ecluse.disclosure.model import Plan, Request
from ecluse.disclosure.terms import Snapshot
from ecluse.disclosure.turns import Waiting
from ecluse.ledger import Event, commit, fields_of
from ecluse.policy import Ask, Decision, Effect, Granted, Hold, Place, Reason, Refused, Terms, Undetermined, decide
from ecluse.register import AttributeType, RegisterUnavailable, Row, Unreadable
from ecluse.register.store import Register
from ecluse.sandbox import PROCESSORS as SANDBOX
from ecluse.sandbox import read_people

OPENINGS: Final = "select index, fields, salts from ecluse.sealed_before($1::smallint, $2, $3, $4)"
_Source: TypeAlias = tuple[bool, tuple[str, ...]]
_Rows: TypeAlias = dict[_Source, Mapping[str, Row]]
_holds: Final = msgspec.json.Decoder(list[tuple[str, str, float, float | None]]).decode


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was gathered for one ask.

    ``first``: the grant that this idempotency key stands for, if there is one. ``uncosigned_since``: since when entries wait for their witnesses, if any do.
    """

    at: datetime
    place: Place | None
    first: First | None
    uncosigned_since: datetime | None


class First(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier grant of the same key: the request's hash, where its entries stand, when it was sealed."""

    body_hash: bytes
    index: int
    entries: int
    sealed_at: datetime


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One ask, decided but not composed."""

    request: Request
    ask: Ask
    facts: Facts
    terms: Terms | None
    decision: Decision


def facts_of(record: asyncpg.Record) -> Facts:
    """Turn one gathered record into facts; the columns stand in ``door.GATHER``."""
    (
        _,
        _,
        at,
        purpose,
        session,
        starts_at,
        ends_at,
        subject_ref,
        cancelled,
        roster,
        holds,
        body_hash,
        index,
        entries,
        sealed_at,
        uncosigned_since,
    ) = record
    place = None
    if subject_ref is not None:
        place = Place(
            purpose=purpose, session=session, starts_at=starts_at, ends_at=ends_at, subject_ref=subject_ref, cancelled=cancelled, roster=roster,
            holds=_person_holds(holds) if holds else (),
        )  # fmt: skip
    first = None if body_hash is None else First(body_hash=body_hash, index=index, entries=entries, sealed_at=sealed_at)
    return Facts(at=at, place=place, first=first, uncosigned_since=uncosigned_since)


def _person_holds(text: str) -> tuple[Hold, ...]:
    """Read the holds on a person as ``gather`` writes them: ``[[id, effect, from, until|null]]``, seconds since 1970."""
    return tuple(
        Hold(
            id=name,
            scope="person",
            effect=Effect(effect),
            from_at=datetime.fromtimestamp(begin, UTC),
            until_at=None if end is None else datetime.fromtimestamp(end, UTC),
        )
        for name, effect, begin, end in _holds(text)
    )


class Planner:
    """Plans batches. Holds what never changes while the process runs; keeps nothing between batches."""

    def __init__(
        self, register: Register, attributes: Mapping[str, AttributeType], keys: Mapping[int, FingerprintKey], *, log_id: int,
        uncosigned_for: timedelta, random_bytes: Callable[[int], bytes], new_id: Callable[[str], str],
    ) -> None:  # fmt: skip
        """``keys``: by version, the newest of which fingerprints; the others as `Door` takes them."""
        self._register, self._kinds, self._keys, self._log_id = register, attributes, keys, log_id
        self._key, self._uncosigned_for = keys[max(keys)], uncosigned_for
        self._random, self._new_id = random_bytes, new_id

    async def plan(
        self, connection: Connection, batch: Sequence[Waiting], facts: Sequence[Facts], snapshot: Snapshot
    ) -> list[list[Plan] | None]:
        """Return each request's entries: every ask decided, the register read for those that may be granted.

        None stands for a request whose person could not be read because the register is gone.
        """
        drafts: list[list[Draft]] = []
        places = iter(facts)
        for waiting in batch:
            waiting.plans += 1
            drafts.append([_draft(waiting, ask, next(places), snapshot, self._uncosigned_for) for ask in waiting.request.asks])
        try:
            rows = await self._read(connection, [draft for group in drafts for draft in group])
        except RegisterUnavailable:
            rows = None
        return [await self._compose_all(connection, group, rows) for group in drafts]

    async def _read(self, connection: Connection, drafts: Sequence[Draft]) -> _Rows:
        """Read the register's rows of all grants, one statement for each set of attributes asked.

        So nobody's answer depends on what a neighbour in the batch asked, and of no person more is read than was asked.
        """
        wanted: dict[_Source, dict[str, None]] = {}
        for draft in drafts:
            if isinstance(draft.decision, Granted) and draft.facts.place is not None:
                wanted.setdefault(_source_of(draft), {})[draft.facts.place.subject_ref] = None
        return {source: await self._read_from(connection, source, tuple(refs)) for source, refs in wanted.items()}

    async def _read_from(self, connection: Connection, source: _Source, refs: tuple[str, ...]) -> Mapping[str, Row]:
        """Read these people's attributes where they are: the sandbox's in its own table, all others in the register."""
        invented, names = source
        if invented:
            return await read_people(connection, refs, {name: self._kinds[name] for name in names})
        return await self._register.read(refs, frozenset(names))

    async def _compose_all(self, connection: Connection, drafts: Sequence[Draft], rows: _Rows | None) -> list[Plan] | None:
        """Compose one request's entries; a request whose key stands for an earlier grant is answered from that grant's openings."""
        if rows is None and any(isinstance(draft.decision, Granted) for draft in drafts):
            return None
        first = drafts[0].facts.first
        retried = first is not None and first.body_hash == drafts[0].request.body_hash
        earlier: dict[str, tuple[int, list[tuple[str, object]], bytes]] = {}
        if first is not None and retried:
            asked = drafts[0].request
            for record in await connection.fetch(OPENINGS, self._log_id, asked.proven.client, asked.endpoint, asked.key):
                fields = fields_of(record["fields"])
                if "values" in dict(fields):  # a place that a roll-call refused has none to give again
                    earlier[str(dict(fields)["appointment"])] = (record["index"], fields, record["salts"])
        plans = []
        for draft in drafts:
            given = self._given(draft, (rows or {}).get(_source_of(draft), {}))
            if isinstance(given, Plan):
                plans.append(given)
            elif draft.ask.appointment in earlier:
                plans.append(self._again(draft, given, *earlier[draft.ask.appointment]))
            elif retried:
                plans.append(self._refusal(draft, Reason.KEY_REUSED, ("redelivery:not-delivered-before",), {}))
            else:
                plans.append(self._grant(draft, given))
        return plans

    def _given(self, draft: Draft, rows: Mapping[str, Row]) -> Given | Plan:
        """Return a grant's values in their forms, or the entry of a refusal."""
        decision, place, terms = draft.decision, draft.facts.place, draft.terms
        if isinstance(decision, Refused):
            return self._refusal(draft, decision.reason, decision.reasons, decision.told)
        if isinstance(decision, Undetermined):
            return self._refusal(draft, Reason.UNDETERMINED, decision.reasons, {})
        if place is None or terms is None:
            raise AssertionError("impossible: granted without a place or a contract")
        row = rows.get(place.subject_ref)
        if row is None:
            return self._refusal(draft, Reason.UNDETERMINED, ("register:absent",), {})
        if isinstance(row, Unreadable):
            return self._refusal(draft, Reason.UNDETERMINED, tuple(f"register:unreadable:{name}" for name in row.attributes), {})
        purpose = terms.contract.purposes[place.purpose]
        forms: Mapping[str, Form] = purpose.attributes if draft.request.session is None else purpose.sheet
        foreign = [name for name in draft.ask.attributes if name not in forms]
        if foreign or not draft.ask.attributes:  # a roll-call asked under a contract that was replaced meanwhile
            return self._refusal(draft, Reason.ATTRIBUTE_NOT_CONTRACTED, ("attributes:sheet-changed",), {"attributes": foreign})
        return give(draft.ask, forms, self._kinds, row, draft.facts.at.astimezone(UTC).date())

    def _grant(self, draft: Draft, given: Given) -> Plan:
        """Compose a grant."""
        if draft.facts.place is None or draft.terms is None or not isinstance(draft.decision, Granted):
            raise AssertionError("impossible: granted without a place or a contract")
        return compose_grant(
            draft.ask, draft.facts.place, draft.terms, draft.decision, at=draft.facts.at, disclosure=self._new_id("dsc"),
            event=Event.PERSON_GRANTED if draft.request.session is None else Event.SHEET_GRANTED,
            given=given, kinds=self._kinds, key=self._key, salts=self._random(SALTS),
        )  # fmt: skip

    def _again(self, draft: Draft, given: Given, index: int, fields: list[tuple[str, object]], salts: bytes) -> Plan:
        """Plan a redelivery: the first entry's own receipt, if every value still has the digest that was sealed then."""
        sealed = dict(fields)
        disclosure, digests, forms = str(sealed["disclosure"]), sealed["values"], sealed["forms"]
        key = self._keys[_key_version(sealed["fingerprints"])]
        value_salts = {name: value_salt(key, disclosure, name) for name in given.subject}
        if (
            forms != given.forms
            or {name: value_digest(name, salt, given.subject[name]) for name, salt in value_salts.items()} != digests
        ):
            return self._refusal(draft, Reason.VALUE_CHANGED, ("redelivery:value-changed",), {})
        if not isinstance(draft.decision, Granted):
            raise AssertionError("impossible: redelivered without a grant")  # noqa: TRY004 - a bug, not a caller's type
        return Plan(
            ask=draft.ask,
            kind="redeliver",
            event=str(sealed["event"]),
            disclosure=disclosure,
            committed=commit(fields, salts),
            fields=fields,
            place=draft.facts.place,
            granted=draft.decision,
            subject=given.subject,
            forms=given.forms,
            value_salts={name: salt.hex() for name, salt in value_salts.items()},
            index=index,
        )

    def _refusal(self, draft: Draft, reason: Reason, reasons: Sequence[str], told: Mapping[str, object]) -> Plan:
        """Compose a refusal."""
        refused = Event.PERSON_REFUSED if draft.request.session is None else Event.SHEET_REFUSED
        event = Event.PERSON_UNDETERMINED if reason is Reason.UNDETERMINED else refused
        return compose_refusal(
            draft.ask, draft.facts.place, draft.terms, reason, reasons, told,
            at=draft.facts.at, disclosure=self._new_id("dsc"), event=event, salts=self._random(SALTS),
        )  # fmt: skip


def _source_of(draft: Draft) -> _Source:
    """Return where an ask is read: whose people (the sandbox's, by the asking processor alone) and which attributes."""
    return draft.ask.processor in SANDBOX, draft.ask.attributes


def _key_version(fingerprints: object) -> int:
    """Return the version of the key that a sealed ``fingerprints`` field names."""
    version = fingerprints.get("key") if isinstance(fingerprints, dict) else None
    if not isinstance(version, int):
        raise AssertionError("impossible: a grant without fingerprints")  # noqa: TRY004 - a bug, not a caller's type
    return version


def _draft(waiting: Waiting, ask: Ask, facts: Facts, snapshot: Snapshot, uncosigned_for: timedelta) -> Draft:
    """Apply what the seal said before, the idempotency key's own rule, then the policy."""
    request, terms = waiting.request, snapshot.terms(ask.processor, facts.at)
    decision: Decision
    if waiting.forced is not None:
        reason, why, told = waiting.forced
        decision = Refused(reason=reason, reasons=(why,), told=told)
    elif facts.first is not None and facts.first.body_hash != request.body_hash:
        decision = Refused(reason=Reason.KEY_REUSED, reasons=("idempotency:other-body",))
    elif snapshot.unreadable(ask.processor):
        decision = Undetermined(reasons=("contract:unreadable",))
    else:
        parties = snapshot.parties(ask.processor, ask.client, ask.agent, request.proven.thumbprint)
        frozen_at = None if facts.uncosigned_since is None else facts.uncosigned_since + uncosigned_for
        decision = decide(ask, facts.place, terms, parties, facts.at, frozen_at)
    return Draft(request=request, ask=ask, facts=facts, terms=terms, decision=decision)
