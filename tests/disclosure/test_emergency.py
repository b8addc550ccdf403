"""Break-glass: what it refuses, that it is sealed before it is shown, who finds it afterwards, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import pwd
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, Final

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from ecluse.cli.app import app as commands
from ecluse.client import Kind, check_file, policy_of_vkey
from ecluse.disclosure import LedgerUnavailable, RegisterGone
from ecluse.disclosure.compose import value_salt
from ecluse.disclosure.emergency import (
    Asked,
    Bounds,
    Shown,
    compose_emergency,
    emergencies,
    emergencies_waiting,
    open_emergency,
    review_emergency,
    subject_of,
)
from ecluse.disclosure.errors import EmergencyRefused, EmergencyUnknown
from ecluse.embedded import EmbeddedPostgres
from ecluse.ids import new_id, random_bytes
from ecluse.ledger.erase import ask_erasure, erase_due
from ecluse.ledger.fsck import check_log
from ecluse.ledger.stretch import query
from ecluse.register import parse_register
from ecluse.register.store import Register
from ecluse.web.gateway import open_register_pool
from ecluse.web.keyfiles import read_fingerprint_keys
from tests.agency import Agency, founded
from tests.e2e.desk import at_work
from tests.invented import ABSENT, MARK, NOTHING_KNOWN, PHONE_MARK, UNREADABLE, register_toml
from tests.usage.portal import check_proof, portal_of, proven, record_of

pytestmark = pytest.mark.web

EVENT: Final = "disclosure:emergency:granted"
ALWAYS: Final = Bounds(per_day=1_000, patience=timedelta(days=30))
WHY: Final = "a learner fainted in room 12"


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate, and room for the emergencies of a module's tests."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        with (built.folder / "ecluse.toml").open("a", encoding="utf-8") as file:
            file.write("\n[emergency]\nper_day = 50\n")
        yield built


@pytest.fixture
def ageing(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency of the test's own: its clock goes on by months."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        yield built


@asynccontextmanager
async def registered(agency: Agency) -> AsyncIterator[Register]:
    """Reach the register as the command does."""
    pool = await open_register_pool(agency.installation, agency.installation.settings.register.url)
    try:
        yield Register(pool, parse_register(register_toml()))
    finally:
        await pool.close()


async def opened(
    agency: Agency, person: int, *, attribute: str = "phone", actor: str = "cli:duty", reason: str = WHY, bounds: Bounds = ALWAYS
) -> Shown:
    """Open an emergency as the gate's role does."""
    asked = Asked(subject=f"ofii:{person}", attribute=attribute, reason=reason, actor=actor)
    async with registered(agency) as register, agency.connected("ecluse_app") as app:
        return await open_emergency(app, register, read_fingerprint_keys(agency.installation), asked, log_id=1, bounds=bounds)


async def reviewed(agency: Agency, emergency: str, *, actor: str = "cli:dpo", justified: bool = True) -> int:
    """Review an emergency."""
    async with agency.connected("ecluse_app") as app:
        return (await review_emergency(app, log_id=1, emergency=emergency, justified=justified, actor=actor)).index


async def today(agency: Agency) -> int:
    """Count the emergencies of this UTC day."""
    rows = await agency.fetch("select from ecluse.emergency where opened_at >= date_trunc('day', ecluse.clock(), 'UTC')")
    return len(rows)


def command(agency: Agency, *words: str, stdin: str | None = None) -> Result:
    """Run a command of the agency."""
    return CliRunner().invoke(commands, ["emergency", *words, "--dir", str(agency.folder)], input=stdin)


# ── refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_emergency_when_the_seal_can_not_be_had_then_nothing_is_shown(agency: Agency) -> None:
    """While somebody holds the log's head nothing can be sealed: the officer is told so, after the wait, and sees nothing."""
    before = await agency.size()
    async with agency.connected() as holder, holder.transaction():
        await holder.execute("select from ecluse.ledger_head for update")
        with pytest.raises(LedgerUnavailable) as refused:
            await opened(agency, 50)
    assert refused.value.__context__ is None
    assert (
        await agency.size(),
        await agency.fetch("select from ecluse.opening where event = $1 and index >= $2", EVENT, before),
    ) == (
        before,
        [],
    )


