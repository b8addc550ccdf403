"""The configuration that decisions read: contracts, what stands for and against their processors, agents, clients, holds, as of one ``control_seq``.

Not a cache of decisions: every decision is made anew from it, and ``seal()`` refuses the whole batch (``stale``) when the head's ``control_seq`` is no longer
the one it was read at. Person holds are not here: they come with each gathered row. A gate is computed when it is first asked for, and again at the instant
from which it could be another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ecluse.contracts import Contract, ContractInvalid, Gatekeeper, parse_contract
from ecluse.contracts.store import REMEMBERED, Rows, load_facts, standing_of
from ecluse.db import Connection
from ecluse.identity import PublicKey, parse_public_jwk
from ecluse.policy import Effect, Hold, Parties, Terms
from ecluse.register import AttributeType

_CONTRACTS: Final = """
select distinct on (c.processor_id) c.processor_id, c.version, c.hash from ecluse.contract c
join ecluse.processor p on p.id = c.processor_id where p.log_id = $1::smallint order by c.processor_id, c.version desc
"""
_TEXTS: Final = "select distinct on (hash) hash, text from ecluse.contract where hash = any($1::text[])"
_HOLDS: Final = """
select id, scope, scope_id, effect, from_at, nullif(until_at, 'infinity') as until_at from ecluse.hold
where released_at is null and scope in ('processor', 'client', 'agent', 'contract') -- named, not "all but person": the index is by scope
order by from_at, id
"""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A machine client and its keys in use. ``processor`` None: the controller's own."""

    id: str
    role: str
    processor: str | None
    keys: tuple[PublicKey, ...]


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """A contract as it was applied, read back. ``contract`` None: this version of Écluse can't read it: undetermined, never granted."""

    contract: Contract | None
    version: int
    hash: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All of it at one ``control_seq``. ``facts``: evidence, findings, overrides as read; ``keepers``, ``told``: touched by `terms` only."""

    control_seq: int
    zone: ZoneInfo
    contracts: Mapping[str, InForce]
    agents: Mapping[str, str]
    clients: Mapping[str, Client]
    holds: Mapping[tuple[str, str], tuple[Hold, ...]]
    facts: Mapping[str, Rows]
    keepers: dict[str, Gatekeeper]
    told: dict[str, Terms]

    def terms(self, processor: str, at: datetime) -> Terms | None:
        """Return the contract in force with its gate at ``at``; None without a readable contract."""
        terms = self.told.get(processor)
        if terms is not None and terms.gate.told_from <= at < terms.gate.told_until:
            return terms
        force = self.contracts.get(processor)
        if force is None or force.contract is None:
            return None
        keeper = self.keepers.get(processor)
        if keeper is None:
            keeper = self.keepers[processor] = Gatekeeper(force.contract, standing_of(self.facts.get(processor)), self.zone)
        terms = Terms(contract=force.contract, version=force.version, hash=force.hash, gate=keeper.at(at))
        self.told[processor] = terms
        return terms

    def unreadable(self, processor: str) -> bool:
        """Tell whether a contract is in force that can't be read."""
        force = self.contracts.get(processor)
        return force is not None and force.contract is None

    def parties(self, processor: str, client: str, agent: str, thumbprint: str) -> Parties:
        """Return what is known of those who ask. A key revoked after its token was issued is not in use any more."""
        known = self.clients.get(client)
        scopes = (("processor", processor), ("client", client), ("agent", agent), ("contract", processor))
        return Parties(
            agent_known=self.agents.get(agent) == processor,
            key_in_use=known is not None
            and known.processor == processor
            and any(key.thumbprint == thumbprint for key in known.keys),
            holds=tuple(hold for scope in scopes for hold in self.holds.get(scope, ())) if self.holds else (),
        )


@lru_cache(maxsize=65_536)
def _read_key(jwk: str) -> PublicKey:
    """Read a key, once: a text never changes, and each sign-in at a desk has all of them read again."""
    return parse_public_jwk(msgspec.json.decode(jwk))


async def load_snapshot(
    connection: Connection,
    log_id: int,
    zone: ZoneInfo,
    attributes: Mapping[str, AttributeType],
    parsed: dict[str, Contract | None],
) -> Snapshot:
    """Read everything in one repeatable-read transaction, so that it is of one ``control_seq``.

    ``parsed``: contracts by hash, kept by the caller between calls: a text never changes, and only new ones are read and parsed.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        seq = await connection.fetchval("select control_seq from ecluse.ledger_head where log_id = $1::smallint", log_id)
        contracts = await connection.fetch(_CONTRACTS, log_id)
        texts = await connection.fetch(_TEXTS, [row["hash"] for row in contracts if row["hash"] not in parsed])
        agents = await connection.fetch("select id, processor_id from ecluse.agent")
        clients = await connection.fetch("select id, role, processor_id from ecluse.client")
        keys = await connection.fetch(
            "select client_id, jwk from ecluse.client_key where revoked_at is null order by client_id, thumbprint"
        )
        holds = await connection.fetch(_HOLDS)
        facts = await load_facts(connection, [row["processor_id"] for row in contracts], REMEMBERED)
    parsed |= {row["hash"]: _read_contract(row["text"], attributes) for row in texts}
    by_client: dict[str, list[PublicKey]] = {}
    for key in keys:
        by_client.setdefault(key["client_id"], []).append(_read_key(key["jwk"]))
    by_scope: dict[tuple[str, str], tuple[Hold, ...]] = {}
    for row in holds:
        hold = Hold(
            id=row["id"], scope=row["scope"], effect=Effect(row["effect"]), from_at=row["from_at"], until_at=row["until_at"]
        )
        by_scope[row["scope"], row["scope_id"]] = (*by_scope.get((row["scope"], row["scope_id"]), ()), hold)
    return Snapshot(
        control_seq=seq,
        zone=zone,
        contracts={
            row["processor_id"]: InForce(contract=parsed[row["hash"]], version=row["version"], hash=row["hash"])
            for row in contracts
        },
        agents={row["id"]: row["processor_id"] for row in agents},
        clients={
            row["id"]: Client(
                id=row["id"], role=row["role"], processor=row["processor_id"], keys=tuple(by_client.get(row["id"], ()))
            )
            for row in clients
        },
        holds=by_scope,
        facts=facts,
        keepers={},
        told={},
    )


def _read_contract(text: str, attributes: Mapping[str, AttributeType]) -> Contract | None:
    """Read a contract's text as this version of Écluse and the present register mapping understand it; None where they can't."""
    try:
        return parse_contract(text, attributes)
    except ContractInvalid:
        return None
