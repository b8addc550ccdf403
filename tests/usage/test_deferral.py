"""Lines held back by law: never in bulk, never without a reason, a law and an end; afterwards they come, and say so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from ecluse.register import parse_register
from ecluse.usage import MOST_HELD_BACK, DeferralRefused, DeferralUnknown, Rule
from ecluse.usage.refuse import check_rule
from ecluse.usage.service import defer, release
from tests.agency import Agency
from tests.e2e.desk import Desk, at_work
from tests.invented import register_toml
from tests.usage.portal import check_proof, disclosures_of, portal_of, record_of

REGISTER: Final = parse_register(register_toml())
NOW: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
REASON: Final = "Enquête en cours"
LAW: Final = "CPP art. 11"


def rule(**changes: Any) -> Rule:
    """Write a good rule, changed."""
    good: dict[str, Any] = {
        "subject": "ofii:10", "processor": "lyon-formation", "purpose": None, "reason": REASON, "legal_basis": LAW, "until_at": NOW + timedelta(days=30),
    }  # fmt: skip
    return Rule(**(good | changes))


# ── which rules may be ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.unit
@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"subject": ""}, "person"),
        ({"subject": "*"}, "person"),
        ({"subject": "ofii:"}, "person"),
        ({"subject": "ofii"}, "person"),
        ({"subject": "other:10"}, "person"),
        ({"subject": 'ofii:["10","11"]', "processor": None}, "rule"),
        ({"processor": None, "purpose": None}, "rule"),
        ({"processor": "%"}, "processor"),
        ({"processor": "", "purpose": "civic-training"}, "processor"),
        ({"purpose": "Civic"}, "purpose"),
        ({"reason": ""}, "reason"),
        ({"reason": " "}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "x" * 301}, "reason"),
        ({"legal_basis": ""}, "legal basis"),
        ({"until_at": NOW}, "end"),
        ({"until_at": NOW - timedelta(seconds=1)}, "end"),
        ({"until_at": NOW + MOST_HELD_BACK + timedelta(microseconds=1)}, "end"),
        ({"until_at": datetime.max.replace(tzinfo=UTC)}, "end"),
    ],
    ids=str,
)
def test_rule_when_it_may_not_be_then_refused_and_nobody_is_named(changes: dict[str, Any], where: str) -> None:
    """No rule for everybody, for everything of a person, without a reason, a law or an end, or for too long; the refusal repeats no reference."""
    with pytest.raises(DeferralRefused) as refused:
        check_rule(rule(**changes), REGISTER, NOW)
    assert refused.value.where == where
    assert changes.get("subject") in {None, "", "*"} or changes["subject"] not in str(refused.value).replace("ofii:KEY", "")


@pytest.mark.unit
@pytest.mark.parametrize(
    "changes",
    [{}, {"until_at": NOW + MOST_HELD_BACK}, {"processor": None, "purpose": "civic-training"}, {"purpose": "civic-training"}],
)
def test_rule_when_sound_then_accepted(changes: dict[str, Any]) -> None:
    """A processor, a purpose, or both; to the last instant of six months."""
    check_rule(rule(**changes), REGISTER, NOW)


@pytest.mark.db
@pytest.mark.parametrize(
    "changes",
    [
        "subject_ref = ''", "subject_ref = '%'", "processor_id = null", "reason = ''", "legal_basis = ''", "until_at = from_at",
        "until_at = 'infinity'", "until_at = from_at + interval '185 days'", "subject_ref = null",
    ],
)  # fmt: skip
async def test_rule_when_written_past_the_check_then_the_database_refuses(agency: Agency, changes: str) -> None:
    """What no rule may be, no row can be."""
    async with agency.administered("ledger") as admin:
        transaction = admin.transaction()
        await transaction.start()
        try:
            await admin.execute("insert into ecluse.processor values ('bulk', 'B', 1, now())")
            await admin.execute(
                "insert into ecluse.usage_deferral (id, subject_ref, processor_id, reason, legal_basis, placed_by, from_at, until_at) "
                "values ('dfr_x', 'ofii:10', 'bulk', 'r', 'l', 'a', now(), now() + interval '1 day')"
            )
            with pytest.raises(Exception, match="violates"):
                await admin.execute(f"update ecluse.usage_deferral set {changes}")  # noqa: S608 - our own constants
        finally:
            await transaction.rollback()


# ── what a rule does ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def place(agency: Agency, person: int, *, days: float = 30, **scope: str | None) -> tuple[str, int]:
    """Hold lines of a person back; return the rule's id and the index of its entry."""
    until = await agency.now() + timedelta(days=days)
    wanted: dict[str, Any] = {"subject": f"ofii:{person}", "until_at": until, "processor": None, **scope}
    async with agency.connected("ecluse_app") as app:
        name, sealed = await defer(app, log_id=1, rule=rule(**wanted), register=REGISTER, actor="cli:test")
    return name, sealed.index


