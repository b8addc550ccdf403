"""``ecluse ledger anchor`` and ``anchors``: have the newest checkpoint time-stamped now, and check the stamps there are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.ledger.anchor import Anchor
    from ecluse.ledger.authority import Authority
    from ecluse.settings import Installation

STALE: Final = timedelta(days=2)
"""A newest stamp older than this is late: one is due each day."""


def anchor(*, folder: Dir = None, as_json: Json = False) -> None:
    """Have the served checkpoint time-stamped now by the authority of ledger.anchor_url (RFC 3161), and keep what it answers.

    A gate that signs does it once a day. Only the checkpoint's SHA-256 digest is sent.
    """
    from ecluse import install
    from ecluse.cli.reach import load, run

    screen, installation = Screen(as_json=as_json), load(folder)
    authority = _authority(installation)
    with install.databases(installation) as reached, screen.working("Asking the authority"):
        done = run(_anchor(installation, reached.database_url, authority))
    at = local_time(done.stamped_at, installation.settings.zone)
    screen.say(f"{done.authority} says: the log had these {counted(done.size, 'entry', 'entries')} on {at}.", style="green")
    screen.answer({"size": done.size, "stamped_at": done.stamped_at, "authority": done.authority})


def anchors(*, folder: Dir = None, as_json: Json = False) -> None:
    """List the time stamps and check each again: its chain to ledger.anchor_roots, its digest, and that the log still is the one that was stamped.

    Exit code 1 if one does not hold, or if the newest is older than two days.
    """
    from ecluse import clock
    from ecluse.cli.reach import load, on_log

    screen, installation = Screen(as_json=as_json), load(folder)
    authority = _authority(installation)
    found = on_log(installation, lambda connection: _recheck(connection, authority), role="ecluse_reader")
    zone = installation.settings.zone
    rows = [(one.size, local_time(one.stamped_at, zone), one.authority, why or "ok") for one, why in found]
    screen.table(("entries", "stamped", "authority", "check"), rows, empty="No checkpoint is stamped yet.")
    wrong = sum(bool(why) for _, why in found)
    late = not found or clock.now() - max(one.stamped_at for one, _ in found) > STALE
    if wrong:
        screen.say(
            f"{counted(wrong, 'time stamp')} of {len(found)} do not hold. Change nothing, keep a copy, and tell security.",
            style="bold red",
        )
    elif late:
        screen.say(
            "The newest is older than two days: run `ecluse ledger anchor`, and see the gate's log for ledger:anchor.",
            style="bold yellow",
        )
    else:
        screen.say("All of them hold.", style="bold green")
    screen.answer(
        {
            "sound": not wrong,
            "late": late,
            "anchors": [
                {"size": one.size, "stamped_at": one.stamped_at, "authority": one.authority, "problem": why} for one, why in found
            ],
        }
    )
    if wrong or late:
        raise typer.Exit(REFUSED)


def _authority(installation: Installation) -> Authority:
    """Return the authority that is configured."""
    from ecluse.errors import ConfigurationError
    from ecluse.install import authority_of

    authority = authority_of(installation)
    if authority is None:
        raise ConfigurationError(
            "ledger.anchor_url", "no authority is configured", "Name one, and ledger.anchor_roots, in ecluse.toml"
        )
    return authority


async def _anchor(installation: Installation, database_url: str, authority: Authority) -> Anchor:
    """Anchor the log that is written now."""
    import httpx

    from ecluse.db import open_pool
    from ecluse.install import LOG_ID
    from ecluse.ledger.anchor import anchor_log
    from ecluse.ledger.serve import current_log
    from ecluse.settings import with_user

    pool = await open_pool(with_user(database_url, "ecluse_jobs"), installation.passwords("jobs"), size=1, name="cli")
    async with pool, httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=20.0) as http:
        async with pool.acquire() as connection:
            log_id = await current_log(connection, LOG_ID)
        return await anchor_log(pool, log_id, http, authority)


async def _recheck(connection: Connection, authority: Authority) -> list[tuple[Anchor, str]]:
    """Read and check the stamps of the log that is written now."""
    from ecluse.install import LOG_ID
    from ecluse.ledger.anchor import anchors_of, recheck
    from ecluse.ledger.serve import current_log

    log_id = await current_log(connection, LOG_ID)
    found = await anchors_of(connection, log_id)
    return list(zip(found, await recheck(connection, log_id, found, authority.roots), strict=True))
