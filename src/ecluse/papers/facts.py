"""Assembling `Facts` from live configuration, the database and the ledger, as of one instant. It reads as ``ecluse_reader`` and changes nothing.

Settings, ``papers.toml`` and ``register.toml`` are those of today: they keep no history, and a paper of an earlier day says so. Contracts, documents, findings,
overrides and the ledger are of that day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from ecluse.contracts import (
    Contract,
    ContractInvalid,
    Document,
    EvidenceKind,
    Form,
    Gatekeeper,
    Standing,
    diff_contracts,
    parse_contract,
)
from ecluse.contracts.check import EEA
from ecluse.contracts.gate import day_after
from ecluse.contracts.history import GateHistory
from ecluse.contracts.store import standing_of
from ecluse.ledger import commit, fields_of, leaf_hash
from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.serve import current_log, inclusion, keys_of, log_of
from ecluse.papers.errors import NoContract, PaperTooEarly
from ecluse.papers.measures import House, measures_of
from ecluse.papers.model import (
    Activity,
    Body,
    Datum,
    EvidenceFacts,
    Facts,
    FindingFacts,
    GateChange,
    Hold,
    LedgerFacts,
    OverrideFacts,
    ProcessorFacts,
    Proof,
    Signature,
    SubProcessorFacts,
    Version,
)  # fmt: skip
from ecluse.papers.store import Snapshot, read_snapshot, rows_of
from ecluse.papers.weigh import YEAR, changes, good_until, last_day
from ecluse.register.model import Attribute, Category, RegisterMap, Sensitivity
from ecluse.settings import Settings

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import asyncpg

    from ecluse.db import Connection
    from ecluse.register import AttributeType

LOG_ID = 1
_MONTH = timedelta(days=31)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the installation's files say: settings, the register's map, and ``papers.toml``."""

    settings: Settings
    register: RegisterMap
    activity: Activity
    joint: tuple[Body, ...]

    @property
    def attributes(self) -> dict[str, AttributeType]:
        """Return what the register maps."""
        return {name: each.type for name, each in self.register.attributes.items()}