async def end(agency: Agency, name: str) -> None:
    """Release a rule."""
    async with agency.connected("ecluse_app") as app:
        await release(app, log_id=1, rule=name, actor="cli:test")


@asynccontextmanager
async def seen_by_two(agency: Agency, person: int) -> AsyncIterator[tuple[Desk, Desk]]:
    """Let two processors see a person."""
    async with at_work(agency, [person]) as one, at_work(agency, [person], purpose="language-course") as two:
        for desk in (one, two):
            assert (await desk.disclose(person)).status_code == 200
        yield one, two


@pytest.mark.web
async def test_release_when_unknown_or_over_then_refused(agency: Agency) -> None:
    """A rule ends once, and only one that is there."""
    async with at_work(agency, [40]) as desk:
        name, _ = await place(agency, 40, processor=desk.party.name)
        await end(agency, name)
        for each in (name, "dfr_" + "a" * 26, "hld_" + "a" * 26, ""):
            with pytest.raises(DeferralUnknown):
                await end(agency, each)


@pytest.mark.web
async def test_processor_when_unknown_then_refused(agency: Agency) -> None:
    """A rule on a processor that is not there would hold nothing back."""
    with pytest.raises(DeferralRefused, match="no processor is registered"):
        await place(agency, 41, processor="nobody-here")


@pytest.mark.web
@pytest.mark.parametrize("scope", ["processor", "purpose", "both"])
async def test_lines_when_held_back_then_those_alone_are_missing_and_nothing_tells(agency: Agency, scope: str) -> None:
    """The processor's or purpose's lines of this person are left out, of the total too; the other's stay, and so does everybody else's record."""
    person = {"processor": 42, "purpose": 43, "both": 44}[scope]
    async with seen_by_two(agency, person) as (one, two), portal_of(agency) as portal:
        before = await record_of(portal, person)
        wanted = {
            "processor": one.party.name if scope != "purpose" else None,
            "purpose": "civic-training" if scope != "processor" else None,
        }
        name, index = await place(agency, person, **wanted)
        during = await record_of(portal, person)
        await end(agency, name)
    kinds = [(line["kind"], line["receiverSystem"]) for line in during["usages"]]
    assert kinds == [("record-shown", "portal"), ("disclosure", two.party.name)]
    assert (before["totalUsages"], during["totalUsages"]) == (2, 2)
    assert during["notes"] == before["notes"]
    text = json.dumps(during)
    assert [word for word in (one.party.name, REASON, LAW, name) if word in text] == []
    assert [line["hiddenReason"] for line in during["usages"]] == [None, None]
    (entry,) = [each for each in await agency.openings(since=index) if each["index"] == index]
    assert (entry["event"], entry["subject"], entry["object"]) == ("control:usage:deferred", f"ofii:{person}", name)
    assert (entry["detail"]["reason"], entry["detail"]["legal_basis"]) == (REASON, LAW)


