"""Documents, findings and overrides on a real database: what is refused, what is sealed, what moves the gate; tampering gives an error, never bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from ecluse.contracts import Severity
from ecluse.contracts.errors import ProcessorUnknown
from ecluse.evidence import (
    EvidenceBroken,
    EvidenceRefused,
    EvidenceState,
    EvidenceUnknown,
    FindingUnknown,
    KeptOverride,
    OverrideOwn,
    OverrideUnknown,
    Source,
    TooManyWaiting,
    foresee,
    service,
)
from ecluse.evidence.model import MOST_WAITING, Evidence
from ecluse.evidence.parse import read_list
from ecluse.evidence.vault import Vault
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.fields import Event
from ecluse.ledger.service import seal_control
from ecluse.register import parse_register
from tests.agency import Agency
from tests.evidence.papers import LIST, SECRET, contract_with, pdf, said
from tests.invented import register_toml

pytestmark = pytest.mark.db

ATTRIBUTES = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}
NOBODY = "evd_" + "a" * 26


@dataclass(frozen=True, kw_only=True)
class Bureau:
    """The controller's office for one processor, on one connection of the gate's role."""

    agency: Agency
    app: asyncpg.Connection
    name: str

    @property
    def rules(self) -> dict[str, Any]:
        """What reads a contract, and its days."""
        return {"attributes": ATTRIBUTES, "timezone": self.agency.installation.settings.zone}

    async def submit(self, content: bytes | None = None, *, actor: str = "client:x", **changes: Any) -> Evidence:
        """Hand something in."""
        asked = said(self.name, **{"reviewed_on": await self.today(), **changes})
        submitted = await service.submit(self.app, SECRET, asked, content or pdf(), actor=actor, **self.rules)
        return submitted.evidence

    async def accept(self, evidence: Evidence, actor: str = "cli:anna") -> int:
        """Accept it; return its entry's index."""
        return (await service.accept(self.app, SECRET, evidence.id, log_id=1, actor=actor)).index

    async def gate(self) -> tuple[str, tuple[str, ...]]:
        """Compute the gate now."""
        foreseen = await service.foresee(self.app, self.name, lambda standing, _: standing, **self.rules)
        assert foreseen is not None
        return foreseen.before.state.value, foreseen.before.reasons

    async def today(self) -> date:
        """Tell the day, as the database's clock has it."""
        return (await self.agency.now()).astimezone(self.agency.installation.settings.zone).date()

    async def find(self, severity: Severity = Severity.CRITICAL, due_in: int = 10, **changes: Any) -> str:
        """Open a finding."""
        facts = {
            "processor": self.name, "source": Source.AUDIT, "severity": severity, "title": "Un compte partagé", "actor": "cli:anna",
            "due_on": await self.today() + timedelta(days=due_in), "timezone": self.rules["timezone"], **changes,
        }  # fmt: skip
        return (await service.open_finding(self.app, log_id=1, **facts))[0]

    async def ask(self, *reasons: str, actor: str = "cli:anna", hours: int = 4) -> KeptOverride:
        """Ask for an override."""
        return await service.ask_override(
            self.app,
            processor=self.name,
            reasons=reasons,
            why="Une rentrée de 400 personnes",
            hours=hours,
            actor=actor,
            **self.rules,
        )


@asynccontextmanager
async def bureau(agency: Agency, *kinds: str, **terms: Any) -> AsyncIterator[Bureau]:
    """Bind a processor whose contract asks for these kinds."""
    party = await agency.bind()
    await agency.apply(contract_with(party.name, *kinds, **terms))
    async with agency.connected("ecluse_app") as app:
        yield Bureau(agency=agency, app=app, name=party.name)


async def control_seq(agency: Agency) -> int:
    """Read how often what may be disclosed was changed."""
    seq: int = (await agency.fetch("select control_seq from ecluse.ledger_head where log_id = 1"))[0]["control_seq"]
    return seq


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_submit_when_the_processor_is_unknown_then_refused(agency: Agency) -> None:
    """Nobody hands in for a processor that is not registered, whatever its name is made of."""
    async with bureau(agency) as office:
        for name in ("nobody-at-all", "no\x00name"):
            with pytest.raises(ProcessorUnknown):
                await office.submit(processor=name)


