"""``ecluse ledger``: open the log, see how it stands, rebuild all of it from its entries, check a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli import witness, witnesses
from ecluse.cli.adopt import adopt
from ecluse.cli.anchor import anchor, anchors
from ecluse.cli.counts import counts
from ecluse.cli.export import export
from ecluse.cli.fsck import fsck
from ecluse.cli.options import Dir, Json
from ecluse.cli.proof import check_receipt
from ecluse.cli.rekey import rotate_key
from ecluse.cli.screen import Screen, local_time
from ecluse.cli.succeed import succeed

if TYPE_CHECKING:
    from datetime import tzinfo

    import asyncpg

    from ecluse.db import Connection
    from ecluse.ledger.model import StoredCheckpoint

app = typer.Typer(no_args_is_help=True, help="The ledger: open it, see how it stands, check all of it, check what it proves.")


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
    log, head, before = on_log(installation, _status)
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
            *([("takes the place of", _succeeded(before, zone))] if before is not None else []),
        ]
    )
    screen.answer(
        {
            **{name: log[name] for name in ("origin", "vkey", "size", "control_seq", "last_at")},
            "signed_size": size,
            "signed_at": head.signed_at if head else None,
            "root": head.root.hex() if head else None,
            "checkpoint": head.note if head else None,
            "predecessor": dict(before) if before is not None else None,
        }
    )


def _succeeded(before: asyncpg.Record, zone: tzinfo) -> str:
    """Say which log ended, and what is left of it."""
    left = f"{before['signed_size']} entries were signed there, {before['size']} are left"
    return f"{before['origin']}, {local_time(before['succeeded_at'], zone)}: {left}"


async def _status(connection: Connection) -> tuple[asyncpg.Record, StoredCheckpoint | None, asyncpg.Record | None]:
    """Read the log, its last checkpoint, and which log it took the place of."""
    from ecluse.cli.store import log_there, rows_of
    from ecluse.install import LOG_ID
    from ecluse.ledger.serve import checkpoint

    log = await log_there(connection, LOG_ID)
    if log is None:
        raise AssertionError("impossible: the log was there a moment ago")
    before = await rows_of(connection, "succession", log["id"])
    return log, await checkpoint(connection, log["id"]), before[0] if before else None


app.command()(adopt)
app.command()(fsck)
app.command()(counts)
app.command("rotate-key")(rotate_key)
app.command()(succeed)
app.command()(export)
app.command()(anchor)
app.command()(anchors)
app.add_typer(witness.app, name="witness")
app.add_typer(witnesses.app, name="witnesses")
app.command()(check_receipt)
