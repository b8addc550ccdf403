"""A tour of the pages, once the day is over: the console, the desk, and the page of the persons the data are about.

Where they are stands in ``demo.json``. Who tries them needs a one-time link for a passkey: those are made while the demo serves, printed to the terminal that
started it, and written nowhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg
import msgspec
from rich.console import Console
from rich.text import Text

from ecluse.demo.portal import Portal
from ecluse.identity import PublicKey, load_private
from ecluse.identity.accounts import add_officer, invite, link_of
from ecluse.identity.people import Role
from ecluse.identity.service import add_client
from ecluse.install import LOG_ID

_STOPS: Final = (
    ("console", "/console", "The agency's staff: who is governed and how, what waits for somebody, what was decided and why."),
    ("desk", "/desk", "A trainer: today's sessions, and one learner at a time, while they are due."),
    ("my-data", "/my-data", "A person: who saw my data, when, what of it and why."),
)
_OFFICER: Final = "Ariane Delvaque"
_ACTOR: Final = "cli:demo"
"""Accounts are made at the terminal, or by an administrator."""


class TourStop(msgspec.Struct, frozen=True, kw_only=True):
    """One page to look at. ``room``: which it is; ``url``: where; ``says``: what is to be seen there."""

    room: str
    url: str
    says: str


def stops(pages_url: str) -> list[TourStop]:
    """Return the tour's stops."""
    return [TourStop(room=room, url=pages_url + path, says=says) for room, path, says in _STOPS]


async def invite_visitors(app: asyncpg.Connection[asyncpg.Record], pages_url: str, agent: str) -> dict[str, str]:
    """Make an officer of every role, and return the one-time links of that officer and of an agent, by room."""
    officer, _ = await add_officer(app, log_id=LOG_ID, name=_OFFICER, roles=tuple(Role), actor=_ACTOR)
    invited = {"console": officer, "desk": agent}
    return {
        room: link_of(pages_url, (await invite(app, log_id=LOG_ID, holder=holder, actor=_ACTOR)).secret)
        for room, holder in invited.items()
    }


async def invite_person(app: asyncpg.Connection[asyncpg.Record], base_url: str, key_file: Path, register: str) -> str:
    """Let a portal of the controller ask for the link of one person whose data were disclosed most today."""
    client, _ = await add_client(
        app, log_id=LOG_ID, processor=None, label="portal of the demo", key=_public(key_file), actor=_ACTOR, role="portal"
    )
    subject = await app.fetchval("select subject_ref from ecluse.appointment where reads > 0 order by reads desc, id limit 1")
    portal = Portal(base_url, client, key_file)
    try:
        return await portal.link(register, [subject.removeprefix(f"{register}:")])
    finally:
        await portal.close()


def _public(key_file: Path) -> PublicKey:
    return load_private(key_file.read_bytes()).public


def show(console: Console, tour: list[TourStop], links: dict[str, str]) -> None:
    """Print where to go. A one-time link asks the browser for a passkey, and then leads to its page; after that the page's own address will do."""
    console.print("\n[bold]The pages, in a browser on this machine[/bold]")
    for stop in tour:
        console.print(Text(f"# {stop.says}", style="dim"), soft_wrap=True)
        console.print(Text(links.get(stop.room, stop.url)), soft_wrap=True)
    console.print(
        Text("Each link is good once. The first two, within 24 hours, make a passkey in the browser that opens them; the third is over in ten minutes. "
            "Officer and trainer are two people: use two profiles of your browser, or sign out between."),
        style="dim", soft_wrap=True,
    )  # fmt: skip