async def test_submit_when_refused_then_each_fault_says_where_and_nothing_is_kept(agency: Agency) -> None:
    """Faults come together, and the bytes of a refused document are not kept."""
    async with bureau(agency, "pentest") as office:
        tomorrow = await office.today() + timedelta(days=1)
        with pytest.raises(EvidenceRefused) as refused:
            await office.submit(reviewed_on=tomorrow, ends_on=date(2001, 1, 1), sites=("elsewhere",), bridges=NOBODY, title=" ")
        assert [fault.where for fault in refused.value.faults] == ["title", "reviewed_on", "ends_on", "bridges", "sites"]
        with pytest.raises(EvidenceRefused, match="it is not PDF"):
            await office.submit(b"\x7fELF\x02")
        assert await agency.fetch("select from ecluse.evidence where processor_id = $1", office.name) == []


async def test_submit_when_too_many_wait_then_refused_until_one_is_judged(agency: Agency) -> None:
    """Fifty documents may wait; a rejected one makes room."""
    async with bureau(agency) as office:
        kept = [await office.submit(b"Une ligne.\n") for _ in range(MOST_WAITING)]
        with pytest.raises(TooManyWaiting):
            await office.submit(b"Une ligne.\n")
        await service.reject(office.app, kept[0].id, actor="cli:anna", why="illisible")
        await office.submit(b"Une ligne.\n")


async def test_document_when_handed_in_then_it_moves_nothing_until_accepted(agency: Agency) -> None:
    """Submission seals nothing; acceptance is one entry that names id, hash and days, no title, and opens the gate."""
    async with bureau(agency, "pentest") as office:
        before = await control_seq(agency)
        found = await office.submit(period=(date(2026, 1, 1), date(2026, 1, 5)), sites=("large",), title="Titre à ne pas sceller")
        assert (found.state, await control_seq(agency)) == (EvidenceState.SUBMITTED, before)
        assert await office.gate() == ("frozen", ("evidence:missing:pentest",))
        index = await office.accept(found)
        assert await control_seq(agency) == before + 1
        assert (await office.gate())[0] == "open"
    (entry,) = await agency.openings(since=index)
    assert {name: entry[name] for name in ("event", "processor", "actor", "object", "detail")} == {
        "event": "control:evidence:accepted",
        "processor": office.name,
        "actor": "cli:anna",
        "object": found.id,
        "detail": {
            "bridges": None,
            "ends_on": None,
            "id": found.id,
            "kind": "pentest",
            "period": ["2026-01-01", "2026-01-05"],
            "reviewed_on": found.reviewed_on.isoformat(),
            "sha256": found.sha256,
            "sites": ["large"],
            "sub_processors": None,
        },
    }
    assert "sceller" not in str(entry)


async def test_document_when_judged_twice_then_refused(agency: Agency) -> None:
    """What is accepted can't be accepted again or rejected, what is rejected or withdrawn stays so, what is unknown is said to be."""
    async with bureau(agency, "pentest") as office:
        accepted, rejected = await office.submit(), await office.submit()
        with pytest.raises(EvidenceUnknown):
            await service.withdraw(office.app, accepted.id, log_id=1, actor="cli:anna")
        await office.accept(accepted)
        assert (await service.reject(office.app, rejected.id, actor="cli:anna", why="périmé")).state is EvidenceState.REJECTED
        for one in (accepted, rejected):
            with pytest.raises(EvidenceUnknown):
                await office.accept(one)
            with pytest.raises(EvidenceUnknown):
                await service.reject(office.app, one.id, actor="cli:anna", why="x")
        await service.withdraw(office.app, accepted.id, log_id=1, actor="cli:anna")
        assert await office.gate() == ("frozen", ("evidence:lapsed:pentest",))
        for name in (accepted.id, NOBODY, "evd_x", "\x00"):
            with pytest.raises(EvidenceUnknown):
                await service.withdraw(office.app, name, log_id=1, actor="cli:anna")