async def test_emergency_when_the_connection_is_lost_then_nothing_is_shown(agency: Agency) -> None:
    """A database that goes away in the middle leaves the officer with an error, not with a value."""
    asked = Asked(subject="ofii:50", attribute="phone", reason=WHY, actor="cli:duty")
    keys = read_fingerprint_keys(agency.installation)
    async with registered(agency) as register, agency.connected("ecluse_app") as app:
        async with agency.administered("ledger") as admin:
            await admin.execute("select pg_terminate_backend($1)", app.get_server_pid())
        with pytest.raises(LedgerUnavailable):
            await open_emergency(app, register, keys, asked, log_id=1, bounds=ALWAYS)


async def test_emergency_when_the_register_is_gone_then_nothing_is_sealed(agency: Agency) -> None:
    """There is nothing to show, and no fingerprint to seal: the ledger does not grow, and the day's limit is not touched."""
    before, spent = await agency.size(), await today(agency)
    asked = Asked(subject="ofii:50", attribute="phone", reason=WHY, actor="cli:duty")
    async with registered(agency) as register, agency.connected("ecluse_app") as app, agency.without("register"):
        with pytest.raises(RegisterGone):
            await open_emergency(app, register, read_fingerprint_keys(agency.installation), asked, log_id=1, bounds=ALWAYS)
    assert (await agency.size(), await today(agency)) == (before, spent)


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"attribute": "shoe_size"}, "attribute"),
        ({"attribute": "phone,email"}, "attribute"),
        ({"attribute": ""}, "attribute"),
        ({"reason": " \n "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "a\x1b[31mb"}, "reason"),
        ({"person": ABSENT}, "person"),
        ({"person": UNREADABLE, "attribute": "entry_date"}, "register"),
    ],
)
async def test_emergency_when_it_makes_no_sense_then_refused_and_not_sealed(
    agency: Agency, asked: dict[str, Any], where: str
) -> None:
    """An attribute that is not mapped, a reason that is none, a person who is not there: it says where, and nothing is sealed."""
    before = await agency.size()
    with pytest.raises(EmergencyRefused) as refused:
        await opened(agency, **{"person": 50, **asked})
    assert (refused.value.where, await agency.size()) == (where, before)
    assert refused.value.mend


async def test_emergency_when_a_hold_suspends_the_person_then_refused_until_it_is_released(agency: Agency) -> None:
    """Whoever is suspended or frozen is not shown, whatever the reason; a legal hold only keeps records and is in nobody's way."""
    for effect in ("suspend", "freeze"):
        hold, _ = await agency.hold("person", "ofii:51", effect)
        before = await agency.size()
        with pytest.raises(EmergencyRefused) as refused:
            await opened(agency, 51)
        assert (refused.value.where, await agency.size()) == ("person", before)
        await agency.release(hold)
    await agency.hold("person", "ofii:51", "keep")
    assert (await opened(agency, 51)).value == f"{PHONE_MARK}0051"


async def test_emergency_when_the_day_is_spent_then_refused_exactly_then(agency: Agency) -> None:
    """However many ask at once, as many are opened as the day has left, by everybody together; tomorrow there is room again."""
    spent = await today(agency)
    bounds = Bounds(per_day=spent + 2, patience=ALWAYS.patience)
    found = await asyncio.gather(
        *(opened(agency, 60 + n, actor=f"cli:duty{n}", bounds=bounds) for n in range(5)), return_exceptions=True
    )
    refused = [each for each in found if isinstance(each, EmergencyRefused)]
    assert (len(refused), {each.where for each in refused}, await today(agency)) == (3, {"emergency.per_day"}, spent + 2)
    with pytest.raises(EmergencyRefused):
        await opened(agency, 60, bounds=Bounds(per_day=0, patience=ALWAYS.patience))
    await agency.set_clock_offset(agency.offset + timedelta(days=1))
    try:
        assert (await opened(agency, 60, bounds=Bounds(per_day=1, patience=ALWAYS.patience))).index > 0
    finally:
        await agency.reset_clock()


