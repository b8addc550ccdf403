"""Rounds of the postman on a real database and a real mail server: each is told once, whatever dies, and no gate depends on it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from typer.testing import CliRunner

from ecluse.cli.app import app as commands
from ecluse.db import open_pool
from ecluse.embedded import EmbeddedPostgres
from ecluse.notices import store
from ecluse.notices.model import Told
from ecluse.notices.send import Mailbox, Office, Postman
from ecluse.register import parse_register
from ecluse.settings import Mail, MailSecurity, with_user
from tests.agency import Agency, Party, founded
from tests.e2e.desk import at_work, code_of
from tests.invented import ALL_CLAUSES, MARK, contract_text, register_toml
from tests.notices.server import Post, posting

pytestmark = pytest.mark.web

DPO: Final = "dpo@agency.example"
SHORT: Final = [clause for clause in ALL_CLAUSES if clause != "28.3.h"]
MISSING: Final = "contract:clause:missing:28.3.h"


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency without a gate: a test sends by itself."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        yield built


@pytest.fixture
def own(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency of the test's own, whose gate the test starts."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        yield built


@asynccontextmanager
async def postman(agency: Agency, post: Post, *, timeout_seconds: float = 5.0) -> AsyncIterator[Postman]:
    """A postman of this process, new to everything."""
    installation = agency.installation
    url = with_user(installation.settings.database.url, "ecluse_jobs")
    pool = await open_pool(url, installation.passwords("jobs"), size=2, name="test")
    mail = Mail(
        host="127.0.0.1", port=post.port, security=MailSecurity.NONE, sender="gate@agency.example", controller=(DPO,), timeout_seconds=timeout_seconds,
    )  # fmt: skip
    mapped = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}
    office = Office(controller="Agency", zone=installation.settings.zone, attributes=mapped)
    try:
        yield Postman(pool, Mailbox(mail=mail, password=lambda: "", trust=ssl.create_default_context()), office)
    finally:
        await pool.close()


async def deliver(agency: Agency, post: Post, *, rounds: int = 1) -> None:
    """Let everything be due and go some rounds with a new postman: enough for what all tests left behind."""
    async with postman(agency, post) as one:
        for _ in range(rounds):
            while (done := await one.round()).sent and not done.failed:
                pass


async def told(agency: Agency, processor: str | None = None, reason: str | None = None) -> list[Told]:
    """Ask who was told, as the demo does."""
    async with agency.connected("ecluse_reader") as reader:
        return await store.told(reader, processor=processor, reason=reason)


def of(post: Post, party: Party) -> list[tuple[str, ...]]:
    """Return to whom mails about a processor went."""
    return [to for to, message in post.mails if party.name.title() in str(message["Subject"])]


async def frozen(agency: Agency) -> Party:
    """Bind a processor whose contract lacks a clause."""
    return await agency.bind(clauses=SHORT)


# ── once, whatever happens ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_frozen_when_many_postmen_go_many_rounds_then_each_party_is_told_once(agency: Agency) -> None:
    """Four postmen at once, three rounds each: one mail to the controller, one to the security contact, and the list says so."""
    party = await frozen(agency)
    async with posting() as post:
        await asyncio.gather(*(deliver(agency, post, rounds=3) for _ in range(4)))
        mails = Counter(of(post, party))
    assert mails == {(DPO,): 1, (f"rssi@{party.name}.example",): 1}
    found = await told(agency, party.name, MISSING)
    assert {(one.due.audience.value, one.due.topic.value, one.state, one.sent_to) for one in found} == {
        ("controller", "gate:frozen", "sent", (DPO,)),
        ("processor", "gate:frozen", "sent", (f"rssi@{party.name}.example",)),
    }
    ids = [message["Message-ID"] for _, message in post.mails]
    assert len(ids) == len(set(ids))


async def test_mail_when_the_postman_dies_with_it_in_hand_then_another_sends_it_after_the_lease(agency: Agency) -> None:
    """What was taken by a process that died is nobody else's for ten minutes, and then anybody's."""
    party = await frozen(agency)
    async with posting() as post:
        async with postman(agency, post) as dies, dies._pool.acquire() as connection:
            await dies._note()
            held = [letter for letter in await store.take(connection, 1_000) if letter.due.processor == party.name]
        await deliver(agency, post)
        meanwhile = of(post, party)
        await agency.set_clock_offset(agency.offset + store.LEASE + timedelta(seconds=1))
        await deliver(agency, post)
        await agency.reset_clock()
        assert (len(held), meanwhile, len(of(post, party))) == (2, [], 2)


async def test_mail_when_the_server_takes_it_and_breaks_the_line_then_the_double_bears_the_same_id(agency: Agency) -> None:
    """At least once: what may have arrived is sent again, and whoever gets it twice can tell by its Message-ID, Date and text."""
    party = await frozen(agency)
    async with posting(cut="after") as post:
        await deliver(agency, post)
        for _ in range(40):  # others of this module may be in front, two failures end a round
            if len(of(post, party)) >= 2:
                break
            await agency.execute("update ecluse.notice set due_at = ecluse.clock() where state = 'waiting'")
            await deliver(agency, post)
        post.cut = ""
        await agency.execute("update ecluse.notice set due_at = ecluse.clock() where state = 'waiting'")
        await deliver(agency, post)
        copies = [bytes(message) for to, message in post.mails if to == (DPO,) and party.name.title() in str(message["Subject"])]
    assert len(copies) >= 2
    assert len(set(copies)) == 1
    assert {one.state for one in await told(agency, party.name)} == {"sent"}


async def test_mail_when_the_server_is_down_for_days_then_tried_with_pauses_given_up_and_sent_when_asked(agency: Agency) -> None:
    """Attempts are spaced, three days long; then it is given up and said so; an operator's word sends it after all."""
    party = await frozen(agency)
    async with posting() as post:
        post.answer = "451 later"
        await deliver(agency, post)
        first = await told(agency, party.name)
        due = [
            row["due_at"] for row in await agency.fetch("select due_at from ecluse.notice where processor_id = $1", party.name)
        ]
        assert {(one.state, one.attempts) for one in first} == {("waiting", 1)}
        now = await agency.now()
        assert [each for each in due if each <= now] == []
        await agency.set_clock_offset(agency.offset + timedelta(days=3, minutes=1))
        for _ in range(20):
            await deliver(agency, post)
        assert {(one.state, one.problem) for one in await told(agency, party.name)} <= {
            ("dead", "smtp-451"),
            ("dead", "not-tried"),
        }
        post.answer = "250 taken"
        await deliver(agency, post)
        assert of(post, party) == []
        async with agency.connected("ecluse_jobs") as jobs:
            await store.hurry(jobs, again=True)
        await deliver(agency, post)
        await agency.reset_clock()
        assert len(of(post, party)) == 2