async def test_bridge_when_it_leads_astray_then_refused(agency: Agency) -> None:
    """A bridge to another kind, another processor, a withdrawn or rejected document, or another bridge is refused; so is accepting one before its base."""
    async with bureau(agency, "pentest") as office, bureau(agency, "pentest") as other:
        base, audit, foreign = await office.submit(), await office.submit(kind="audit"), await other.submit()
        gone, said_no = await office.submit(), await office.submit()
        await office.accept(gone)
        await service.withdraw(office.app, gone.id, log_id=1, actor="cli:anna")
        await service.reject(office.app, said_no.id, actor="cli:anna", why="x")
        bridge = await office.submit(bridges=base.id)
        for wrong in (audit, foreign, gone, said_no, bridge):
            with pytest.raises(EvidenceRefused, match="bridges"):
                await office.submit(bridges=wrong.id)
        with pytest.raises(EvidenceRefused, match="would prolong nothing"):
            await office.accept(bridge)
        await office.accept(base)
        await office.accept(bridge)


async def test_kind_when_the_contract_does_not_ask_for_it_then_taken_with_a_warning(agency: Agency) -> None:
    """It is kept, and said that it moves nothing."""
    async with bureau(agency, "pentest") as office:
        asked = said(office.name, kind="insurance")
        submitted = await service.submit(office.app, SECRET, asked, pdf(), actor="cli:anna", **office.rules)
    assert [warning.where for warning in submitted.warnings] == ["kind"]


async def test_document_when_read_back_then_the_same_bytes_and_sealed_at_rest(agency: Agency) -> None:
    """What is kept is no part of what was handed in; what is read back is all of it."""
    async with bureau(agency) as office:
        content = b"Procedure confidentielle.\n" * 40
        found = await office.submit(content)
        assert await service.fetch(office.app, SECRET, found.id) == (found, content)
        sealed = await office.app.fetchval("select sealed from ecluse.evidence_document where evidence_id = $1", found.id)
    assert b"confidentielle" not in sealed
    assert len(sealed) == len(content) + 28


@pytest.mark.parametrize("what", ["cipher", "short", "hash", "swapped", "length", "kind", "gone", "key"])
async def test_document_when_tampered_with_then_an_error_never_bytes(agency: Agency, what: str) -> None:
    """Whatever a database administrator changes of row or ciphertext, nothing is read and nothing is accepted."""
    async with bureau(agency) as office:
        found, other = await office.submit(b"Une ligne.\n"), await office.submit(b"Autre ligne\n")
        changes = {
            "cipher": "update ecluse.evidence_document set sealed = set_byte(sealed, 15, get_byte(sealed, 15) # 1) where evidence_id = $1",
            "short": "update ecluse.evidence_document set sealed = substring(sealed, 1, 20) where evidence_id = $1",
            "hash": "update ecluse.evidence set sha256 = repeat('0', 64) where id = $1",
            "swapped": "update ecluse.evidence_document d set sealed = (select o.sealed from ecluse.evidence_document o where o.evidence_id = $2) "
            "where d.evidence_id = $1",
            "length": "update ecluse.evidence set bytes = 10 where id = $1",
            "kind": "update ecluse.evidence set media_type = 'application/pdf' where id = $1",
            "gone": "delete from ecluse.evidence_document where evidence_id = $1",
            "key": "",
        }
        if changes[what]:
            async with agency.administered("ledger") as admin:
                await admin.execute("set session_replication_role = replica")  # past the triggers
                await admin.execute(changes[what], found.id, *([other.id] if "$2" in changes[what] else []))
        vault = Vault({1: b"\x02" * 32}) if what == "key" else SECRET
        with pytest.raises(EvidenceBroken):
            await service.fetch(office.app, vault, found.id)
        with pytest.raises(EvidenceBroken):
            await service.accept(office.app, vault, found.id, log_id=1, actor="cli:anna")


async def test_list_of_sub_processors_when_one_is_undeclared_then_the_gate_would_freeze(agency: Agency) -> None:
    """What acceptance would do is told before it: a sub-processor that the contract does not name freezes."""
    async with bureau(agency) as office:
        found = await office.submit(LIST.encode(), kind="sub-processor-list", sub_processors=read_list(LIST.encode()))
        foreseen = await service.foresee(office.app, office.name, lambda s, at: foresee.if_accepted(s, found, at), **office.rules)
        assert foreseen is not None
        assert (foreseen.before.state.value, foreseen.after.state.value) == ("open", "frozen")
        await office.accept(found)
        assert await office.gate() == (foreseen.after.state.value, foreseen.after.reasons)
        assert [each.name for each in found.sub_processors] == ["Hébergeur Rhône", "Nordic Backup Oy"]
    assert "rssi@" not in repr(found)


