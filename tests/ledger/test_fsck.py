"""Checking the whole log: each way of tampering is found, at the right entry; a sound log is sound, on one core or two."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.ledger.errors import KeyInvalid
from ecluse.ledger.fields import Event
from ecluse.ledger.fsck import check_log
from ecluse.ledger.model import Checkpoint, ProblemKind
from ecluse.ledger.notes import format_vkey, sign_checkpoint, verifier_of_key
from ecluse.ledger.seen import digest_of, load_memory
from ecluse.ledger.service import seal_control
from ecluse.ledger.stretch import STRETCH, Task
from ecluse.ledger.teams import Reach
from ecluse.ledger.tree import EMPTY_ROOT, root_of

pytestmark = pytest.mark.db

ORIGIN = "register.example/ecluse/main"

REST = "event, disclosure_id, processor_id, agent_id, subject_ref, fields, salts from ecluse.opening"
TAMPERED = [
    (
        "update ecluse.ledger_entry set leaf = leaf || ' ' where index = 300",
        {"opening-other": 300, "tile-other": 256, "checkpoint-root": 400},
    ),
    ("delete from ecluse.ledger_entry where index = 300", {"entry-missing": 300, "opening-beyond": 300}),
    (
        "update ecluse.ledger_entry set sealed_at = sealed_at + interval '1 h' where index = 10",
        {"entry-time": 11, "opening-time": 10},
    ),
    (
        "update ecluse.ledger_head set size = 599",
        {"entry-beyond": 599, "opening-beyond": 599, "tile-other": 599, "checkpoint-beyond": 599},
    ),
    ("update ecluse.ledger_head set last_at = last_at - interval '1 s'", {"head-time": 600}),
    ("delete from ecluse.opening where index in (7, 8)", {"opening-missing": 7}),
    ("update ecluse.opening set fields = replace(fields, 'lyon', 'nice') where index = 12", {"opening-other": 12}),
    ("update ecluse.opening set fields = 'no json' where index = 12", {"opening-other": 12}),
    ("update ecluse.opening set fields = repeat('[', 100000) where index = 12", {"opening-other": 12}),
    ("update ecluse.opening set salts = salts || '\\x00' where index = 12", {"opening-other": 12}),
    ("update ecluse.opening set processor_id = 'nice-langues' where index = 12", {"opening-column": 12}),
    ("update ecluse.opening set subject_ref = null where index = 12", {"opening-column": 12}),
    ("update ecluse.opening set event = 'control:hold:released' where index = 19", {"opening-column": 19}),
    ("update ecluse.opening set disclosure_id = null where index = 12", {"opening-column": 12}),
    ("update ecluse.opening set sealed_at = sealed_at + interval '1 s' where index = 12", {"opening-time": 12}),
    (
        f"insert into ecluse.opening select log_id, index, sealed_at + interval '1 s', {REST} where index = 12",
        {"opening-twice": 12},
    ),
    (
        f"insert into ecluse.opening select log_id, -1, sealed_at, {REST} where index = 12",
        {"opening-beyond": -1},
    ),
    (
        "update ecluse.ledger_tile set hashes = overlay(hashes placing '\\x00'::bytea from 40) where level = 0 and tile = 1",
        {"tile-other": 257},
    ),
    ("update ecluse.ledger_tile set hashes = substr(hashes, 1, 32) where level = 1", {"tile-other": 256}),
    ("delete from ecluse.ledger_tile where level = 0 and tile = 1", {"tile-missing": 256}),
    ("delete from ecluse.ledger_tile where level = 0 and tile = 2", {"tile-missing": 512}),
    ("delete from ecluse.ledger_tile", {"tile-missing": 0}),
    ("insert into ecluse.ledger_tile select log_id, 5, 0, hashes from ecluse.ledger_tile where level = 1", {"tile-beyond": 600}),
    (
        "update ecluse.ledger_checkpoint set root = sha256(root) where size = 400",
        {"checkpoint-note": 400, "checkpoint-root": 400},
    ),
    ("update ecluse.ledger_checkpoint set note = replace(note, '400', '401') where size = 400", {"checkpoint-note": 400}),
    ("update ecluse.ledger_checkpoint set signed_at = signed_at - interval '1 h' where size = 600", {"checkpoint-time": 600}),
    ("update ecluse.ledger_checkpoint set size = 700 where size = 600", {"checkpoint-beyond": 600}),
    ("update ecluse.ledger_log set vkey = replace(vkey, '+', '-')", {"key-other": 0}),
    ("update ecluse.ledger_log set origin = 'other.example/log'", {"checkpoint-note": 0}),
]


async def _sound_log(journal):
    """600 entries under the heads 0, 400 and 600."""
    await journal.integrator().round()
    for count in (400, 200):
        await journal.grow(count)
        await journal.integrator().round()


async def test_fsck_when_anything_was_tampered_with_then_found_at_its_entry(journal):
    """Each tampering is reported as what it is, with the first entry concerned, and nothing else is reported."""
    await _sound_log(journal)
    wrong = []
    for statement, expected in TAMPERED:
        transaction = journal.owner.transaction(isolation="repeatable_read")
        await transaction.start()
        await journal.tamper(statement)
        report = await check_log(journal.owner, 1, journal.signer.vkey)
        await transaction.rollback()
        found = {problem.kind.value: problem.index for problem in report.problems}
        if found != expected:
            wrong.append((statement, found, expected))
    assert wrong == []
    assert (await check_log(journal.reader, 1, journal.signer.vkey)).sound


async def test_fsck_when_history_was_rewritten_and_signed_by_another_key_then_found(journal):
    """A head with the true root but another key's signature is found; so is the wrong verifier key."""
    await _sound_log(journal)
    forger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=600, root=root_of(journal.leaves)), forger)
    await journal.owner.execute("update ecluse.ledger_checkpoint set note = $1 where size = 600", note)
    report = await check_log(journal.reader, 1, journal.signer.vkey)
    assert [(one.kind, one.index) for one in report.problems] == [(ProblemKind.CHECKPOINT_NOTE, 600)]
    report = await check_log(journal.reader, 1, format_vkey(verifier_of_key(ORIGIN, forger)))
    assert [(one.kind, one.index, one.count) for one in report.problems] == [
        (ProblemKind.CHECKPOINT_NOTE, 0, 2), (ProblemKind.KEY_OTHER, 0, 1),
    ]  # fmt: skip