async def assemble(connection: Connection, said: Said, at: datetime | None = None, *, only: str | None = None) -> Facts:
    """Assemble the facts of an instant (None: now, by the database's clock); ``only``: of this processor.

    Raises `PaperTooEarly`, `NoContract` (for ``only``), and `ContractInvalid` where a contract then in force can't be read any more.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        now: datetime = await connection.fetchval("select ecluse.clock()")
        at = now if at is None else at
        if at > now:
            raise PaperTooEarly(f"{at.astimezone(said.settings.zone):%Y-%m-%d}")
        ledger = await _ledger(connection, at)
        read = await read_snapshot(connection, at, at - said.settings.retention.openings_months * _MONTH, only)
        witnessed = await _witnessed(connection, at)
        if only is not None and only not in read.versions:
            raise NoContract(only, f"{at.astimezone(said.settings.zone):%Y-%m-%d}")
        house = _house(said.settings, ledger.origin, witnessed=witnessed)
        maker = _Maker(said, read, at, house)
        processors = [
            maker.processor(name, await _proof(connection, read, name, at)) for name in read.versions if only in {None, name}
        ]
    return Facts(
        at=at.astimezone(UTC), timezone=said.settings.controller.timezone, controller=controller_of(said.settings), joint=said.joint, activity=said.activity,
        register_id=said.register.id, register_name=said.register.name,
        data=tuple(
            Datum(name=each.name, type=each.type, category=each.category, sensitivity=each.sensitivity) for each in said.register.attributes.values()
        ),
        processors=tuple(sorted(processors, key=lambda one: one.id)), openings_months=said.settings.retention.openings_months, ledger=ledger,
        counted=read.counted,
    )  # fmt: skip


def controller_of(settings: Settings) -> Body:
    """Return who runs the register."""
    names = ("name", "country", "address", "registration", "contact", "reach", "representative", "dpo")
    return Body(**{name: getattr(settings.controller, name) for name in names})


def _house(settings: Settings, origin: str, *, witnessed: bool) -> House:
    """Return what measures name of the installation."""
    return House(
        origin=origin, public_url=settings.public_url, openings_months=settings.retention.openings_months, max_uncosigned=settings.ledger.max_uncosigned,
        max_uncosigned_frozen=settings.ledger.max_uncosigned_frozen, stamped=bool(settings.ledger.anchor_url), witnessed=witnessed,
    )  # fmt: skip


async def _witnessed(connection: Connection, at: datetime) -> bool:
    """Tell whether the witness policy in force at an instant asks for a quorum."""
    rows = await rows_of(connection, "paper_quorum", await current_log(connection, LOG_ID), at)
    return bool(rows) and rows[0]["quorum_since"] is not None


async def _ledger(connection: Connection, at: datetime) -> LedgerFacts:
    """Read the log that is written now and its last head of the instant."""
    log = await log_of(connection, await current_log(connection, LOG_ID))
    vkeys = tuple(key.vkey for key in await keys_of(connection, log.id)) or (log.vkey,)
    heads = await rows_of(connection, "paper_checkpoint", log.id, at)
    if not heads:
        return LedgerFacts(origin=log.origin, vkeys=vkeys, size=0, root="", signed_at=None, note="")
    head = heads[0]
    return LedgerFacts(
        origin=log.origin, vkeys=vkeys, size=head["size"], root=head["root"].hex(), signed_at=head["signed_at"], note=head["note"]
    )


async def _proof(connection: Connection, read: Snapshot, processor: str, at: datetime) -> Proof | None:
    """Prove that the entry of the version in force is under its log's last head; None where no head covers it yet, or its opening is gone."""
    version = read.versions[processor][-1]["version"]
    row = next((each for each in read.applied[processor] if _object(each) == f"{processor}/{version}"), None)
    if row is None:
        return None
    heads = await rows_of(connection, "paper_checkpoint", row["log_id"], at)
    if not heads or row["index"] >= heads[0]["size"]:
        return None
    size: int = heads[0]["size"]
    try:
        path = await inclusion(connection, row["log_id"], row["index"], size)
    except (NotPublished, RangeRefused):
        return None
    fields = fields_of(row["fields"])
    salts = [row["salts"][32 * rank : 32 * rank + 32].hex() for rank in range(len(fields))]
    opened = [[name, salt, value] for (name, value), salt in zip(fields, salts, strict=True)]
    committed = commit(fields, row["salts"])
    opening = {"fields": opened, "h": committed.hour, "k": "control", "v": 1}
    return Proof(
        origin=(await log_of(connection, row["log_id"])).origin, index=row["index"], size=size, root=heads[0]["root"].hex(), leaf=row["leaf"].decode(),
        leaf_hash=leaf_hash(row["leaf"]).hex(), path=tuple(each.hex() for each in path), opening=msgspec.json.encode(opening).decode(),
    )  # fmt: skip


def _object(row: asyncpg.Record) -> object:
    """Return what a control entry was about."""
    return dict(fields_of(row["fields"])).get("object")