async def test_deletion_attestation_when_the_contract_has_ended_then_the_reason_goes(agency: Agency) -> None:
    """An ended contract says that the attestation is missing until one is accepted."""
    async with bureau(agency, ends_on="2025-12-31") as office:
        assert await office.gate() == ("closed", ("contract:dates:ended", "evidence:missing:deletion-attestation"))
        await office.accept(await office.submit(kind="deletion-attestation"))
        assert await office.gate() == ("closed", ("contract:dates:ended",))


# ── findings ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("severity", "days"), [(Severity.CRITICAL, 31), (Severity.HIGH, 91), (Severity.MEDIUM, 366), (Severity.LOW, 366)]
)
async def test_finding_when_due_too_late_then_refused(agency: Agency, severity: Severity, days: int) -> None:
    """A critical finding is due within 30 days, a high one within 90, any within a year; the last day itself is taken."""
    async with bureau(agency) as office:
        with pytest.raises(EvidenceRefused, match="due_on"):
            await office.find(severity, days)
        await office.find(severity, days - 1)


async def test_finding_when_it_is_no_text_or_of_nobody_then_refused(agency: Agency) -> None:
    """A finding has a title of one line and a processor; what is closed stays closed, in words."""
    async with bureau(agency) as office:
        for title in ("", "a\nb", "a\x00b"):
            with pytest.raises(EvidenceRefused, match="title"):
                await office.find(title=title)
        with pytest.raises(ProcessorUnknown):
            await office.find(processor="nobody-at-all")
        finding = await office.find()
        with pytest.raises(EvidenceRefused, match="done"):
            await service.close_finding(office.app, finding, log_id=1, closing="", actor="cli:anna")
        await service.close_finding(office.app, finding, log_id=1, closing="Comptes nominatifs", actor="cli:bruno")
        for name in (finding, "fnd_" + "a" * 26, "x\x00"):
            with pytest.raises(FindingUnknown):
                await service.close_finding(office.app, name, log_id=1, closing="x", actor="cli:anna")


async def test_finding_when_overdue_then_frozen_until_closed_and_sealed_without_its_words(agency: Agency) -> None:
    """An overdue critical finding freezes, its closing opens; entries hold id, severity, source and day."""
    async with bureau(agency) as office:
        since = await agency.size()
        finding = await office.find(due_in=-1)
        assert await office.gate() == ("frozen", (f"finding:overdue:{finding}",))
        due = await office.today() - timedelta(days=1)
        await service.close_finding(office.app, finding, log_id=1, closing="Comptes nominatifs", actor="cli:bruno")
        assert (await office.gate())[0] == "open"
    opened, closed = await agency.openings(since=since)
    detail = {"due_on": due.isoformat(), "id": finding, "severity": "critical", "source": "audit"}
    assert (opened["event"], opened["detail"], opened["object"]) == ("control:finding:opened", detail, finding)
    assert (closed["event"], closed["detail"], closed["actor"]) == ("control:finding:closed", {"id": finding}, "cli:bruno")
    assert "partagé" not in str(opened)


# ── overrides ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_override_when_it_lifts_what_it_may_not_then_refused(agency: Agency) -> None:
    """The contract's own lacks, a reason that does not freeze now, none, and no time at all can't be asked for."""
    async with bureau(agency, "pentest", clauses=("28.3.a",)) as office:
        for reasons in (
            ("contract:clause:missing:28.3.b",),
            ("evidence:missing:audit",),
            (),
            ("evidence:missing:pentest",) * 2,
            ("x\x00",),
        ):
            with pytest.raises(EvidenceRefused):
                await office.ask(*reasons)
        for hours in (0, 73):
            with pytest.raises(EvidenceRefused, match="hours"):
                await office.ask("evidence:missing:pentest", hours=hours)
        assert (await office.ask("evidence:missing:pentest")).state == "asked"