async def test_fsck_when_there_is_no_log_then_said(journal):
    """A log that is not there is one problem; a key that is none is the caller's mistake."""
    report = await check_log(journal.reader, 2, journal.signer.vkey)
    assert [one.kind for one in report.problems] == [ProblemKind.HEAD_MISSING]
    with pytest.raises(KeyInvalid):
        await check_log(journal.reader, 1, "no key")


async def test_fsck_when_the_log_is_empty_then_sound(journal):
    """Nothing sealed, nothing wrong."""
    report = await check_log(journal.reader, 1, journal.signer.vkey)
    assert (report.sound, report.size, report.root) == (True, 0, EMPTY_ROOT)


async def test_fsck_when_sound_then_everything_is_counted(journal):
    """Counts of what was checked; entries not yet integrated are no problem; progress reaches the end."""
    await _sound_log(journal)
    await seal_control(
        journal.owner, log_id=1, event=Event.PROCESSOR_ADDED, act="processor:add", actor="test", target="nice-langues",
        detail={}, body={"id": "nice-langues", "name": "Nice Langues"},
    )  # fmt: skip
    seen = []
    report = await check_log(journal.reader, 1, journal.signer.vkey, lambda done, total: seen.append((done, total)))
    assert report.problems == ()
    assert (report.size, report.entries, report.openings, report.published) == (601, 601, 601, 600)
    assert (report.tiles, report.checkpoints) == (4, 3)
    assert seen == [(601, 601)]


async def test_fsck_when_given_processes_then_the_same_report(journal):
    """With a team the stretches are checked elsewhere, in the same snapshot; the report is the same, also of a tampered log."""
    await _sound_log(journal)
    await journal.tamper("update ecluse.opening set fields = '[]' where index in (5, 512)")
    alone = await check_log(journal.reader, 1, journal.signer.vkey)
    reach = Reach(dsn=journal.dsns["ecluse_reader"], passwords=(urlsplit(journal.dsns["ecluse_reader"]).password or "",))
    shared = await check_log(journal.reader, 1, journal.signer.vkey, reach=reach, team=2)
    assert shared == alone
    assert [(one.kind, one.index, one.count) for one in shared.problems] == [(ProblemKind.OPENING_OTHER, 5, 2)]


# ── what was whole is remembered ─────────────────────────────────────────────────────────────────────────────────────────────
REMEMBERED = [
    "update ecluse.ledger_entry set leaf = leaf || ' ' where index = 3",
    "update ecluse.opening set subject_ref = 'ofii:none' where index = 65530",
    "delete from ecluse.opening where index = 7",
    (
        "with b as (insert into ecluse.erasure_batch values (1, 1, 0, 1, sha256(''), 1, now(), now()) returning id) "
        "insert into ecluse.tombstone select 1, id, 7, 8 from b"
    ),
    "update ecluse.ledger_tile set hashes = overlay(hashes placing '\\x00'::bytea from 40) where level = 0 and tile = 9",
    "update ecluse.ledger_tile set hashes = overlay(hashes placing '\\x00'::bytea from 40) where level = 1 and tile = 0",
    "update ecluse.ledger_checkpoint set note = replace(note, '400', '401') where size = 400",
    "update ecluse.opening set fields = replace(fields, 'lyon', 'nice') where index = 12",
]


async def test_fsck_when_it_remembers_then_the_same_report_and_no_change_goes_unseen(journal, tmp_path):
    """A stretch found whole is not hashed again while its rows are the same; any change of them has it checked as ever."""
    seen = tmp_path / "log.seen"
    await _sound_log(journal)
    await journal.grow(STRETCH - 500)
    while (await journal.integrator().round()).behind:
        pass
    first = await check_log(journal.reader, 1, journal.signer.vkey, seen=seen)
    assert (first.problems, first.size) == ((), STRETCH + 100)
    assert seen.stat().st_mode & 0o777 == 0o600
    assert await check_log(journal.reader, 1, journal.signer.vkey, seen=seen) == first
    task = Task(log_id=1, origin=ORIGIN, size=first.size, integrated=first.size, keys=(), policies={}, bucket_key=b"k")
    digests = [await digest_of(journal.reader, task, 0)]
    for statement in REMEMBERED:
        transaction = journal.owner.transaction(isolation="repeatable_read")
        await transaction.start()
        await journal.tamper(statement)
        digests.append(await digest_of(journal.owner, task, 0))
        if statement is REMEMBERED[-1]:
            report = await check_log(journal.owner, 1, journal.signer.vkey, seen=seen)
        await transaction.rollback()
    assert len(set(digests)) == 1 + len(REMEMBERED)
    assert {(one.kind, one.index) for one in report.problems} == {(ProblemKind.OPENING_OTHER, 12)}
    assert await digest_of(journal.reader, task, STRETCH) == b""
    seen.write_bytes(b"nonsense")
    assert load_memory(seen, ORIGIN).known == {}