async def test_emergency_when_entries_wait_too_long_for_witnesses_then_refused(agency: Agency) -> None:
    """What freezes every disclosure freezes this one, too: whoever cuts the witnesses off gains no way in."""
    await agency.execute(
        "insert into ecluse.ledger_policy (log_id, version, text, hash, quorum_since, applied_seq, applied_at, applied_by) "
        "select 1, 1000, '', '', ecluse.clock() - interval '2 days', 1000000, ecluse.clock(), 'cli:test'"
    )
    try:
        with pytest.raises(EmergencyRefused) as refused:
            await opened(agency, 52, bounds=Bounds(per_day=1_000, patience=timedelta(0)))
    finally:
        async with agency.administered("ledger") as admin:
            await admin.execute("set session_replication_role = replica; delete from ecluse.ledger_policy where version = 1000")
    assert refused.value.where == "ledger"


def entry(**changes: object) -> list[tuple[str, object]]:
    """Write the fields of an entry as the command does, with some of them changed."""
    fields: dict[str, object] = {
        "at": "2026-01-05T09:00:00.000000Z", "event": EVENT, "disclosure": "dsc_x", "subject": "ofii:50", "attributes": ["phone"],
        "forms": {"phone": "full"}, "values": {"phone": "aa"}, "fingerprints": {"attributes": {"phone": "aa"}, "key": 1, "normal": 1},
        "actor": "cli:duty", "object": "eme_x", "detail": {"reason": WHY},
    }  # fmt: skip
    return [(name, value) for name, value in {**fields, **changes}.items() if value is not None]


@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": ["phone", "email"]},
        {"attributes": []},
        {"attributes": None},
        {"attributes": ["email"]},
        {"forms": {"phone": "full", "email": "full"}},
        {"forms": {"phone": "masked"}},
        {"values": {}},
        {"fingerprints": {"attributes": {}, "key": 1, "normal": 1}},
        {"event": "disclosure:person:granted"},
        {"event": "control:emergency:reviewed"},
        {"subject": None},
        {"subject": ""},
        {"actor": ""},
        {"object": "apt_x"},
        {"detail": {"reason": "  "}},
        {"detail": {}},
    ],
)
async def test_seal_when_the_entry_is_not_that_of_one_attribute_then_refused(agency: Agency, changes: dict[str, object]) -> None:
    """The database itself takes no entry of two attributes, of nobody, by nobody or without a reason."""
    before = await agency.size()
    async with agency.connected("ecluse_app") as app:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await app.fetch(
                "select from ecluse.seal_emergency(1::smallint, ecluse.clock(), 1000, interval '1 day', 'x'::bytea, $1, 'x'::bytea)",
                json.dumps(entry(**changes)),
            )
    assert (refused.value.sqlstate, await agency.size()) == ("22023", before)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into ecluse.emergency (id, log_id, index, attribute, opened_by, opened_at) values ('e', 1, 0, 'a', 'b', now())",
        "update ecluse.emergency set justified = true",
        "delete from ecluse.emergency",
        "select from ecluse.emergency",
        "select ecluse.review_emergency('{}', now())",
    ],
)
async def test_gate_role_when_it_writes_past_the_seal_then_refused(agency: Agency, statement: str) -> None:
    """Whoever has the gate's password can open no emergency without its entry, and review none."""
    async with agency.connected("ecluse_app") as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement)