async def test_mail_when_one_of_the_controllers_addresses_is_refused_then_only_that_one_is_tried_again(agency: Agency) -> None:
    """Whoever has it does not get it again because a colleague's address is wrong."""
    party = await frozen(agency)
    async with posting(refuse={"gone@agency.example": 450}) as post:
        async with postman(agency, post) as one:
            mail = one._box.mail
            one._box = Mailbox(
                mail=Mail(**{name: getattr(mail, name) for name in mail.__struct_fields__} | {"controller": (DPO, "gone@agency.example")}),
                password=lambda: "", trust=one._box.trust,
            )  # fmt: skip
            await one.round()
            post.refuse = {}
            await agency.execute("update ecluse.notice set due_at = ecluse.clock() where state = 'waiting'")
            await one.round()
        mine = [to for to in of(post, party) if not to[0].startswith("rssi@")]
    assert mine == [(DPO,), ("gone@agency.example",)]
    (controller,) = [one for one in await told(agency, party.name) if one.due.audience == "controller"]
    assert (controller.state, controller.sent_to) == ("sent", (DPO, "gone@agency.example"))


# ── what is told when ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def matter(agency: Agency, party: Party, table: str, **columns: Any) -> None:
    """Write a row as its use case leaves it."""
    names = ", ".join(["processor_id", *columns])
    places = ", ".join(f"${n}" for n in range(1, len(columns) + 2))
    await agency.execute(f"insert into ecluse.{table} ({names}) values ({places})", party.name, *columns.values())  # noqa: S608 - names of this module