@pytest.mark.web
async def test_lines_when_released_then_they_come_and_say_so(agency: Agency) -> None:
    """Released, the line is there with its end, its reason and its law, and its proof is what it always was."""
    async with seen_by_two(agency, 45) as (one, _), portal_of(agency) as portal:
        name, _ = await place(agency, 45, processor=one.party.name)
        assert len(await disclosures_of(portal, 45)) == 1
        await end(agency, name)
        (ended,) = await agency.fetch("select released_at from ecluse.usage_deferral where id = $1", name)
        lines = await disclosures_of(portal, 45)
    held = [line for line in lines if line["hiddenUntil"]]
    assert [(line["receiverSystem"], line["hiddenReason"]) for line in held] == [
        (one.party.name, f"{REASON} (legal basis: {LAW})")
    ]
    assert datetime.fromisoformat(held[0]["hiddenUntil"]) == ended["released_at"]
    assert len(lines) == 2
    if held[0]["proof"]:
        (log,) = await agency.fetch("select vkey from ecluse.ledger_log where id = 1")
        assert "hidden" not in check_proof(held[0]["proof"], log["vkey"])[1]


@pytest.mark.web
async def test_lines_when_the_end_is_reached_then_they_come_by_themselves(agency: Agency) -> None:
    """At its end, to the microsecond, a rule holds nothing any more, whoever runs; a line after it never was held back."""
    async with at_work(agency, [46], reads=9) as desk, portal_of(agency) as portal:
        await desk.disclose(46)
        name, _ = await place(agency, 46, processor=desk.party.name, days=1 / 24)
        await desk.disclose(46)
        (held,) = await agency.fetch("select until_at from ecluse.usage_deferral where id = $1", name)
        try:
            await agency.stop_clock(held["until_at"] - timedelta(microseconds=1))
            last = await disclosures_of(portal, 46)
            await agency.stop_clock(held["until_at"])
            first = await disclosures_of(portal, 46)
            await agency.stop_clock(held["until_at"] + timedelta(seconds=1))
            assert (await desk.disclose(46)).status_code == 200
            await agency.stop_clock(held["until_at"] + timedelta(seconds=2))
            later = await disclosures_of(portal, 46)
        finally:
            await agency.reset_clock()
    assert (len(last), len(first), len(later)) == (0, 2, 3)
    assert [bool(line["hiddenUntil"]) for line in later] == [False, True, True]


@pytest.mark.web
async def test_lines_when_two_rules_hold_them_then_until_the_later_end(agency: Agency) -> None:
    """A line is back when the last of its rules is over, and names that one."""
    async with at_work(agency, [47]) as desk, portal_of(agency) as portal:
        await desk.disclose(47)
        first, _ = await place(agency, 47, processor=desk.party.name)
        second, _ = await place(agency, 47, purpose="civic-training", reason="Second")
        await end(agency, first)
        during = await disclosures_of(portal, 47)
        await end(agency, second)
        (line,) = await disclosures_of(portal, 47)
    assert during == []
    assert line["hiddenReason"].startswith("Second")


@pytest.mark.web
async def test_look_when_a_rule_is_placed_between_plan_and_seal_then_planned_again(agency: Agency) -> None:
    """A rule raises control_seq: a look that was planned before it is stale, and shows nothing by the old plan."""
    digest = bytes(31) + b"\x31"
    async with at_work(agency, [48]) as desk, agency.connected("ecluse_app") as app, agency.connected("ecluse_usage") as role:
        await desk.disclose(48)
        await app.fetchval("select ecluse.spend(1, $1)", digest)
        plan = await role.fetchrow(
            "select * from ecluse.usage_plan(1::smallint, 1, $1, 'ofii:48', null, null, null, null, 9)", digest
        )
        assert plan is not None
        name, _ = await place(agency, 48, processor=desk.party.name)
        fields = json.dumps(
            [
                ["event", "usage:person:shown"],
                ["client", "cli_x"],
                ["subject", "ofii:48"],
                ["detail", {"most": 9, "to": plan["at"].isoformat()}],
                ["count", 1],
            ]
        )
        word = await role.fetchval(
            "select ecluse.usage_seal(1::smallint, $1, $2, 1, $3, 9, '\\x00', $4, '\\x00')",
            plan["control_seq"],
            plan["at"],
            digest,
            fields,
        )
        await end(agency, name)
    assert (plan["lines"], word) == (1, "stale")
