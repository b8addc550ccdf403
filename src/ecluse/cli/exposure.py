"""``ecluse exposure``: what a compromise could reach right now or in a span of time, what was given already, and what a change would do to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from ecluse.contracts import Change
    from ecluse.db import Connection
    from ecluse.exposure import Count, Held, Holder, Reach
    from ecluse.exposure.advise import Advice
    from ecluse.exposure.service import Engine, Exposure, When
    from ecluse.settings import Installation

_ROLE: Final = "ecluse_reader"
_BOUND: Final = {
    "schedule": "the schedule",
    "gate": "the gate, closed",
    "hold": "a hold",
    "persons_per_client_per_hour": "persons an hour (clients)",
    "persons_per_agent_per_hour": "persons an hour (agents)",
    "persons_per_day": "persons a day",
    "persons_per_month": "persons a month",
    "no credentials that work": "nobody can ask",
}
_MOST_ADVICE: Final = 20
_MOST_TRIED: Final = 10
_SCOPES: Final = {"client": "client", "agent": "agent", "scheduler": "with the scheduler's key"}

app = typer.Typer()  # its help is the callback's

From: TypeAlias = Annotated[
    str | None, typer.Option("--from", help="From this day or instant (UTC), such as 2026-01-31.", show_default="right now")
]
To: TypeAlias = Annotated[
    str | None,
    typer.Option("--to", help="Until the end of this day, or an instant (UTC).", show_default="what is open right now"),
]


@app.callback(invoke_without_command=True)
def exposure(
    ctx: typer.Context,
    *,
    processor: Annotated[str | None, typer.Option(help="Of this processor alone.", show_default="all")] = None,
    agent: Annotated[str | None, typer.Option(help="Of this agent (agt_…) of the processor.", show_default=False)] = None,
    client: Annotated[
        str | None, typer.Option(help="Of this machine's key (cli_…), whoever it names.", show_default=False)
    ] = None,
    scheduler: Annotated[bool, flag("--scheduler", help="If the controller's own scheduling key is stolen as well.")] = False,
    from_day: From = None,
    to_day: To = None,
    what_if: Annotated[
        Path | None,
        typer.Option("--what-if", help="The same if this contract file were in force.", show_default=False, dir_okay=False),
    ] = None,
    advise: Annotated[
        bool, flag("--advise", help="Try single changes of contracts, and rank what they would take away.")
    ] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Say what a thief of credentials could reach: how many persons, which attributes, until when, and what holds the number down.

    `212` is a number that the best attack reaches and none passes; `≤ 212` one that none passes. See docs/containment.md.
    """
    if ctx.invoked_subcommand is not None:
        _refuse_before(ctx)
        return
    from ecluse.cli.reach import attributes_of, load, on_log, read_text, register_map
    from ecluse.contracts import diff_contracts, parse_contract
    from ecluse.exposure.service import Engine

    screen, installation = Screen(as_json=as_json), load(folder)
    register = register_map(installation.folder / "register.toml")
    contract = parse_contract(read_text(what_if), attributes_of(register)) if what_if is not None else None
    if contract is not None:
        if processor not in {None, contract.processor.id}:
            raise typer.BadParameter(f"the file is of {contract.processor.id}", param_hint="--what-if")
        processor = contract.processor.id
    holders = _holders(processor, agent, client, scheduler=scheduler)
    engine = Engine(register, installation.settings.zone)

    if advise:
        _advise(screen, installation, engine, processor)
        return

    async def work(connection: Connection) -> tuple[Exposure, Exposure | None, Sequence[Change], Held | None]:
        window = await window_of(connection, from_day, to_day)
        held = await engine.held(connection, holders[0]) if len(holders) == 1 else None
        if contract is None:
            return await engine.reach(connection, holders=holders, window=window), None, (), held
        found, after, before = await engine.compare(connection, contract, holders=holders, window=window)
        return found, after, diff_contracts(before, contract) if before is not None else (), held

    with screen.working("Computing"):
        found, after, changes, held = on_log(installation, work, role=_ROLE)
    _show(screen, found, after, changes, held, installation.settings.zone)
    screen.answer({"now": found, "what_if": after, "changes": changes, "held": held})


