"""Time stamps (RFC 3161) from a real authority on this machine: what is refused, what is kept, and what a stored one still proves."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ecluse.errors import ConfigurationError
from ecluse.install import authority_of
from ecluse.ledger import anchor as anchoring
from ecluse.ledger.anchor import Anchoring, anchor_log, anchors_of, ask_anchor, check_anchor, recheck
from ecluse.ledger.authority import Authority, load_roots
from ecluse.ledger.errors import AnchorRefused, NotPublished
from ecluse.ledger.export import export_log
from ecluse.settings import load
from tests.agency import founded
from tests.authority import POLICY, founded_authority, has_openssl_ts
from tests.cli.offices import Office

pytestmark = [pytest.mark.db, pytest.mark.skipif(not has_openssl_ts(), reason="needs OpenSSL with `ts`")]

NOTE = "register.example/ecluse/main\n20\nhash=\n\n— register.example/ecluse/main c2ln\n"


@pytest.fixture(scope="module")
def stamping(tmp_path_factory):
    """An authority of this module's own."""
    with founded_authority(tmp_path_factory.mktemp("authority") / "tsa") as running:
        yield running


@pytest.fixture
def authority(stamping):
    """The authority, as the ledger knows it; well at the beginning of each test."""
    stamping.mode = "good"
    return Authority(url=stamping.url, roots=load_roots(stamping.roots_pem), policy=POLICY)


async def _ask(authority, note=NOTE):
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        return await ask_anchor(http, authority, note)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"ledger.anchor_url": "ftp://time.example", "ledger.anchor_roots": "roots.pem"}, "ledger.anchor_url"),
        ({"ledger.anchor_url": "https://time.example"}, "ledger.anchor_roots"),
        ({"ledger.anchor_policy": "1.2.x"}, "ledger.anchor_policy"),
    ],
)
def test_settings_when_an_authority_could_not_be_checked_then_refused(tmp_path, options, where):
    """No address, no roots, no object identifier: said before anything starts; a file of roots that is not there, when it is wanted."""
    (tmp_path / "ecluse.toml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=where):
        load(tmp_path, options, {})
    missing = load(tmp_path, {"ledger.anchor_url": "https://time.example", "ledger.anchor_roots": "roots.pem"}, {})
    with pytest.raises(ConfigurationError, match=r"ledger\.anchor_roots: it can't be read"):
        authority_of(missing)
    assert authority_of(load(tmp_path, {}, {})) is None


async def test_roots_when_there_is_no_certificate_then_refused():
    """A file without a certificate would believe nobody, and is said to."""
    for pem in (b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(AnchorRefused, match="no PEM certificate"):
            load_roots(pem)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("error", "answers 500"),
        ("garbage", "malformed"),
        ("large", "too large"),
        ("old", "Nonce mismatch"),
        ("rejected", "did not grant|malformed"),
    ],
)
async def test_ask_when_the_authority_answers_wrong_then_refused(stamping, authority, mode, why):
    """Out of order, nonsense, a flood, an old stamp played again, a refusal of its own."""
    await _ask(authority, "another note\n")
    stamping.mode = mode
    with pytest.raises(AnchorRefused, match=why):
        await _ask(authority)


async def test_ask_when_it_is_not_the_authority_that_we_know_then_refused(stamping, authority, tmp_path):
    """Nobody there, another root, another policy, a clock of another day."""
    with pytest.raises(AnchorRefused, match="does not answer"):
        await _ask(Authority(url="http://127.0.0.1:9/", roots=authority.roots))
    with founded_authority(tmp_path / "other") as other, pytest.raises(AnchorRefused, match="certificates"):
        await _ask(Authority(url=stamping.url, roots=load_roots(other.roots_pem)))
    with pytest.raises(AnchorRefused, match="Policy"):
        await _ask(Authority(url=stamping.url, roots=authority.roots, policy="1.2.3.4.9"))


async def test_ask_when_its_clock_is_far_from_ours_then_refused(authority, monkeypatch):
    """A stamp of another hour is not believed, whoever signed it."""
    monkeypatch.setattr(anchoring.clock, "now", lambda: datetime.now(UTC) + timedelta(minutes=11))
    with pytest.raises(AnchorRefused, match="ten minutes apart"):
        await _ask(authority)