async def test_override_when_one_person_asks_and_approves_then_refused(agency: Agency) -> None:
    """One person can't lift anything, neither through the use case nor through the door itself."""
    async with bureau(agency, "pentest") as office:
        asked = await office.ask("evidence:missing:pentest")
        with pytest.raises(OverrideOwn):
            await service.approve_override(office.app, asked.id, log_id=1, actor="cli:anna")
        body = {"id": asked.id, "hours": 4, "reasons": list(asked.reasons), "actor": "cli:anna"}
        with pytest.raises(ControlRefused):
            await seal_control(
                office.app, log_id=1, event=Event.OVERRIDE_APPROVED, act="override:approve", actor="cli:anna", target=asked.id, detail={}, body=body,
                processor=office.name,
            )  # fmt: skip
        assert (await office.gate())[0] == "frozen"


async def test_override_when_asked_a_day_ago_then_it_can_no_longer_be_approved(agency: Agency) -> None:
    """A microsecond before its day is over it can be approved, from then on never."""
    async with bureau(agency, "pentest") as office:
        in_time, late = await office.ask("evidence:missing:pentest"), await office.ask("evidence:missing:pentest")
        try:
            await agency.stop_clock(in_time.asked_at + timedelta(hours=24) - timedelta(microseconds=1))
            await service.approve_override(office.app, in_time.id, log_id=1, actor="cli:bruno")
            await agency.stop_clock(late.asked_at + timedelta(hours=24))
            assert (await service.override_of(office.app, late.id)).state == "lapsed"
            with pytest.raises(OverrideUnknown):
                await service.approve_override(office.app, late.id, log_id=1, actor="cli:bruno")
            body = {"id": late.id, "hours": 4, "reasons": list(late.reasons), "actor": "cli:bruno"}
            with pytest.raises(ControlRefused):
                await seal_control(
                    office.app, log_id=1, event=Event.OVERRIDE_APPROVED, act="override:approve", actor="cli:bruno", target=late.id, detail={},
                    body=body, processor=office.name,
                )  # fmt: skip
        finally:
            await agency.reset_clock()


async def test_override_when_two_persons_agree_then_lifted_for_its_hours_and_sealed(agency: Agency) -> None:
    """It opens from its approval for its hours to the microsecond, ends when revoked, and can't be approved or revoked twice."""
    async with bureau(agency, "pentest", "audit") as office:
        since, asked = await agency.size(), await office.ask("evidence:missing:pentest", "evidence:missing:audit")
        await service.approve_override(office.app, asked.id, log_id=1, actor="cli:bruno")
        state, reasons = await office.gate()
        assert (state, reasons[0]) == ("warn", f"override:{asked.id}")
        with pytest.raises(EvidenceRefused, match="does not freeze"):
            await office.ask("evidence:missing:pentest")
        with pytest.raises(OverrideUnknown):
            await service.approve_override(office.app, asked.id, log_id=1, actor="cli:carla")
        lifted = await service.override_of(office.app, asked.id)
        assert lifted.until_at is not None
        assert lifted.approved_at is not None
        assert lifted.until_at - lifted.approved_at == timedelta(hours=4)
        await service.revoke_override(office.app, asked.id, log_id=1, actor="cli:anna")
        assert (await office.gate())[0] == "frozen"
        with pytest.raises(OverrideUnknown):
            await service.revoke_override(office.app, asked.id, log_id=1, actor="cli:anna")
    approved, revoked = await agency.openings(since=since)
    detail = {
        "asked_by": asked.asked_by,
        "hours": 4,
        "id": asked.id,
        "reasons": ["evidence:missing:pentest", "evidence:missing:audit"],
    }
    assert [(each["event"], each["detail"]) for each in (approved, revoked)] == [
        ("control:override:approved", detail),
        ("control:override:revoked", detail),
    ]
    assert "rentrée" not in str(approved)


async def test_override_when_its_hours_are_over_then_frozen_again_with_nobody_at_work(agency: Agency) -> None:
    """No worker ends it: the next decision does."""
    async with bureau(agency, "pentest") as office:
        asked = await office.ask("evidence:missing:pentest", hours=1)
        await service.approve_override(office.app, asked.id, log_id=1, actor="cli:bruno")
        until = (await service.override_of(office.app, asked.id)).until_at
        assert until is not None
        try:
            await agency.stop_clock(until - timedelta(microseconds=1))
            assert (await office.gate())[0] == "warn"
            await agency.stop_clock(until)
            assert await office.gate() == ("frozen", ("evidence:missing:pentest",))
            with pytest.raises(OverrideUnknown):
                await service.revoke_override(office.app, asked.id, log_id=1, actor="cli:anna")
        finally:
            await agency.reset_clock()


