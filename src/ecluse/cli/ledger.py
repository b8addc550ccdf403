"""``ecluse ledger``: open the log, see how it stands, rebuild all of it from its entries, check a receipt against the public log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ecluse.cli.adopt import adopt
from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json
from ecluse.cli.screen import Screen, local_time

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    from ecluse.db import Connection
    from ecluse.ledger.model import Report, StoredCheckpoint
    from ecluse.settings import Installation

app = typer.Typer(no_args_is_help=True, help="The ledger: open it, see how it stands, verify it, check what it proves.")

_CHUNK: Final = 10_000
_WORTH_A_PROCESS: Final = 50_000
"""Entries from which a second process pays for its start."""


@app.command("init")
def init_log(
    *,
    origin: Annotated[
        str, typer.Option(help="The log's name for ever, such as office.example/ecluse/main: no address, no blanks, no +.")
    ],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Open the log: its row, its signer's memory and its first entry. Once for an installation; `ecluse init --evaluation` has done it."""
    from ecluse import install
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import APP, actor, load, run, with_connection
    from ecluse.cli.store import log_there
    from ecluse.errors import ConfigurationError
    from ecluse.install import LOG_ID
    from ecluse.ledger.notes import is_key_name

    if not is_key_name(origin):
        raise ConfigurationError(
            "--origin", "it is not a log's name", "Write one without blanks or +, such as office.example/ecluse/main"
        )
    screen, installation = Screen(as_json=as_json), load(folder)
    with install.databases(installation) as reached:
        there = run(with_connection(installation, reached, APP, lambda connection: log_there(connection, LOG_ID)))
        if there is not None:
            raise Refusal("ledger", f"the log {there['origin']} is open already", "`ecluse ledger status` shows it")
        sealed = run(
            install.open_log(installation, reached, name=installation.settings.ledger.name, origin=origin, actor=actor())
        )
        opened = run(with_connection(installation, reached, APP, lambda connection: log_there(connection, LOG_ID)))
    vkey = opened["vkey"] if opened is not None else ""
    screen.say(f"The log {origin} is open; its first entry is {sealed.index}.", style="green")
    screen.say(f"Its verifier key, to hand to processors and witnesses:\n{vkey}")
    screen.answer({"origin": origin, "vkey": vkey, "index": sealed.index})


@app.command()
def status(*, folder: Dir = None, as_json: Json = False) -> None:
    """Say how the log stands: its size, how far it is signed, its verifier key."""
    from ecluse.cli.reach import load, on_log

    screen, installation = Screen(as_json=as_json), load(folder)
    log, head = on_log(installation, _status)
    zone, size = installation.settings.zone, head.size if head else 0
    unsigned = log["size"] - size
    screen.pairs(
        [
            ("origin", log["origin"]),
            ("entries", log["size"]),
            ("last entry", local_time(log["last_at"], zone)),
            ("changes of what may be disclosed", log["control_seq"]),
            ("signed", f"{size} entries, {local_time(head.signed_at, zone)}" if head else "nothing yet"),
            ("not signed yet", f"{unsigned}: `ecluse serve` signs within a second, while it runs" if unsigned else "0"),
            ("root", head.root.hex() if head else "-"),
            ("verifier key", log["vkey"]),
        ]
    )
    screen.answer(
        {
            **{name: log[name] for name in ("origin", "vkey", "size", "control_seq", "last_at")},
            "signed_size": size,
            "signed_at": head.signed_at if head else None,
            "root": head.root.hex() if head else None,
            "checkpoint": head.note if head else None,
        }
    )


async def _status(connection: Connection) -> tuple[asyncpg.Record, StoredCheckpoint | None]:
    """Read the log and its last checkpoint."""
    from ecluse.cli.store import log_there
    from ecluse.install import LOG_ID
    from ecluse.ledger.serve import checkpoint

    log = await log_there(connection, LOG_ID)
    if log is None:
        raise AssertionError("impossible: the log was there a moment ago")
    return log, await checkpoint(connection, LOG_ID)