def _show(
    screen: Screen, found: Exposure, after: Exposure | None, changes: Sequence[Change], held: Held | None, zone: ZoneInfo
) -> None:
    """Show an answer to people."""
    if after is not None:
        _show_change(screen, found, after, changes, zone)
    elif len(found.reaches) == 1:
        _show_one(screen, found, zone)
    else:
        _show_all(screen, found, zone)
    if held is not None:
        _show_held(screen, held)
    elif any(reach.holder.scope.value == "agent" for reach in found.reaches):
        screen.say(
            "\nWhat one person of a contractor's staff was given is not summed up: in an incident, read the ledger's entries."
        )
    screen.say(
        "What was disclosed can be kept, and a screen can be photographed: this is what Écluse itself would let out.", style="dim"
    )


def _refuse_before(ctx: typer.Context) -> None:
    """Refuse options that stand before a command of the group: they would be passed over."""
    sources = [ctx.get_parameter_source(name) for name in ctx.params]
    if any(source is not None and source.name == "COMMANDLINE" for source in sources):
        raise typer.BadParameter(f"options go after `{ctx.invoked_subcommand}`, not before it")


def _advise(screen: Screen, installation: Installation, engine: Engine, processor: str | None) -> None:
    """Rank single changes of one contract, or of the ten with most in reach."""
    from ecluse.cli.reach import on_log

    async def work(connection: Connection) -> list[Advice]:
        names = [processor] if processor is not None else await _largest(connection, engine)
        return [advice for name in names for advice in await engine.advise(connection, name)]

    with screen.working("Trying changes"):
        found = sorted(on_log(installation, work, role=_ROLE), key=lambda one: -one.gain)
    rows = [
        (
            one.processor, one.where, one.before, one.after, _percent(one.values, one.values_after), _percent(one.scheduler, one.scheduler_after),
        )
        for one in found
    ]  # fmt: skip
    heads = ("processor", "where", "now", "with the change", "in reach, busiest instant", "with the scheduler's key, 30 days")
    screen.table(
        heads,
        rows[:_MOST_ADVICE],
        title="Single changes that lower what is in reach, the best first",
        empty="No single change lowers it.",
    )
    if rows:
        screen.say(
            "Nothing is applied. Whether the work can be done with less is for people to say: `ecluse contract shadow FILE` tries a file on the past.",
            style="dim",
        )
    screen.answer({"advice": found})


async def _largest(connection: Connection, engine: Engine) -> list[str]:
    """Return the processors with most in reach over the next 30 days."""
    from ecluse.exposure.store import now

    found = await engine.reach(connection, window=await now(connection) + timedelta(days=30))
    return [one.holder.processor for one in sorted(found.reaches, key=lambda one: -one.values)[:_MOST_TRIED]]


def _holders(processor: str | None, agent: str | None, client: str | None, *, scheduler: bool) -> list[Holder]:
    """Return whose credentials are meant."""
    from ecluse.exposure import Holder, Scope

    if sum((agent is not None, client is not None, scheduler)) > 1:
        raise typer.BadParameter("name one of --agent, --client and --scheduler")
    if processor is None:
        if agent is not None or client is not None or scheduler:
            raise typer.BadParameter("name the processor as well", param_hint="--processor")
        return []
    if agent is not None:
        return [Holder(scope=Scope.AGENT, processor=processor, id=agent)]
    if client is not None:
        return [Holder(scope=Scope.CLIENT, processor=processor, id=client)]
    return [Holder(scope=Scope.SCHEDULER if scheduler else Scope.PROCESSOR, processor=processor)]


async def window_of(connection: Connection, from_day: str | None, to_day: str | None) -> When:
    """Return the time that was asked about: a span, from now until an instant, or (None) right now."""
    from ecluse.exposure import Span
    from ecluse.exposure.store import now

    ends = None if to_day is None else _instant("--to", to_day, last=True)
    begins = None if from_day is None else _instant("--from", from_day, last=False)
    if begins is not None and ends is None:
        ends = begins + timedelta(days=30)
    if ends is not None and ends <= (begins or await now(connection)):
        raise typer.BadParameter("is not after --from, or over", param_hint="--to")
    return ends if begins is None or ends is None else Span(begins=begins, ends=ends)


def _instant(name: str, text: str, *, last: bool) -> datetime:
    """Read a day (its beginning, or with ``last`` its end) or an instant of the command line, in UTC."""
    try:
        if len(text) <= len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text) + timedelta(days=last), time(), tzinfo=UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter("is neither a day (2026-01-31) nor an instant (2026-01-31T08:00Z)", param_hint=name) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def written(count: Count) -> str:
    """Write a number with its side."""
    return f"{count.most:,}" if count.exact else f"≤ {count.most:,}"


