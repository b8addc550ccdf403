"""``ecluse ledger succeed``: go on in another log, where the one that is written can't be signed any more.

Steps, each fit to be repeated after a crash (docs/keys.md and the operator guide have the whole procedure):
 1. see that it is so: entries that were signed are gone or others, or the key is lost for good
 2. make the next log: its own key (0600), its row and head, its signer's memory; nobody writes there yet
 3. one entry, the first of the new log, says all of it and, in the same transaction, closes the old log and moves the processors
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from ecluse.cli.options import Dir, Json, Yes
from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.install import Databases
    from ecluse.ledger.model import Checkpoint, Log, LogKey
    from ecluse.settings import Installation

_SLACK: Final = 1000  # entries that may have been sealed, and not signed, before they were lost
_MOST_LOGS: Final = 1000

_LOST: Final = """\
What was decided in the lost range is undone, and Écluse can't know what it was: holds and revoked keys first, then contracts and the schedule.
Look at `ecluse processor holds` and `ecluse processor client list`, ask security and the processors, and place again what is missing before any gate starts.
What was disclosed in the lost range can't be accounted for here. Processors hold receipts of it: ask them for the files.
"""
_AFTER: Final = """\
Hand the line above to witnesses, processors and auditors, in writing and with the reason; apply a witness policy for the new log.
Then restart every gate. The old log stays readable where it was."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a log that can't be signed stands.

    ``signed``, ``note``: the newest checkpoint known of it, and the newest that was cosigned (else that one); ``kept``: entries under a checkpoint in the
    database that are as they were signed; ``root``: over all entries there are; ``fault``: why it can't be signed, '' if it can.
    """

    log: Log
    control_seq: int
    signed: Checkpoint
    note: str
    kept: int
    root: bytes
    fault: str

    @property
    def lost(self) -> list[int]:
        """The half-open range of entries that were signed and are gone, or may be others."""
        return [self.kept, max(self.kept, self.signed.size)]


def succeed(
    *,
    reason: Annotated[str, typer.Option(help="Why: it is sealed for ever and read by everybody. Name no person.")],
    kept: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint", metavar="FILE", help="A newer checkpoint that somebody kept, best a cosigned one. May be said again."
        ),
    ] = None,
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Open the log that takes the place of one that was rolled back, or whose key is lost: main-2 after main. Never where the log is well.

    Stop every gate first. Entries that are lost stay lost: bring them back from a standby if there is any. The new log has another name and key, so every
    witness and client sees it; its first entry says up to where the old one was signed, what is left of it, and why.
    """
    from ecluse import install
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import load, read_text, run
    from ecluse.cli.rotate import one_at_a_time

    screen, installation = Screen(as_json=as_json), load(folder)
    if not reason.strip():
        raise typer.BadParameter("say why, in a few words", param_hint="--reason")
    notes = {str(path): read_text(path) for path in kept or []}
    with one_at_a_time(installation), install.databases(installation) as reached, screen.working("Hashing the entries"):
        stands = run(_look(installation, reached, notes))
    if not stands.fault:
        why = f"{stands.log.origin} is well: it extends what was signed last"
        raise Refusal("ledger", why, "Nothing has to take its place. A stolen key: ecluse ledger rotate-key")
    _tell(screen, stands)
    if not screen.confirm(f"Close {stands.log.origin} for ever and go on in another log?", yes=yes):
        raise typer.Exit(1)
    with one_at_a_time(installation), install.databases(installation) as reached:
        log, index = run(_succeed(installation, reached, stands, reason.strip()))
    line = f"log {log.vkey} {installation.settings.public_url}/ledger/{log.name}/"
    screen.say(f"\n{log.origin} takes its place; its entry {index} says so.", style="bold green")
    screen.say(f"\n{line}\n")
    if stands.lost[0] < stands.lost[1]:
        screen.say(_LOST, style="bold yellow")
    screen.say(_AFTER)
    facts = {"size": stands.log.size, "signed_size": stands.signed.size, "lost": stands.lost}
    screen.answer(
        {"origin": log.origin, "name": log.name, "vkey": log.vkey, "policy": [line], "predecessor": stands.log.origin, **facts}
    )