# ── past the door ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "statement",
    [
        "update ecluse.evidence set accepted_by = 'me', accepted_at = now()",
        "update ecluse.evidence set withdrawn_by = 'me', withdrawn_at = now()",
        "update ecluse.evidence set reviewed_on = current_date",
        "update ecluse.evidence set sha256 = repeat('0', 64)",
        "update ecluse.evidence set submitted_at = now()",
        "insert into ecluse.evidence (id, submitted_at) values ('x', now())",
        "delete from ecluse.evidence",
        "truncate ecluse.evidence cascade",
        "update ecluse.evidence_document set sealed = ''",
        "delete from ecluse.evidence_document",
        "insert into ecluse.finding (id, source, severity, title, due_on, opened_by, opened_at) values ('x', 'audit', 'low', 'z', now(), 'me', now())",
        "update ecluse.finding set closed_by = 'me', closed_at = now(), closing = 'x'",
        "update ecluse.finding set due_on = 'infinity'",
        "delete from ecluse.finding",
        "update ecluse.gate_override set approved_by = 'me', approved_at = now()",
        "update ecluse.gate_override set hours = 72",
        "insert into ecluse.gate_override (id, reasons, why, hours, asked_by, asked_at) values ('x', '{z}', 'w', 1, 'me', now() + interval '1 year')",
        "delete from ecluse.gate_override",
        "select ecluse.govern('evidence:accept', 'x', '{}', now())",
    ],
)
async def test_gate_role_when_it_moves_a_gate_past_the_door_then_refused(agency: Agency, statement: str) -> None:
    """Whoever has the gate's password accepts, withdraws, opens, closes and approves nothing but by a sealed entry, and can't say when it was asked for."""
    async with agency.connected("ecluse_app") as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement)


async def test_tables_when_even_the_owner_deletes_then_refused(agency: Agency) -> None:
    """What was ever handed in, found or asked for is kept; what is over is not changed."""
    async with bureau(agency, "pentest") as office:
        found, finding = await office.submit(), await office.find()
        asked = await office.ask("evidence:missing:pentest")
        await service.reject(office.app, found.id, actor="cli:anna", why="x")
        for statement, name in (
            ("delete from ecluse.evidence where id = $1", found.id),
            ("delete from ecluse.finding where id = $1", finding),
            ("delete from ecluse.gate_override where id = $1", asked.id),
            ("update ecluse.evidence_document set sealed = ''::bytea where evidence_id = $1", found.id),
            ("update ecluse.evidence set rejected_why = 'y' where id = $1", found.id),
        ):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
                await agency.execute(statement, name)


async def test_override_when_the_table_is_asked_for_one_person_twice_then_a_constraint_refuses(agency: Agency) -> None:
    """Not even the owner of the tables can let one person stand in both places."""
    async with bureau(agency, "pentest") as office:
        asked = await office.ask("evidence:missing:pentest")
        with pytest.raises(asyncpg.CheckViolationError):
            await agency.execute(
                "update ecluse.gate_override set approved_by = asked_by, approved_at = ecluse.clock() where id = $1", asked.id
            )


async def test_acts_when_of_another_processor_then_refused_and_nothing_is_sealed(agency: Agency) -> None:
    """An entry that names one processor can't move another's gate."""
    async with bureau(agency, "pentest") as office, bureau(agency) as other:
        found = await office.submit()
        before = await control_seq(agency), await agency.size()
        with pytest.raises(ControlRefused):
            await seal_control(
                office.app, log_id=1, event=Event.EVIDENCE_ACCEPTED, act="evidence:accept", actor="cli:anna", target=found.id, detail={},
                body={"id": found.id, "sha256": found.sha256, "actor": "cli:anna"}, processor=other.name,
            )  # fmt: skip
        assert (await control_seq(agency), await agency.size()) == before