def _who(reach: Reach, names: dict[str, str]) -> str:
    """Say whose credentials they are."""
    name = names.get(reach.holder.processor, reach.holder.processor)
    scope = _SCOPES.get(reach.holder.scope.value)
    return name if scope is None else f"{name} ({scope} {reach.holder.id}".rstrip() + ")"


def _title(found: Exposure, zone: ZoneInfo) -> str:
    """Say which time is meant."""
    if found.standing:
        return f"In reach at {local_time(found.window.begins, zone)}"
    return f"In reach between {local_time(found.window.begins, zone)} and {local_time(found.window.ends, zone)}"


def _show_all(screen: Screen, found: Exposure, zone: ZoneInfo) -> None:
    """Show a line a processor, the largest first."""
    reaches = sorted(found.reaches, key=lambda one: (-one.values, -one.persons.most, one.holder))
    rows = [
        (
            _who(one, found.names), written(one.persons), local_time(one.until, zone) if one.until is not None else "-", len(one.attributes) or "-",
            f"{one.values:,}", _BOUND[one.binding.value],
        )
        for one in reaches
    ]  # fmt: skip
    heads = ("processor", "persons", "until", "attributes", "persons x attributes", "held down by")
    screen.table(heads, rows, title=_title(found, zone), empty="No processor has a contract.")
    if rows:
        screen.say(f"\nAll of them together: {written(found.together)} distinct persons.", style="bold")


def _show_one(screen: Screen, found: Exposure, zone: ZoneInfo) -> None:
    """Say it in one sentence, then show what it is made of."""
    (reach,) = found.reaches
    could = "could see" if found.window.begins >= found.at else "could have seen"
    most = ("" if reach.persons.exact else "at most ") + counted(reach.persons.most, "person")
    many = most if reach.persons.most else "nobody"
    what = f", {counted(len(reach.attributes), 'attribute')}" if reach.attributes else ""
    until = f", until {local_time(reach.until, zone)}" if reach.until is not None and found.standing else ""
    screen.say(f"{_who(reach, found.names)} {could} {many}{what}{until}.", style="bold")
    there = counted(reach.scheduled, "person")
    screen.say(f"{_title(found, zone)}; on the schedule: {there}; held down by {_BOUND[reach.binding.value]}.")
    _show_attributes(screen, reach)


def _show_attributes(screen: Screen, reach: Reach) -> None:
    """Show the attributes in reach."""
    rows = [
        (one.name, ", ".join(form.value for form in one.forms), one.sensitivity, written(one.persons)) for one in reach.attributes
    ]
    if rows:
        screen.table(("attribute", "form", "sensitivity", "persons"), rows, title="")


def _show_change(screen: Screen, before: Exposure, after: Exposure, changes: Sequence[Change], zone: ZoneInfo) -> None:
    """Show a number under the contract in force and under the file."""
    (was,), (would,) = before.reaches, after.reaches
    screen.say(f"{_title(before, zone)}: {_who(was, before.names)}, now and if the file were in force", style="bold")
    rows = [
        ("persons", written(was.persons), written(would.persons), _percent(was.persons.most, would.persons.most)),
        ("persons x attributes", f"{was.values:,}", f"{would.values:,}", _percent(was.values, would.values)),
        ("held down by", _BOUND[was.binding.value], _BOUND[would.binding.value], ""),
    ]
    screen.table(("", "now", "with the file", "change"), rows)
    screen.table(
        ("access", "what changes"),
        [(change.effect, change.sentence) for change in changes],
        title="\nWhat the file changes",
        empty="Nothing that bears on access.",
    )


def _percent(before: int, after: int) -> str:
    """Write a change as a percentage."""
    if before == after:
        return "none"
    return "from nobody" if not before else f"{(after - before) / before:+.0%}"


def _show_held(screen: Screen, held: Held) -> None:
    """Say what was given already."""
    beyond = f"; before that {held.beyond:,} more, counted day by day, whose records are erased" if held.beyond else ""
    screen.say(f"\nGiven already, and perhaps kept: {counted(held.persons, 'distinct person')} within retention{beyond}.")
    rows = [
        (one.name, ", ".join(form.value for form in one.forms), one.sensitivity, written(one.persons)) for one in held.attributes
    ]
    if rows:
        screen.table(("attribute", "form", "sensitivity", "persons"), rows)
