"""``ecluse ledger fsck``: rebuild the whole log from its entries, and say on one screen what is wrong and since when."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json, LogName, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.install import Databases
    from ecluse.ledger.model import Problem, Report
    from ecluse.settings import Installation

_WORTH_A_TEAM: Final = 50_000
"""Entries from which further processes pay for their start."""

_MOST_PROCESSES: Final = 16


def fsck(
    *,
    vkey: Annotated[
        str | None,
        typer.Option(help="A verifier key of the log, from elsewhere than the database.", show_default="of keys/log.key"),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", help="A signed checkpoint kept elsewhere, older or not: the log must extend it. May be said again."
        ),
    ] = None,
    anew: Annotated[
        bool, flag("--anew", help="Hash every opening, also those that have not changed by a byte since the last check.")
    ] = False,
    log: LogName = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Rebuild everything from the entries and say what is wrong, and since when.

    Entries, openings and tombstones, tiles, roots, signatures and cosignatures, then what was spent, read and erased. The signer's own memory
    (state/log.checkpoint) is compared, too. What was found whole is remembered in state/log.seen: the next time its rows are compared byte by byte with what
    they were. Exit code 1 if anything is found. May be run while the gate serves; all processors of this machine are used.
    """
    from ecluse import install
    from ecluse.cli.reach import load, log_chosen, read_text, require_log, run, with_connection

    screen, installation = Screen(as_json=as_json), load(folder)
    notes = {str(path): read_text(path) for path in against or []}

    async def check(connection: Connection) -> tuple[Report, dict[str, str]]:
        await require_log(connection)
        number = await log_chosen(connection, log)
        memory = installation.state / install.log_file(number, "checkpoint")
        kept = notes | ({f"state/{memory.name}": read_text(memory)} if memory.exists() else {})
        seen = None if anew else installation.state / install.log_file(number, "seen")
        return await _check(connection, installation, reached, number, vkey, kept, seen, tell)

    with install.databases(installation) as reached, screen.progress("Checking") as tell:
        report, forks = run(with_connection(installation, reached, "ecluse_reader", check))
    _show(screen, report, forks, installation.settings.zone)
    if not report.sound or any(forks.values()):
        raise typer.Exit(REFUSED)


async def _check(
    connection: Connection, installation: Installation, reached: Databases, log_id: int, vkey: str | None, notes: dict[str, str],
    seen: Path | None, tell: Callable[[int, int], None],
) -> tuple[Report, dict[str, str]]:  # fmt: skip
    """Check the whole log, then whether it extends each checkpoint that was kept outside the database ('' where it does)."""
    from ecluse.install import signer_of
    from ecluse.ledger.fsck import check_log, extends, keys_believed
    from ecluse.ledger.serve import log_of
    from ecluse.ledger.teams import Reach
    from ecluse.settings import with_user

    log = await log_of(connection, log_id)
    key = vkey or signer_of(installation, log_id, log.origin).vkey
    team = min(os.cpu_count() or 1, _MOST_PROCESSES)
    reach = Reach(dsn=with_user(reached.database_url, "ecluse_reader"), passwords=tuple(installation.passwords("reader")()))
    report = await check_log(
        connection, log_id, key, tell, reach=reach if log.size >= _WORTH_A_TEAM and team > 1 else None, team=team, seen=seen
    )
    believed = [one.vkey for one in await keys_believed(connection, log_id, key)]
    return report, {name: await extends(connection, log_id, believed, note) for name, note in notes.items()}


# ── the screen ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _show(screen: Screen, report: Report, forks: dict[str, str], zone: tzinfo) -> None:
    """Show the outcome on one screen."""
    wrong = [name for name, why in forks.items() if why]
    sound = report.sound and not wrong
    if sound:
        screen.say("The log is whole: every entry, opening, tile, root and signature is as it must be.", style="bold green")
    else:
        screen.say("The log is NOT sound. Change nothing, keep a copy, and tell security.", style="bold red")
    screen.pairs(
        [
            ("entries", f"{report.entries:,} of {report.size:,}"),
            (
                "opened by",
                f"{counted(report.openings, 'opening')}, {counted(report.erased, 'tombstone')} in the place of erased ones",
            ),
            ("tiles", f"{report.tiles:,}"),
            ("signed", f"{counted(report.checkpoints, 'checkpoint')}, the last of {report.published:,} entries"),
            ("cosigned", _cosigned(report)),
            ("root", report.root.hex()),
            *((f"against {name}", why or "extended by the log") for name, why in forks.items()),
        ]
    )
    if report.problems:
        screen.say()
        rows = [
            (
                one.kind.value,
                f"{one.index:,}" if one.index < report.size else "now",
                f"{one.count:,}",
                local_time(one.sealed_at, zone) if one.sealed_at else "-",
                one.detail,
            )
            for one in report.problems
        ]
        screen.table(("problem", "from entry", "how many", "sealed", "what"), rows)
        screen.say(_since(report.problems[0], zone))
    screen.answer(
        {
            "sound": sound,
            **{
                name: getattr(report, name)
                for name in (
                    "size", "entries", "openings", "erased", "tiles", "checkpoints", "cosignatures", "published", "cosigned", "problems",
                )
            },
            "root": report.root.hex(),
            "against": forks,
        }
    )  # fmt: skip


def _cosigned(report: Report) -> str:
    if report.cosigned is None:
        return f"{counted(report.cosignatures, 'cosignature')}, no quorum reached so far"
    return f"{counted(report.cosignatures, 'cosignature')}, the last quorum on {report.cosigned:,} entries"


def _since(first: Problem, zone: tzinfo) -> str:
    """Say up to where nobody doubts the log: what was signed and cosigned before the first fault."""
    signed = "No checkpoint was signed before it."
    if first.signed_size is not None and first.signed_at is not None:
        signed = f"The last checkpoint before it has {first.signed_size:,} entries, signed {local_time(first.signed_at, zone)}."
    cosigned = "None of those had a quorum of witnesses."
    if first.cosigned_size is not None and first.cosigned_at is not None:
        cosigned = f"The last that witnesses cosigned has {first.cosigned_size:,}, at {local_time(first.cosigned_at, zone)}."
    return f"\nThe first fault is at entry {first.index:,}. {signed} {cosigned}"