async def test_matters_when_they_happen_then_their_parties_hear_of_them_and_of_none_of_long_ago(agency: Agency) -> None:
    """Documents, findings, overrides and emergencies of the last days are told to whom they concern; what is older is not dug up."""
    party = await agency.bind()
    now, long_ago = await agency.now(), await agency.now() - timedelta(days=5)
    paper = {
        "kind": "pentest", "title": f"{MARK} title", "issuer": "x", "scope": "x", "sites": [], "reviewed_on": now.date(), "sub_processors": "[]",
        "media_type": "text/plain", "bytes": 1, "sha256": "0" * 64, "submitted_by": "cli:a",
    }  # fmt: skip

    def accepted(at: datetime) -> dict[str, Any]:
        return {"accepted_by": "cli:b", "accepted_at": at}

    await matter(agency, party, "evidence", id="evd_new", **paper, submitted_at=now)
    await matter(agency, party, "evidence", id="evd_old", **paper, submitted_at=long_ago)
    await matter(agency, party, "evidence", id="evd_yes", **paper, submitted_at=long_ago, **accepted(now))
    await matter(agency, party, "evidence", id="evd_yes_old", **paper, submitted_at=long_ago, **accepted(long_ago))
    await matter(
        agency,
        party,
        "evidence",
        id="evd_no",
        **paper,
        submitted_at=long_ago,
        rejected_by="cli:b",
        rejected_at=now,
        rejected_why=MARK,
    )
    finding = {
        "source": "audit",
        "severity": "high",
        "title": MARK,
        "due_on": now.date() + timedelta(days=90),
        "opened_by": "cli:a",
    }
    await matter(agency, party, "finding", id="fnd_new", **finding, opened_at=now)
    await matter(agency, party, "finding", id="fnd_old", **finding, opened_at=long_ago)
    lift = {"reasons": ["evidence:missing:pentest"], "why": MARK, "hours": 2, "asked_by": "cli:a"}
    agreed = {"approved_by": "cli:b"}
    await matter(agency, party, "gate_override", id="ovr_asked", **lift, asked_at=now)
    await matter(agency, party, "gate_override", id="ovr_stale", **lift, asked_at=now - timedelta(hours=25))
    await matter(agency, party, "gate_override", id="ovr_on", **lift, asked_at=now, **agreed, approved_at=now)
    await matter(
        agency,
        party,
        "gate_override",
        id="ovr_over",
        **lift,
        asked_at=now - timedelta(hours=9),
        **agreed,
        approved_at=now - timedelta(hours=8),
    )
    async with posting() as post:
        await deliver(agency, post, rounds=2)
        texts = [str(message["Subject"]) + message.get_content() for to, message in post.mails]
    found = {(one.due.reason, one.due.topic.value, one.due.audience.value) for one in await told(agency, party.name)}
    assert found == {
        ("evd_new", "evidence:submitted", "controller"),
        ("evd_yes", "evidence:accepted", "processor"),
        ("evd_no", "evidence:rejected", "processor"),
        *(("fnd_new", "finding:opened", audience) for audience in ("controller", "processor")),
        ("ovr_asked", "override:asked", "controller"),
        *(("ovr_on", "override:approved", audience) for audience in ("controller", "processor")),
        *(("ovr_over", "override:ended", audience) for audience in ("controller", "processor")),
    }
    assert [text for text in texts if MARK in text] == []


async def test_gate_when_it_freezes_and_opens_again_then_told_before_at_and_after(agency: Agency) -> None:
    """A contract that ends: 30, 14, 7 and 1 days before, at the end, and that it is open again when it was prolonged; each once."""
    party = await agency.bind()
    today = (await agency.now()).date()
    text = contract_text(party.name, ends_on=(today + timedelta(days=40)).isoformat())
    await agency.apply(text)
    async with posting() as post:
        for day in (5, 12, 27, 35, 40, 41, 42):
            await agency.set_clock_offset(agency.offset + timedelta(days=day, hours=1))
            await deliver(agency, post, rounds=2)
        await agency.apply(text.replace(f"ends_on = {(today + timedelta(days=40)).isoformat()}", "ends_on = 2099-12-31"))
        await deliver(agency, post, rounds=2)
        await agency.reset_clock()
    mine = [
        (one.due.topic.value, one.due.reason.rpartition(":")[2], one.due.days)
        for one in await told(agency, party.name)
        if one.due.audience == "processor"
    ]
    assert Counter(mine) == {
        ("gate:soon", "ended", 30): 1,
        ("gate:soon", "ended", 14): 1,
        ("gate:soon", "ended", 7): 1,
        ("gate:soon", "ended", 1): 1,
        ("gate:closed", "ended", 0): 1,
        ("gate:closed", "deletion-attestation", 0): 1,
        ("gate:opened", "", 0): 1,
    }