def _tell(screen: Screen, stands: Standing) -> None:
    """Show what is known before anything is done."""
    lost = stands.lost[1] - stands.lost[0]
    screen.say(f"{stands.log.origin} can't be signed any more: {stands.fault}.", style="bold red")
    screen.pairs(
        [
            ("signed last", counted(stands.signed.size, "entry", "entries")),
            (
                "left in the database",
                f"{counted(stands.log.size, 'entry', 'entries')}, {stands.kept:,} of them under a checkpoint",
            ),
            (
                "lost",
                f"entries {stands.lost[0]:,} to {stands.lost[1] - 1:,}: {counted(lost, 'entry', 'entries')}"
                if lost
                else "none that was signed",
            ),
        ]
    )
    if stands.note:
        screen.say(f"\nThe last checkpoint known, which the new log's first entry will hold:\n\n{stands.note}")


# ── step 1 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _look(installation: Installation, reached: Databases, notes: dict[str, str]) -> Standing:
    """See how the log that is written now stands against everything that is known to have been signed."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import require_log
    from ecluse.install import LOG_ID, connect, log_file
    from ecluse.ledger.fsck import root_of_entries
    from ecluse.ledger.serve import checkpoint, current_log, keys_of, log_of, served_checkpoint
    from ecluse.ledger.store import read_head

    connection = await connect(installation, reached, "ecluse_reader")
    try:
        await require_log(connection)
        log = await log_of(connection, await current_log(connection, LOG_ID))
        keys, head, served = (
            await keys_of(connection, log.id),
            await checkpoint(connection, log.id),
            await served_checkpoint(connection, log.id),
        )
        memory = installation.state / log_file(log.id, "checkpoint")
        stored = {"the database's newest": head, "the database's served": served}
        known = {where: one.note for where, one in stored.items() if one is not None} | notes
        if memory.exists():
            known[f"state/{memory.name}"] = memory.read_text(encoding="utf-8")
        said = [_open(where, note, log, keys) for where, note in known.items()]
        roots = {one.size: await root_of_entries(connection, log.id, one.size) for one, _, _ in said if one.size <= log.size}
        against = [each for each in said if roots.get(each[0].size) != each[0].root]
        signed, note = _newest(log, against or said)
        root = await root_of_entries(connection, log.id, log.size)
        if root is None:
            raise Refusal("ledger", "an entry that the head counts is not there", "Run: ecluse ledger fsck")
        return Standing(
            log=log, control_seq=(await read_head(connection, log.id)).control_seq, signed=signed, note=note, root=root,
            kept=await _kept(connection, log, head.size if head else 0, signed) if against else signed.size,
            fault=_rolled_back(log, signed) if against else _unsignable(installation, log, keys),
        )  # fmt: skip
    finally:
        await connection.close()


def _open(where: str, text: str, log: Log, keys: list[LogKey]) -> tuple[Checkpoint, str, bool]:
    """Open a checkpoint of this log; tell with it whether others cosigned it."""
    from ecluse.cli.edge import Refusal
    from ecluse.ledger.errors import NoteInvalid
    from ecluse.ledger.notes import open_checkpoint, open_note, parse_vkey

    verifiers = [parse_vkey(key.vkey) for key in keys]
    try:
        return open_checkpoint(text, verifiers, log.origin), text, bool(open_note(text, verifiers).ignored)
    except NoteInvalid as bad:
        raise Refusal(
            where, f"it is no checkpoint of {log.origin}: {bad}", "Keep it, and look at it with security before you go on"
        ) from bad


def _newest(log: Log, said: list[tuple[Checkpoint, str, bool]]) -> tuple[Checkpoint, str]:
    """Return the newest checkpoint of these, and the note of the newest that others cosigned, or else its own."""
    from ecluse.ledger.model import Checkpoint
    from ecluse.ledger.tree import EMPTY_ROOT

    if not said:
        return Checkpoint(origin=log.origin, size=0, root=EMPTY_ROOT), ""
    best, note, _ = max(said, key=lambda each: (each[0].size, each[2]))
    cosigned = [(one.size, text) for one, text, by_others in said if by_others]
    return best, max(cosigned)[1] if cosigned else note


async def _kept(connection: Connection, log: Log, published: int, signed: Checkpoint) -> int:
    """Return how many entries a checkpoint in the database covers that was there before the loss, as far as can be told.

    After a roll-back they all were. Where a signer signed on all the same, its memory having been rolled back too, only those that witnesses cosigned.
    """
    if published <= signed.size:
        return published
    seen: int | None = await connection.fetchval(
        "select max(size) from ecluse.ledger_cosignature where log_id = $1::smallint and size <= $2", log.id, signed.size
    )
    return seen or 0


def _rolled_back(log: Log, signed: Checkpoint) -> str:
    """Say what the database contradicts."""
    if signed.size > log.size:
        return f"{signed.size} entries were signed and the database has {log.size}: it was rolled back"
    return f"of the {signed.size} entries that were signed some are others now: it was rolled back, and written on"


def _unsignable(installation: Installation, log: Log, keys: list[LogKey]) -> str:
    """Say why a log that was not rolled back can't be signed, '' if it can. A memory that is only lost is no reason: it is adopted."""
    from ecluse.cli.edge import Refusal
    from ecluse.errors import ConfigurationError
    from ecluse.install import signer_of
    from ecluse.ledger.errors import KeyInvalid, StateInvalid, StateMissing

    try:
        signer = signer_of(installation, log.id, log.origin)
        signer.use([key.vkey for key in keys if key.until_size is None])
        signer.last()
    except (ConfigurationError, KeyInvalid):
        return "its key is not here any more"
    except (StateMissing, StateInvalid) as lost:
        raise Refusal(
            "ledger", "only the signer's memory is lost, and the log is what was signed", "Run: ecluse ledger adopt FILE"
        ) from lost
    return ""


