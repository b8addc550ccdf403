"""``ecluse outcomes``: what the webhook delivered, what waits, and what it gave up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, local_time

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.outcomes.store import DeadLetter

MOST_LETTERS = 200


def outcomes(
    *,
    retry: Annotated[bool, flag("--retry", help="Let those that were given up wait again.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Show how deliveries of outcomes stand: how many wait, and each one that the webhook gave up. No person is shown."""
    from ecluse.cli.reach import load, on_log
    from ecluse.outcomes.store import counts, dead_letters, retry_dead

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection) -> tuple[int, int, int, list[DeadLetter]]:
        retried = await retry_dead(connection) if retry else 0
        return (retried, *await counts(connection), await dead_letters(connection, MOST_LETTERS))

    retried, waiting, dead, letters = on_log(installation, work)
    webhook, zone = installation.settings.outcomes.webhook, installation.settings.zone
    if retry:
        screen.say(f"{retried} outcomes wait again.", style="green")
    where = webhook or "(no webhook: outcomes are fetched from /v1/outcomes)"
    screen.pairs([("webhook", where), ("waiting", waiting), ("given up", dead)])
    screen.table(
        ("given up", "of", "recorded", "attempts", "last problem"),
        [(one.appointment, one.processor, local_time(one.recorded_at, zone), one.attempts, one.problem) for one in letters],
        empty="None was given up.",
    )
    screen.answer({"webhook": webhook, "waiting": waiting, "dead": dead, "retried": retried, "dead_letters": letters})
