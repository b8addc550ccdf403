"""Use cases that bind a processor: add it, apply its contract, name its agents, place and release holds. Each is one sealed control entry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from ecluse import clock
from ecluse.clock import sealed_text
from ecluse.contracts.diff import Change, diff_contracts
from ecluse.contracts.errors import AgentUnknown, HoldUnknown, NameTaken, ProcessorUnknown
from ecluse.contracts.model import Contract
from ecluse.contracts.parse import contract_hash, parse_contract
from ecluse.db import Connection
from ecluse.ids import AgentId, HoldId, is_id, is_name, new_id
from ecluse.ledger.errors import ControlRefused, LedgerStale
from ecluse.ledger.fields import Event
from ecluse.ledger.service import Control, seal_control
from ecluse.ledger.store import read_head
from ecluse.register import AttributeType, RegisterMap, SubjectRefInvalid, parse_subject_ref

SCOPES: Final = ("processor", "client", "agent", "contract", "person")
EFFECTS: Final = ("suspend", "freeze", "keep")
_TRIES: Final = 8


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A contract version in force: what it changes against the one before (all of it, if it is the first)."""

    processor: str
    version: int
    hash: str
    changes: tuple[Change, ...]
    index: int
    control_seq: int


async def add_processor(connection: Connection, *, log_id: int, processor: str, name: str, actor: str) -> Control:
    """Register a processor. It may do nothing until a contract is applied."""
    if not is_name(processor):
        raise ProcessorUnknown(processor)
    try:
        return await seal_control(
            connection, log_id=log_id, event=Event.PROCESSOR_ADDED, act="processor:add", actor=actor, target=processor,
            detail={"name": name}, body={"id": processor, "name": name},
        )  # fmt: skip
    except ControlRefused as taken:
        raise NameTaken(processor) from taken


async def current_contract(
    connection: Connection, processor: str, attributes: Mapping[str, AttributeType]
) -> tuple[int, Contract | None]:
    """Return the version in force (0: none) and the contract. Raises `ContractInvalid` where this version of Écluse can't read it."""
    row = await connection.fetchrow(
        "select version, text from ecluse.contract where processor_id = $1 order by version desc limit 1", processor
    )
    return (0, None) if row is None else (row["version"], parse_contract(row["text"], attributes))


async def apply_contract(
    connection: Connection, *, log_id: int, text: str, attributes: Mapping[str, AttributeType], actor: str
) -> Applied:
    """Put a contract file in force: its text, version and hash are kept, its hash is sealed.

    Raises `ContractInvalid` (all findings), `ProcessorUnknown`.
    """
    contract = parse_contract(text, attributes)
    processor, digest = contract.processor.id, contract_hash(text)
    for _ in range(_TRIES):
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            seq = (await read_head(connection, log_id)).control_seq
            known = await connection.fetchval("select true from ecluse.processor where id = $1", processor)
            version, before = await current_contract(connection, processor, attributes)
        if not known:
            raise ProcessorUnknown(processor)
        try:
            sealed = await seal_control(
                connection, log_id=log_id, event=Event.CONTRACT_APPLIED, act="contract:apply", actor=actor,
                target=f"{processor}/{version + 1}", processor=processor,
                detail={"hash": digest, "reference": contract.reference, "version": version + 1}, expected_seq=seq,
                body={"version": version + 1, "reference": contract.reference, "text": text, "hash": digest, "actor": actor},
            )  # fmt: skip
        except LedgerStale:
            continue
        changes = diff_contracts(before, contract) if before is not None else ()
        return Applied(
            processor=processor,
            version=version + 1,
            hash=digest,
            changes=changes,
            index=sealed.index,
            control_seq=sealed.control_seq,
        )
    raise LedgerStale


async def add_agent(connection: Connection, *, log_id: int, processor: str, label: str, actor: str) -> tuple[AgentId, Control]:
    """Register one of a processor's people. ``label``: how the processor calls it; it stays with the controller and is not sealed."""
    agent = AgentId(new_id("agt"))
    try:
        sealed = await seal_control(
            connection, log_id=log_id, event=Event.AGENT_ADDED, act="agent:add", actor=actor, target=agent, processor=processor, detail={},
            body={"id": agent, "label": label},
        )  # fmt: skip
    except ControlRefused as absent:
        raise ProcessorUnknown(processor) from absent
    return agent, sealed


async def place_hold(
    connection: Connection, *, log_id: int, scope: str, target: str, effect: str, reason: str, actor: str,
    register: RegisterMap | None = None, from_at: datetime | None = None, until_at: datetime | None = None,
) -> tuple[HoldId, Control]:  # fmt: skip
    """Suspend, freeze or keep one processor, client, agent, contract or person, from an instant (None: now) until another (None: until released).

    ``register``: needed for a person, whose reference must be in its one spelling, or the hold would hold nobody. Raises `HoldUnknown`, `AgentUnknown`.
    """
    if scope not in SCOPES or effect not in EFFECTS:
        raise HoldUnknown(f"{scope}/{effect}")
    if until_at is not None and until_at <= (from_at or clock.now()):
        raise HoldUnknown("the hold ends before it begins. Give a later end")
    await _check_target(connection, scope, target, register)
    hold = HoldId(new_id("hld"))
    span = {"from": sealed_text(from_at) if from_at else None, "until": sealed_text(until_at) if until_at else None}
    person = scope == "person"
    detail = {"scope": scope, "target": None if person else target, "effect": effect, "reason": reason, **span}
    sealed = await seal_control(
        connection, log_id=log_id, event=Event.HOLD_PLACED, act="hold:place", actor=actor, target=hold, subject=target if person else None, detail=detail,
        processor=target if scope in {"processor", "contract"} else None,
        body={"id": hold, "scope": scope, "scope_id": target, "effect": effect, "reason": reason, "actor": actor, **span},
    )  # fmt: skip
    return hold, sealed


async def _check_target(connection: Connection, scope: str, target: str, register: RegisterMap | None) -> None:
    """Refuse a hold on something that is not there: it would hold nothing."""
    if scope == "person":
        if register is None:
            raise AssertionError("impossible: a hold on a person without the register's mapping")
        try:
            parse_subject_ref(target, register)
        except SubjectRefInvalid as bad:
            raise HoldUnknown(f"not a reference of a person: {bad.why}") from bad
        return
    table = {"processor": "processor", "contract": "processor", "client": "client", "agent": "agent"}[scope]
    if not await connection.fetchval(f"select true from ecluse.{table} where id = $1", target):  # noqa: S608 - a word of the line above
        raise AgentUnknown(scope) if scope == "agent" else HoldUnknown(scope)


async def release_hold(connection: Connection, *, log_id: int, hold: str, actor: str) -> Control:
    """End a hold now."""
    if not is_id(hold, "hld"):
        raise HoldUnknown(hold)
    try:
        return await seal_control(
            connection,
            log_id=log_id,
            event=Event.HOLD_RELEASED,
            act="hold:release",
            actor=actor,
            target=hold,
            detail={},
            body={"id": hold},
        )
    except ControlRefused as absent:
        raise HoldUnknown(hold) from absent