# ── steps 2 and 3 ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _succeed(installation: Installation, reached: Databases, stands: Standing, reason: str) -> tuple[Log, int]:
    """Make the next log and seal its first entry, which closes the old one."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import actor
    from ecluse.install import connect
    from ecluse.ledger.errors import ControlRefused
    from ecluse.ledger.fields import Event
    from ecluse.ledger.service import seal_control

    log = await _prepare(installation, reached, stands)
    old, lost = stands.log, stands.lost
    app = await connect(installation, reached, "ecluse_app")
    try:
        sealed = await seal_control(
            app, log_id=log.id, event=Event.LOG_SUCCEEDED, act="log:succeed", actor=actor(), target=old.origin,
            detail={
                "checkpoint": stands.note, "lost": lost, "origin": old.origin, "reason": reason, "root": stands.root.hex(),
                "signed_size": stands.signed.size, "size": old.size, "vkey": log.vkey,
            },
            body={"predecessor": old.id, "size": old.size, "signed_size": stands.signed.size},
        )  # fmt: skip
    except ControlRefused as moved:
        raise Refusal(
            "ledger", f"entries are still being sealed in {old.origin}", "Stop every gate, then run this again"
        ) from moved
    finally:
        await app.close()
    return log, sealed.index


async def _prepare(installation: Installation, reached: Databases, stands: Standing) -> Log:
    """Make the next log, or take up the one that was made before a crash."""
    from ecluse import install
    from ecluse.ledger.serve import log_of

    reader = await install.connect(installation, reached, "ecluse_reader")
    try:
        first = await log_of(reader, install.LOG_ID)
        there = await reader.fetchval("select max(id) from ecluse.ledger_log")
        number = _free_number(installation, first.origin, stands.log.id + 1)
        seq = stands.control_seq + stands.lost[1] - stands.lost[0] + _SLACK
        if there < number:
            _make_files(installation, number)
            name, origin = f"{first.name}-{number}", f"{first.origin}-{number}"
            await install.create_log(installation, reached, log_id=number, name=name, origin=origin, control_seq=seq)
        else:  # a crash before its entry: the old log may have gone on since
            await _raise_seq(installation, reached, number, seq)
        return await log_of(reader, number)
    finally:
        await reader.close()


async def _raise_seq(installation: Installation, reached: Databases, number: int, seq: int) -> None:
    """Let a log in which nothing is sealed yet begin above the old one's changes."""
    from ecluse import install

    owner = await install.connect(installation, reached, "ecluse_owner")
    try:
        await owner.execute(
            "update ecluse.ledger_head set control_seq = greatest(control_seq, $2) where log_id = $1 and size = 0", number, seq
        )
    finally:
        await owner.close()


def _make_files(installation: Installation, number: int) -> None:
    """Make a log's key, and clear the memory of the empty log that a run left which was killed before the log's rows were there."""
    from ecluse import install

    key = installation.keys / install.log_file(number, "key")
    if not key.exists():
        install.write_secret(key, install.new_log_key())
    (installation.state / install.log_file(number, "checkpoint")).unlink(missing_ok=True)


def _free_number(installation: Installation, origin: str, number: int) -> int:
    """Return the first number from this one on under which nothing was ever signed here: a log's name is never given twice."""
    from ecluse.install import log_file, signer_of
    from ecluse.ledger.errors import LedgerError

    for each in range(number, number + _MOST_LOGS):
        if not (installation.state / log_file(each, "checkpoint")).exists():
            return each
        with suppress(LedgerError):
            if signer_of(installation, each, f"{origin}-{each}").last()[0].size == 0:
                return each
    raise AssertionError("impossible: a thousand successors")