# ── the review ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_review_when_by_the_same_person_twice_or_of_nothing_then_refused(agency: Agency) -> None:
    """Nobody judges themselves, a verdict is final, and what was never opened has none."""
    shown = await opened(agency, 53, actor="cli:duty")
    with pytest.raises(EmergencyRefused, match="yourself"):
        await reviewed(agency, shown.id, actor="cli:duty")
    await reviewed(agency, shown.id, actor="cli:dpo", justified=False)
    for emergency in (shown.id, new_id("eme"), "eme_x"):
        with pytest.raises(EmergencyUnknown):
            await reviewed(agency, emergency, actor="cli:other")
    (row,) = await agency.fetch("select reviewed_by, justified from ecluse.emergency where id = $1", shown.id)
    assert tuple(row) == ("cli:dpo", False)
    last = (await agency.openings())[-1]
    assert (last["event"], last["object"], last["actor"], last["detail"]) == (
        "control:emergency:reviewed",
        shown.id,
        "cli:dpo",
        {"justified": False},
    )
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await agency.execute("update ecluse.emergency set justified = true where id = $1", shown.id)


async def test_waiting_when_three_days_are_over_then_late(agency: Agency) -> None:
    """What nobody has reviewed waits in sight, and after three days is called late; what is reviewed is in neither figure."""
    shown = await opened(agency, 54)
    async with agency.connected("ecluse_app") as app, agency.connected("ecluse_reader") as reader:
        waiting, late = await emergencies_waiting(app)
        await agency.set_clock_offset(agency.offset + timedelta(days=3))
        listed = {one.id: one for one in await emergencies(reader, every=False)}
        later = await emergencies_waiting(app)
        await agency.reset_clock()
        await reviewed(agency, shown.id)
        after = await emergencies_waiting(app)
        assert shown.id not in {one.id for one in await emergencies(reader, every=False)}
        assert shown.id in {one.id for one in await emergencies(reader, every=True)}
    assert (late, later[0], after[0]) == (0, waiting, waiting - 1)
    assert later[1] >= 1
    assert (listed[shown.id].late, listed[shown.id].reason, listed[shown.id].opened_by) == (True, WHY, "cli:duty")


# ── sealed, then shown ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_emergency_when_opened_then_its_entry_says_what_was_shown_and_holds_no_value(agency: Agency) -> None:
    """The entry names person, attribute, officer and reason, commits to the value by digest and fingerprint, and the value is nowhere in clear."""
    shown = await opened(agency, 55)
    found = next(each for each in await agency.openings() if each["index"] == shown.index)
    key = read_fingerprint_keys(agency.installation)[1]
    value = f"{PHONE_MARK}0055"
    salt = value_salt(key, shown.disclosure, "phone")
    digest = sha256(b"ecluse/1/value/phone\x00" + salt + json.dumps(value).encode()).hexdigest()
    assert list(found)[1:] == [
        "at", "event", "disclosure", "subject", "attributes", "forms", "values", "fingerprints", "actor", "object", "detail",
    ]  # fmt: skip
    assert (found["event"], found["subject"], found["attributes"], found["forms"]) == (
        EVENT,
        "ofii:55",
        ["phone"],
        {"phone": "full"},
    )
    assert (found["values"], found["actor"], found["object"], found["detail"]) == (
        {"phone": digest}, "cli:duty", shown.id, {"reason": WHY},
    )  # fmt: skip
    assert (shown.value, value not in json.dumps(found), value not in repr(shown)) == (value, True, True)
    assert [kind for kind in await sound(agency) if not kind.endswith("-time")] == []  # other tests move the clock


async def test_emergency_when_the_register_has_no_value_then_that_is_sealed_and_said(agency: Agency) -> None:
    """That there is no telephone is itself told of the person: it is sealed like a value."""
    shown = await opened(agency, NOTHING_KNOWN)
    assert (shown.value, shown.index > 0) == (None, True)


async def test_appointment_when_named_then_its_person(agency: Agency) -> None:
    """The officer may name the appointment that the trainer reads out; an unknown one is refused."""
    async with at_work(agency, [56]) as desk, agency.connected("ecluse_app") as app:
        assert await subject_of(app, desk.handles[56]) == "ofii:56"
        with pytest.raises(EmergencyRefused):
            await subject_of(app, new_id("apt"))