class _Maker:
    """Makes each processor's facts out of the rows read."""

    def __init__(self, said: Said, read: Snapshot, at: datetime, house: House) -> None:
        """Speak of the instant ``at``."""
        self._said, self._read, self._at, self._house = said, read, at, house
        self._zone: ZoneInfo = said.settings.zone

    def processor(self, name: str, proof: Proof | None) -> ProcessorFacts:
        """Make the facts of one processor."""
        rows, read, at = self._read.versions[name], self._read, self._at
        contract = parse_contract(rows[-1]["text"], self._said.attributes)
        contracts = {row["version"]: self._parsed(row["text"]) for row in rows[:-1]} | {rows[-1]["version"]: contract}
        versions = tuple(self._version(row, name, readable=contracts[row["version"]] is not None) for row in rows)
        standing = standing_of(read.standing.get(name))
        evidence = tuple(self._evidence(row, standing.documents, contract) for row in read.evidence[name])
        ahead = Gatekeeper(contract, _known_at(standing, at), self._zone)
        past = GateHistory([(row["applied_at"], self._keeper(contracts[row["version"]], standing)) for row in rows])
        now = ahead.at(at)
        subs = self._sub_processors(contract, name)
        return ProcessorFacts(
            id=name, body=_body(contract), contract=contract, version=versions[-1], versions=versions, nature=contract.nature or "",
            subject_matter=contract.subject_matter or "", sub_processors=subs, evidence=evidence,
            findings=tuple(self._finding(row) for row in read.findings[name]), overrides=tuple(map(self._override, read.overrides[name])),
            holds=tuple(map(self._hold, read.holds[name])), gate=GateChange(at=at, state=now.state, reasons=now.reasons),
            gate_history=changes(past.changes(at - YEAR, at)), gate_ahead=changes(ahead.changes(at, at + YEAR))[1:],
            signature=self._signature(evidence, versions, contracts, contract), categories=self._categories(contract),
            special=self._special(contract), third_countries=tuple(sorted({contract.processor.country, *(sub.country for sub in subs)} - EEA)),
            measures=tuple(measures_of(contract, self._house)), proof=proof, observed=read.observed[name],
        )  # fmt: skip

    def _parsed(self, text: str) -> Contract | None:
        """Read an earlier version; None where the register's map no longer fits it."""
        try:
            return parse_contract(text, self._said.attributes)
        except ContractInvalid:
            return None

    def _version(self, row: asyncpg.Record, name: str, *, readable: bool) -> Version:
        """Make one version, with the index of its entry."""
        index = next((each["index"] for each in self._read.applied[name] if _object(each) == f"{name}/{row['version']}"), None)
        keys = ("version", "reference", "hash", "applied_at", "applied_by")
        return Version(**{key: row[key] for key in keys}, index=index, readable=readable)

    def _keeper(self, contract: Contract | None, standing: Standing) -> Gatekeeper | None:
        """Return what knows one version's gate."""
        return None if contract is None else Gatekeeper(contract, standing, self._zone)

    def _evidence(self, row: asyncpg.Record, documents: tuple[Document, ...], contract: Contract) -> EvidenceFacts:
        """Weigh one document."""
        document = next(each for each in documents if each.id == row["id"])
        until = good_until(document, documents, contract, at=self._at, zone=self._zone)
        keys = (
            "id",
            "kind",
            "title",
            "issuer",
            "scope",
            "reviewed_on",
            "ends_on",
            "bridges",
            "sha256",
            "accepted_by",
            "accepted_at",
        )
        return EvidenceFacts(
            **{key: row[key] for key in keys}, sites=tuple(row["sites"]),
            period=None if row["period_from"] is None else (row["period_from"], row["period_until"]), withdrawn_at=self._by_then(row["withdrawn_at"]),
            required=any(each.kind == row["kind"] for each in contract.evidence_required), counts=until is not None, good_through=last_day(until, self._zone),
        )  # fmt: skip

    def _finding(self, row: asyncpg.Record) -> FindingFacts:
        """Make one finding, as it stood."""
        closed = self._by_then(row["closed_at"])
        keys = ("id", "source", "severity", "title", "due_on", "opened_at")
        return FindingFacts(
            **{key: row[key] for key in keys}, closed_at=closed, closing=row["closing"] if closed else None,
            overdue=closed is None and self._at >= day_after(row["due_on"], self._zone),
        )  # fmt: skip

    def _override(self, row: asyncpg.Record) -> OverrideFacts:
        """Make one override, as it stood."""
        keys = ("id", "why", "hours", "asked_by", "approved_by", "approved_at")
        return OverrideFacts(
            **{key: row[key] for key in keys}, reasons=tuple(row["reasons"]), revoked_at=self._by_then(row["revoked_at"])
        )

    def _hold(self, row: asyncpg.Record) -> Hold:
        """Make one hold, as it stood."""
        keys = ("id", "scope", "effect", "reason", "placed_by", "from_at", "until_at")
        return Hold(**{key: row[key] for key in keys}, released_at=self._by_then(row["released_at"]))

    def _by_then(self, instant: datetime | None) -> datetime | None:
        """Return an instant if it had come."""
        return instant if instant is not None and instant <= self._at else None

    def _given(self, contract: Contract) -> list[Attribute]:
        """Return the attributes that a contract gives, in the register's order."""
        named = {
            name
            for purpose in contract.purposes.values()
            for name, form in purpose.attributes.items()
            if form is not Form.WITHHELD
        }
        return [each for name, each in self._said.register.attributes.items() if name in named]

    def _categories(self, contract: Contract) -> tuple[Category, ...]:
        """Return the categories of data that a contract gives."""
        return tuple(dict.fromkeys(each.category for each in self._given(contract)))

    def _special(self, contract: Contract) -> tuple[str, ...]:
        """Return the attributes of Art. 9 or 10 that a contract gives."""
        return tuple(each.name for each in self._given(contract) if each.sensitivity is Sensitivity.SPECIAL)

    def _sub_processors(self, contract: Contract, name: str) -> tuple[SubProcessorFacts, ...]:
        """Join those that the contract names with those of the processor's own list, the newest that counts."""
        lists = [
            row
            for row in self._read.evidence[name]
            if row["kind"] == EvidenceKind.SUB_PROCESSOR_LIST and self._by_then(row["withdrawn_at"]) is None
        ]
        listed = {each["name"]: each for each in msgspec.json.decode(lists[0]["sub_processors"])} if lists else {}
        declared = {each.name: each for each in contract.sub_processors}
        return tuple(
            _sub_processor(declared.get(each), listed.get(each, {}), each)
            for each in [*declared, *(each for each in listed if each not in declared)]
        )

    def _signature(
        self,
        evidence: tuple[EvidenceFacts, ...],
        versions: tuple[Version, ...],
        contracts: Mapping[int, Contract | None],
        now: Contract,
    ) -> Signature | None:
        """Find the act signed last, the version it was of, and what changed since."""
        signed = [each for each in evidence if each.kind == EvidenceKind.SIGNED_CONTRACT and each.withdrawn_at is None]
        if not signed:
            return None
        act = max(signed, key=lambda one: (one.reviewed_on, one.accepted_at))
        ends = day_after(act.reviewed_on, self._zone)
        version = ([each for each in versions if each.applied_at < ends] or versions[:1])[-1]
        then = contracts[version.version]
        return Signature(
            evidence=act.id, signed_on=act.reviewed_on, version=version.version, readable=then is not None,
            changes=() if then is None else diff_contracts(then, now),
        )  # fmt: skip


