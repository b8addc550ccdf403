"""``ecluse processor hold``, ``release``, ``holds``: stop a processor, client, agent, contract or person at the next decision, and let go again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, local_time

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.settings import Installation


class Scope(StrEnum):
    """What a hold can be on; the same words as `ecluse.contracts.service.SCOPES`."""

    PROCESSOR = "processor"
    CLIENT = "client"
    AGENT = "agent"
    CONTRACT = "contract"
    PERSON = "person"


class HoldEffect(StrEnum):
    """What a hold does; the same words as `ecluse.contracts.service.EFFECTS`."""

    SUSPEND = "suspend"
    FREEZE = "freeze"
    KEEP = "keep"


_DONE: Final = {
    HoldEffect.SUSPEND: "is suspended",
    HoldEffect.FREEZE: "is frozen",
    HoldEffect.KEEP: "is under a legal hold",
}
_WHERE_LISTED: Final = {
    Scope.PROCESSOR: "`ecluse processor list` shows what there is",
    Scope.CONTRACT: "Name the processor that it binds; `ecluse contract list` shows those in force",
    Scope.CLIENT: "`ecluse processor client list` shows what there is",
    Scope.AGENT: "`ecluse processor agent list PROCESSOR` shows what there is",
}


def hold(
    scope: Annotated[Scope, typer.Argument(help="What is held.")],
    target: Annotated[
        str, typer.Argument(help="Its id; `-` reads it from standard input, so that a person's stays out of the shell's history.")
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why, in words. It is sealed: name no person.")],
    effect: Annotated[
        HoldEffect, typer.Option(help="suspend and freeze refuse every disclosure; keep only keeps records.")
    ] = HoldEffect.SUSPEND,
    begins: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From when, such as 2026-01-05T09:00+01:00.", show_default="now")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Until when.", show_default="until released")] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Hold a processor, client, agent, contract or person: the next decision already refuses, at every gate.

    Nothing that was disclosed before is undone. `ecluse processor release` ends the hold.
    """
    from ecluse import clock
    from ecluse.cli.reach import load

    screen, installation = Screen(as_json=as_json), load(folder)
    if target == "-":
        target = sys.stdin.readline().strip()
    if scope is Scope.PERSON:
        require_subject(installation, target)
    span = read_instant("--from", begins), read_instant("--until", until)
    if span[1] is not None and span[1] <= (span[0] or clock.now()):
        raise typer.BadParameter("is not after --from, or past already", param_hint="--until")
    placed, index = _place(installation, scope, target, effect=effect, reason=reason, span=span)
    shown = "A person" if scope is Scope.PERSON else f"{scope.value.capitalize()} {target}"
    screen.say(f"{shown} {_DONE[effect]} by {placed}, sealed as entry {index} of the ledger.", style="bold")
    screen.say(f"To end it: ecluse processor release {placed}")
    told = None if scope is Scope.PERSON else target
    screen.answer({"hold": placed, "scope": scope.value, "target": told, "effect": effect.value, "index": index})


def _place(
    installation: Installation,
    scope: Scope,
    target: str,
    *,
    effect: HoldEffect,
    reason: str,
    span: tuple[datetime | None, datetime | None],
) -> tuple[str, int]:
    """Place the hold; return its id and the index of its entry."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import actor, on_log, register_map
    from ecluse.contracts.errors import AgentUnknown, HoldUnknown
    from ecluse.contracts.service import place_hold
    from ecluse.install import LOG_ID

    mapped = register_map(installation.folder / "register.toml") if scope is Scope.PERSON else None

    async def work(connection: Connection) -> tuple[str, int]:
        placed, sealed = await place_hold(
            connection, log_id=LOG_ID, scope=scope.value, target=target, effect=effect.value, reason=reason, actor=actor(),
            register=mapped, from_at=span[0], until_at=span[1],
        )  # fmt: skip
        return placed, sealed.index

    try:
        return on_log(installation, work)
    except (AgentUnknown, HoldUnknown):
        raise Refusal(f"{scope.value} {target}", "nothing is registered under that id", _WHERE_LISTED[scope]) from None


def require_subject(installation: Installation, target: str) -> None:
    """Refuse what is no subject_ref of this register: it would hold nobody. The text is not repeated."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import register_map
    from ecluse.register import SubjectRefInvalid, parse_subject_ref

    mapped = register_map(installation.folder / "register.toml")
    try:
        parse_subject_ref(target, mapped)
    except SubjectRefInvalid:
        raise Refusal("person", "it is not a subject_ref of this register", f"Write {mapped.id}:KEY") from None


def read_instant(option: str, text: str | None) -> datetime | None:
    """Read an instant with its offset: a time without one is nobody's in particular."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("is not a time; write one such as 2026-01-05T09:00+01:00", param_hint=option) from None
    if at.tzinfo is None:
        raise typer.BadParameter("has no offset; write one such as 2026-01-05T09:00+01:00 or …Z", param_hint=option)
    return at.astimezone(UTC)


def release(
    hold: Annotated[str, typer.Argument(help="The hold's id: hld_… (`ecluse processor holds` lists them).")],
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """End a hold now: from the next decision on, what the contract allows is possible again."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.contracts.service import release_hold
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    sealed = on_log(installation, lambda connection: release_hold(connection, log_id=LOG_ID, hold=hold, actor=actor()))
    screen.say(f"{hold} is released, sealed as entry {sealed.index} of the ledger.", style="green")
    screen.answer({"hold": hold, "index": sealed.index})


def holds(
    *,
    every: Annotated[bool, flag("--all", help="Also those that ended.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List the holds in force and to come. A held person's reference is not shown."""
    from ecluse.cli.reach import load, on_log
    from ecluse.cli.store import rows_of

    screen, installation = Screen(as_json=as_json), load(folder)
    rows = on_log(installation, lambda connection: rows_of(connection, "holds", every))
    zone = installation.settings.zone
    names = ("id", "scope", "effect", "reason", "placed_by", "from_at", "until_at", "released_at")
    found = []
    for row in rows:
        state = "in force" if row["in_force"] else "released" if row["released_at"] else "not in force"
        target = None if row["scope"] == "person" else row["scope_id"]
        found.append({**{name: row[name] for name in names}, "target": target, "state": state})
    heads = ("hold", "state", "does", "what", "which", "why", "from", "until", "by")
    screen.table(heads, [_row(one, zone) for one in found], empty="Nothing is held.")
    screen.answer({"holds": found})


def _row(hold: Mapping[str, Any], zone: tzinfo) -> tuple[object, ...]:
    """Write one hold as a row of the table."""
    until = local_time(hold["until_at"], zone) if hold["until_at"] else "it is released"
    which = hold["target"] or "(not shown)"
    begins = local_time(hold["from_at"], zone)
    return hold["id"], hold["state"], hold["effect"], hold["scope"], which, hold["reason"], begins, until, hold["placed_by"]