async def test_person_when_they_look_then_the_emergency_is_a_line_that_anybody_can_check(agency: Agency) -> None:
    """The record says in plain words that the duty officer saw it, what, and never who or why; its proof holds for a stranger and for our own verifier."""
    shown = await opened(agency, 57)
    (vkey,) = [row["vkey"] for row in await agency.fetch("select vkey from ecluse.ledger_log where id = 1")]
    async with portal_of(agency) as portal:
        (line,) = await proven(portal, 57, 1)
        french = (await record_of(portal, 57, language="fr"))["usages"][-1]
    assert (line["kind"], line["action"], line["receiverName"], line["receiverSystem"], line["receiverCode"]) == (
        "emergency", "Seen by the agency's duty officer in an emergency", "Agency", "duty-officer", "controller",
    )  # fmt: skip
    assert french["action"] == "Donnée consultée en urgence par l'agent de permanence de l'administration"
    assert [(each["attribute"], each["form"]) for each in line["attributes"]] == [("phone", "full")]
    assert [word for word in ("cli:duty", WHY, PHONE_MARK, shown.id, shown.disclosure) if word in json.dumps(line)] == []
    index, fields = check_proof(line["proof"], vkey)
    assert (index, fields["subject"], fields["attributes"]) == (shown.index, "ofii:57", ["phone"])
    statement = check_file(line["proof"].encode(), policy_of_vkey(vkey))
    assert (statement.kind, statement.processor, statement.subject, dict(statement.forms)) == (
        Kind.EMERGENCY, None, "ofii:57", {"phone": "full"},
    )  # fmt: skip


def test_compose_when_twice_then_salts_and_digests_differ() -> None:
    """Two emergencies of one value can't be told to be of one value by who holds the database alone."""
    register = Register(None, parse_register(register_toml()))  # type: ignore[arg-type]  # nothing is read
    asked = Asked(subject="ofii:1", attribute="phone", reason=WHY, actor="cli:duty")
    key = SimpleNamespace(version=1, secret=b"k" * 32)
    at = datetime.fromisoformat("2026-01-05T09:00:00+00:00")
    one, two = (
        compose_emergency(
            asked, "01 99 00 0001", register, key, at=at, name=new_id("eme"), disclosure=new_id("dsc"), salts=random_bytes(352)
        )  # type: ignore[arg-type]
        for _ in range(2)
    )
    assert one.leaf != two.leaf
    assert "01 99" not in one.fields


# ── what becomes of it ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def emergencies_left(agency: Agency) -> list[str]:
    """Return the ids of the rows there are."""
    return [row["id"] for row in await agency.fetch("select id from ecluse.emergency order by opened_at")]


async def sound(agency: Agency) -> list[str]:
    """Check the whole log; return what is wrong."""
    (vkey,) = [row["vkey"] for row in await agency.fetch("select vkey from ecluse.ledger_log where id = 1")]
    async with agency.connected("ecluse_reader") as reader:
        return [
            problem.kind.value for problem in (await check_log(reader, 1, vkey)).problems if problem.kind.value != "tile-missing"
        ]


async def night(agency: Agency, after: timedelta) -> None:
    """Let the clock go on, and run a night's batch."""
    await agency.set_clock_offset(agency.offset + after)
    async with agency.connected("ecluse_jobs") as jobs:
        await erase_due(jobs, 1, 6)


async def test_erasure_when_the_person_asks_then_the_opening_goes_and_the_review_can_still_be_had(ageing: Agency) -> None:
    """Nobody gets out of a review by having the person erased: the row, which names nobody, stays until it is reviewed, and goes then."""
    shown, other = await opened(ageing, 58), await opened(ageing, 59)
    async with ageing.connected("ecluse_jobs") as jobs:
        await ask_erasure(jobs, subject="ofii:58", reason="asked", actor="cli:test")
    await night(ageing, timedelta(days=3))
    assert [each["object"] for each in await ageing.openings() if each["event"] == EVENT] == [other.id]
    assert await emergencies_left(ageing) == [shown.id, other.id]
    async with ageing.connected("ecluse_reader") as reader:
        assert {one.id: one.reason for one in await emergencies(reader, every=False)} == {shown.id: None, other.id: WHY}
    assert await sound(ageing) == []
    await reviewed(ageing, shown.id)
    await reviewed(ageing, other.id)
    assert await sound(ageing) == []
    await night(ageing, timedelta(days=220))
    assert (await emergencies_left(ageing), await sound(ageing)) == ([], [])