@app.command()
def verify(
    *,
    vkey: Annotated[
        str | None, typer.Option(help="The log's verifier key, from elsewhere than the database.", show_default="of keys/log.key")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", help="A signed checkpoint kept elsewhere, older or not: the log must extend it. May be said again."
        ),
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Rebuild everything from the entries and say what is wrong: gaps, changed entries, tiles, roots, signatures, times.

    The signer's own memory (state/log.checkpoint) is compared, too. Exit code 1 if anything is found. May be run while the gate serves.
    """
    from ecluse.cli.reach import load, on_log, read_text

    screen, installation = Screen(as_json=as_json), load(folder)
    notes = {str(path): read_text(path) for path in against or []}
    memory = installation.state / "log.checkpoint"
    if memory.exists():
        notes.setdefault("state/log.checkpoint", read_text(memory))
    with screen.progress("Verifying") as tell:
        report, forks = on_log(
            installation, lambda connection: _verify(connection, installation, vkey, notes, tell), role="ecluse_reader"
        )
    _show_report(screen, report, forks)
    if not report.sound or any(forks.values()):
        raise typer.Exit(REFUSED)


async def _verify(
    connection: Connection, installation: Installation, vkey: str | None, notes: dict[str, str], tell: Callable[[int, int], None]
) -> tuple[Report, dict[str, str]]:
    """Check the whole log, then whether it extends each checkpoint that was kept outside the database ('' where it does)."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from ecluse.install import LOG_ID
    from ecluse.ledger.serve import log_of
    from ecluse.ledger.sign import Signer, load_log_key
    from ecluse.ledger.verify import verify_ledger

    log = await log_of(connection, LOG_ID)
    if vkey is None:
        vkey = Signer(installation.state / "log.checkpoint", log.origin, load_log_key(installation.secret("log.key"))).vkey
    executor = ProcessPoolExecutor(1, mp_context=get_context("spawn")) if log.size >= _WORTH_A_PROCESS else None
    try:
        report = await verify_ledger(connection, LOG_ID, vkey, tell, executor=executor)
    finally:
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
    return report, {name: await _fork(connection, log.origin, vkey, note) for name, note in notes.items()}


async def _fork(connection: Connection, origin: str, vkey: str, note: str) -> str:
    """Say why the published log does not extend a checkpoint, '' if it does. The tiles used were compared with the entries before."""
    from ecluse.install import LOG_ID
    from ecluse.ledger.errors import NoteInvalid, NotPublished, ProofError
    from ecluse.ledger.notes import open_checkpoint, parse_vkey
    from ecluse.ledger.serve import checkpoint, consistency
    from ecluse.ledger.tree import check_consistency

    try:
        old = open_checkpoint(note, [parse_vkey(vkey)], origin)
    except NoteInvalid as bad:
        return f"it is no checkpoint of this log: {bad}"
    if not old.size:
        return ""
    head = await checkpoint(connection, LOG_ID)
    differs = f"the log does not extend it: one of its first {old.size} entries was another"
    if head is None or head.size < old.size:  # signed and not published: a crash in between, or entries were lost
        root = await root_of_entries(connection, old.size)
        return (
            "" if root == old.root else differs if root else f"it covers {old.size} entries, the log has fewer: entries were lost"
        )
    try:
        proof = await consistency(connection, LOG_ID, old.size, head.size) if old.size < head.size else []
        check_consistency(old.size, head.size, old.root, head.root, proof)
    except (ProofError, NotPublished):
        return differs
    return ""


async def root_of_entries(connection: Connection, size: int) -> bytes | None:
    """Return the root over the first ``size`` entries, hashed anew; None where there are not so many. About 2 s a million."""
    from ecluse.install import LOG_ID
    from ecluse.ledger.serve import query
    from ecluse.ledger.tree import Frontier, leaf_hash

    frontier = Frontier()
    for begin in range(0, size, _CHUNK):
        end = min(size, begin + _CHUNK)
        rows = await connection.fetch(query("entries_of"), LOG_ID, begin, end)
        if len(rows) != end - begin:
            return None
        frontier.extend(leaf_hash(row["leaf"]) for row in rows)
    return frontier.root()


def _show_report(screen: Screen, report: Report, forks: dict[str, str]) -> None:
    """Show the outcome on one screen."""
    wrong = [name for name, why in forks.items() if why]
    sound = report.sound and not wrong
    verdict = (
        "The log is whole: every entry, tile, root and signature is as it must be."
        if sound
        else "The log is NOT sound. Change nothing, keep a copy, and tell security."
    )
    screen.say(verdict, style="bold green" if sound else "bold red")
    screen.pairs(
        [
            ("entries", report.entries),
            ("openings", report.openings),
            ("tiles", report.tiles),
            ("checkpoints", report.checkpoints),
            ("signed up to", report.published),
            ("root", report.root.hex()),
            *((f"against {name}", why or "extended by the log") for name, why in forks.items()),
        ]
    )
    if report.problems:
        rows = [(problem.kind.value, problem.index, problem.count, problem.detail) for problem in report.problems]
        screen.table(("problem", "from entry", "how many", "what"), rows)
    screen.answer(
        {
            "sound": sound,
            **{
                name: getattr(report, name)
                for name in ("size", "entries", "openings", "tiles", "checkpoints", "published", "problems")
            },
            "root": report.root.hex(),
            "against": forks,
        }
    )


app.command()(adopt)


@app.command("check-proof")
def check_proof(
    receipt: Annotated[
        Path,
        typer.Argument(help="The gate's answer to a disclosure (JSON), or what `ecluse disclose --json` wrote.", dir_okay=False),
    ],
    *,
    vkey: Annotated[str, typer.Option(help="The log's verifier key, as it was handed over.")],
    url: Annotated[str, typer.Option(help="The gate; only its public log is read.")],
    as_json: Json = False,
) -> None:
    """Check a receipt without trusting the gate: values and forms against the entry, the entry against the public, signed log.

    For processors, auditors and judges: it takes no account, and no installation. Nothing is sent but the numbers of tiles.
    """
    from ecluse.cli.proof import check

    screen = Screen(as_json=as_json)
    with screen.working("Reading the public log"):
        checked = check(receipt, vkey, url)
    screen.say("The receipt holds.", style="bold green")
    screen.pairs(
        [
            ("values", f"{checked.values} values are those that entry {checked.index} committed to"),
            ("entry", f"number {checked.index} of {checked.log}, sealed at {checked.at}"),
            ("log", f"has the entry, under a signed head of {checked.size} entries"),
        ]
    )
    screen.answer(checked)