def _sub_processor(declared: object, listed: Mapping[str, str], name: str) -> SubProcessorFacts:
    """Join one sub-processor: the list says what the contract leaves out."""
    said = {key: getattr(declared, key, None) or listed.get(key) or "" for key in ("country", "role", "address", "contact")}
    return SubProcessorFacts(name=name, **said, declared=declared is not None, listed=bool(listed))


def _body(contract: Contract) -> Body:
    """Return the processor as the contract names it."""
    said = contract.processor
    return Body(
        name=said.name, country=said.country, registration=said.siren or "", reach=said.security_contact, address=said.address or "",
        contact=said.contact or "", representative=said.representative or "", dpo=said.dpo or "",
    )  # fmt: skip


def _known_at(standing: Standing, at: datetime) -> Standing:
    """Forget what was not yet known at an instant: what comes after it is what time alone will do."""

    def known(instant: datetime | None) -> datetime | None:
        return instant if instant is not None and instant <= at else None

    replace = msgspec.structs.replace
    return Standing(
        documents=tuple(
            replace(each, withdrawn_at=known(each.withdrawn_at)) for each in standing.documents if each.accepted_at <= at
        ),
        findings=tuple(replace(each, closed_at=known(each.closed_at)) for each in standing.findings if each.opened_at <= at),
        overrides=tuple(replace(each, revoked_at=known(each.revoked_at)) for each in standing.overrides if each.from_at <= at),
    )