# ── the gate and the commands ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_gate_when_its_mail_server_hangs_then_it_decides_all_the_same(own: Agency) -> None:
    """Nobody was told, and nobody had to be: who is frozen is refused, who is not is served, and the notices wait."""
    async with posting(hang=True) as post:
        await asyncio.to_thread(gate_with_mail, own, post)
        async with at_work(own, [20]) as desk, at_work(own, [21], clauses=SHORT) as shut:
            assert code_of(await desk.disclose(20)) == "ok"
            assert code_of(await shut.disclose(21)) == "gate-frozen"
            assert {one.state for one in await told(own, shut.party.name)} <= {"waiting"}
            async with httpx.AsyncClient() as http:
                health = (await http.get(f"{own.public_url}/healthz")).json()
    assert health == {"status": "ok"}
    assert post.mails == []


def gate_with_mail(agency: Agency, post: Post) -> None:
    """Start a gate that sends to a server of this test."""
    agency.start_gate(
        mail__host="127.0.0.1", mail__port=post.port, mail__security="none", mail__sender="gate@agency.example", mail__controller=[DPO]
    )  # fmt: skip


async def test_gate_when_it_serves_then_its_own_postman_tells(own: Agency) -> None:
    """A gate with a mail server tells by itself, from its start on; health says what was given up and which emergency waits."""
    async with posting() as post:
        party = await frozen(own)
        await own.execute(
            "insert into ecluse.emergency (id, log_id, index, attribute, opened_by, opened_at) values "
            "('eme_a', 1, 0, 'phone', 'cli:duty', ecluse.clock() - interval '4 days')"
        )
        await asyncio.to_thread(gate_with_mail, own, post)
        for _ in range(200):
            if len(post.mails) >= 4:
                break
            await asyncio.sleep(0.1)
        await own.execute("update ecluse.notice set state = 'dead' where processor_id = $1", party.name)
        async with httpx.AsyncClient() as http:
            health = (await http.get(f"{own.public_url}/healthz")).json()
        log = own.gates[0].log.read_text(encoding="utf-8")
    subjects = Counter(str(message["Subject"]) for _, message in post.mails)
    assert subjects == {
        f"[Écluse] {party.name.title()} : l'accès est suspendu": 2,
        "[Écluse] Une urgence attend son contrôle": 1,
        "[Écluse] Une urgence aurait dû être contrôlée": 1,
    }
    assert health == {"status": "warn", "emergency_review": "late", "notices": "given-up"}
    assert [word for word in (DPO, "rssi@", "stranger") if word in log] == []


async def test_commands_when_used_then_sent_listed_and_examined(own: Agency) -> None:
    """`notices send` tells now, `notices list` says who was told, and the doctor knocks at the server."""
    party = await frozen(own)

    async def run(*words: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, commands, [*words, "--dir", str(own.folder)])

    without = await run("notices", "send")
    assert (without.exit_code, "mail.host" in without.output) == (2, True)
    async with posting() as post:
        with (own.folder / "ecluse.toml").open("a", encoding="utf-8") as file:
            file.write(
                f'\n[mail]\nhost = "127.0.0.1"\nport = {post.port}\nsecurity = "none"\nsender = "gate@agency.example"\ndpo = "{DPO}"\n'
            )
        sent = await run("notices", "send", "--json")
        assert json.loads(sent.stdout) == {"noted": 2, "sent": 2, "failed": 0, "waiting": 0, "given_up": 0}
        listed = await run("notices", "list", party.name)
        assert [word for word in (DPO, f"rssi@{party.name}.example", MISSING, "told") if word not in listed.stdout] == []
        answer = json.loads((await run("notices", "list", party.name, "--reason", MISSING, "--json")).stdout)["notices"]
        assert {(one["audience"], one["state"], *one["sent_to"]) for one in answer} == {
            ("controller", "sent", DPO),
            ("processor", "sent", f"rssi@{party.name}.example"),
        }
        examined = json.loads((await run("doctor", "--json")).stdout)["parts"]
    duties = {
        line["where"]: line["level"] for part in examined if part["title"] == "Notices and duties" for line in part["lines"]
    }
    assert duties == {"mail.controller": "ok", "mail.host": "ok", "notices": "ok", "emergencies": "ok"}