async def test_stamp_when_a_byte_of_it_or_of_the_note_is_changed_then_never_another_time_or_note(authority):
    """Flips anywhere are refused in one way, or lie where nothing is signed and change neither note nor time."""
    answer, at = await _ask(authority)
    assert check_anchor(NOTE, answer, authority.roots) == at
    with pytest.raises(AnchorRefused, match="Mismatch"):
        check_anchor(NOTE.replace("20", "21"), answer, authority.roots)
    chance, passed = random.Random(7), 0  # noqa: S311 - which byte is flipped
    for _ in range(400):
        spoilt = bytearray(answer)
        spoilt[chance.randrange(len(answer))] ^= 1 << chance.randrange(8)
        try:
            assert check_anchor(NOTE, bytes(spoilt), authority.roots) == at
            passed += 1
        except AnchorRefused:
            pass
    assert passed < 40
    for cut in range(0, len(answer), 7):
        with pytest.raises(AnchorRefused):
            check_anchor(NOTE, answer[:cut], authority.roots)


# ── kept ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_anchor_when_the_log_is_changed_afterwards_then_the_stamp_shows_it(journal, authority, tmp_path):
    """Nothing before the first checkpoint; then stamped, kept, exported and checked again; another history does not pass."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        with pytest.raises(NotPublished):
            await anchor_log(journal.jobs, 1, http, authority)
        for _ in range(2):
            await journal.grow(20)
            await journal.integrator().round()
            await anchor_log(journal.jobs, 1, http, authority)
    kept = await anchors_of(journal.reader, 1)
    assert [(one.size, one.authority) for one in kept] == [(20, authority.url), (40, authority.url)]
    assert await recheck(journal.reader, 1, kept, authority.roots) == ["", ""]
    await export_log(journal.reader, 1, tmp_path / "out")
    assert len(list((tmp_path / "out" / "anchors").glob("20-*.tsr"))) == 1
    assert [path.read_text(encoding="utf-8") for path in (tmp_path / "out" / "anchors").glob("40-*.note")] == [kept[1].note]
    await journal.owner.execute("update ecluse.ledger_checkpoint set root = decode(repeat('00', 32), 'hex') where size = 20")
    assert [bool(why) for why in await recheck(journal.reader, 1, kept, authority.roots)] == [True, False]
    with pytest.raises(Exception, match="append-only"):
        await journal.owner.execute("delete from ecluse.ledger_anchor")


async def test_anchoring_when_the_authority_fails_then_tried_again_ever_more_seldom_and_once_a_day(
    journal, stamping, authority, monkeypatch
):
    """A failure costs a longer pause and nothing else; a stamp is good for a day, and for as long as the log does not grow."""
    await journal.grow(5)
    await journal.integrator().round()
    worker, pauses = Anchoring(journal.jobs, authority, log_id=1), []
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        stamping.mode = "error"
        for _ in range(8):
            await worker._try_turn(http)
            pauses.append(worker._pause // timedelta(minutes=1))
        assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
        stamping.mode = "good"
        assert [await worker.turn(http), await worker.turn(http)] == [True, False]
        monkeypatch.setattr(anchoring, "EVERY", timedelta(0))
        assert await worker.turn(http) is False
        await journal.grow(5)
        await journal.integrator().round()
        assert await worker.turn(http) is True


def test_gate_when_an_authority_is_configured_then_it_anchors_and_the_commands_show_it(postgres, stamping, authority, tmp_path):
    """The gate stamps its first checkpoint by itself; `anchor` one more; `anchors` checks them, and says so when they are late or spoilt."""
    with founded(postgres, tmp_path / "ecluse-data", gate=False) as agency:
        (agency.folder / "roots.pem").write_bytes(stamping.roots_pem)
        settings = f'\n[ledger]\nanchor_url = "{stamping.url}"\nanchor_roots = "roots.pem"\n'
        toml = agency.folder / "ecluse.toml"
        office, plain = Office(agency.folder), toml.read_text(encoding="utf-8")
        assert office.run("ledger", "anchor").stderr.startswith("ledger.anchor_url: no authority is configured.")
        toml.write_text(plain + settings, encoding="utf-8")
        assert office.json("ledger", "anchors", code=1) == {"sound": True, "late": True, "anchors": []}
        agency.start_gate()
        asyncio.run(agency.bind())
        deadline = time.monotonic() + 90
        while not (rows := asyncio.run(agency.fetch("select size from ecluse.ledger_anchor"))) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert rows
        made = office.json("ledger", "anchor")
        listed = office.json("ledger", "anchors")
        assert (listed["sound"], listed["anchors"][-1]["size"]) == (True, made["size"])
        (agency.folder / "roots.pem").write_bytes((stamping.folder / "tsa.pem").read_bytes())
        assert office.json("ledger", "anchors", code=1)["sound"] is False