@pytest.mark.parametrize(
    "tampering",
    [
        "delete from ecluse.emergency",
        "update ecluse.emergency set opened_by = 'cli:other'",
        "update ecluse.emergency set attribute = 'email'",
        "update ecluse.emergency set reviewed_by = 'cli:friend', reviewed_at = ecluse.clock(), justified = true where reviewed_at is null",
        "update ecluse.emergency set justified = not justified where reviewed_at is not null",
        "update ecluse.emergency set reviewed_by = null, reviewed_at = null, justified = null where reviewed_at is not null",
        "insert into ecluse.emergency (id, log_id, index, attribute, opened_by, opened_at) values ('eme_z', 1, 0, 'phone', 'cli:x', ecluse.clock())",
    ],
)
async def test_fsck_when_an_emergency_was_changed_by_hand_then_found(agency: Agency, tampering: str) -> None:
    """An administrator who edits who opened what, or who approved of it, is found by the check of the whole log."""
    await opened(agency, 70)
    await reviewed(agency, (await opened(agency, 71)).id)
    async with agency.administered("ledger") as admin:
        transaction = admin.transaction()
        await transaction.start()
        await admin.execute("set local session_replication_role = replica")
        await admin.execute(tampering)
        text = str(query("emergencies_wrong"))
        wrong = (await admin.fetchrow(text, 1))["count"]
        await transaction.rollback()
        assert wrong > 0
        assert (await admin.fetchrow(text, 1))["count"] == 0


# ── the commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_commands_when_used_then_shown_once_reviewed_by_another_and_listed(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The duty officer opens, may not review; somebody else does; lists say what waits, and nobody of whom."""
    two = command(agency, "open", "ofii:80", "--attribute", "phone", "--attribute", "email", "--reason", WHY)
    assert (two.exit_code, "exactly one" in two.output) == (1, True)
    none = command(agency, "open", "ofii:80", "--reason", WHY)
    assert none.exit_code == 2
    odd = command(agency, "open", f"{MARK}:80", "--attribute", "phone", "--reason", WHY)
    assert (odd.exit_code, MARK in odd.output) == (1, False)
    opening = command(agency, "open", "-", "--attribute", "phone", "--reason", WHY, "--json", stdin="ofii:80\n")
    assert opening.exit_code == 0, opening.output
    shown = json.loads(opening.stdout)
    assert (shown["attribute"], shown["value"]) == ("phone", f"{PHONE_MARK}0080")
    own = command(agency, "review", shown["emergency"], "--justified")
    assert (own.exit_code, "yourself" in own.output) == (1, True)
    listed = command(agency, "list")
    assert (shown["emergency"] in listed.stdout, WHY in listed.stdout) == (True, True)
    assert (PHONE_MARK in listed.stdout, "ofii:80" in listed.stdout) == (False, False)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="dpo"))
    unsaid = command(agency, "review", shown["emergency"])
    assert unsaid.exit_code == 2
    other = command(agency, "review", shown["emergency"], "--not-justified")
    assert (other.exit_code, "not justified" in other.stdout) == (0, True), other.output
    again = command(agency, "review", shown["emergency"], "--justified")
    assert (again.exit_code, "emergency-unknown" in again.output) == (1, True)
    assert shown["emergency"] in command(agency, "list", "--all").stdout
    assert shown["emergency"] not in command(agency, "list").stdout


async def test_gate_when_an_emergency_was_opened_then_its_logs_and_metrics_hold_no_value(agency: Agency) -> None:
    """Nothing of the value, the person or the reason is in what the gate writes."""
    await opened(agency, 81)
    text = agency.gates[0].log.read_text(encoding="utf-8")
    assert [word for word in (f"{PHONE_MARK}0081", "ofii:81", WHY) if word in text] == []
