"""``ecluse override``: two persons lift, for some hours, reasons that freeze a gate. It is sealed, and seen by everybody who looks at the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ecluse.cli.foretold import ask, look_ahead, show_foreseen, told
from ecluse.cli.options import Dir, Json, ProcessorName, Yes, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from datetime import tzinfo

    from ecluse.db import Connection
    from ecluse.evidence import KeptOverride
    from ecluse.evidence.service import Foreseen

app = typer.Typer(no_args_is_help=True, help="Overrides: reasons that two persons lift for at most 72 hours.")
OverrideId: TypeAlias = Annotated[str, typer.Argument(help="The override's id: ovr_… (`ecluse override list` shows them).")]


@app.command("ask")
def ask_for(
    processor: ProcessorName,
    *,
    reason: Annotated[
        list[str] | None,
        typer.Option(help="A reason that freezes now, as the gate names it; may be said again.", show_default="all of them"),
    ] = None,
    why: Annotated[str, typer.Option(help="Why people can't wait until it is settled. It is kept, not sealed: name no person.")],
    hours: Annotated[int, typer.Option(min=1, max=72, help="For how long, from the approval on.")],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Ask that reasons be lifted. It has no effect until another person approves it, within 24 hours; what the contract itself lacks can't be lifted."""
    from ecluse.cli.reach import actor, attributes_of, load, on_log, register_map
    from ecluse.evidence import service

    screen, installation = Screen(as_json=as_json), load(folder)
    attributes, zone = attributes_of(register_map(installation.folder / "register.toml")), installation.settings.zone

    async def work(connection: Connection) -> KeptOverride:
        reasons = tuple(reason or await service.freezing_now(connection, processor, attributes=attributes, timezone=zone))
        return await service.ask_override(
            connection,
            processor=processor,
            reasons=reasons,
            why=why,
            hours=hours,
            actor=actor(),
            attributes=attributes,
            timezone=zone,
        )

    found = on_log(installation, work)
    _show_one(screen, found, zone)
    screen.say(f"It lifts nothing yet. Another account, within 24 hours: ecluse override approve {found.id}", style="yellow")
    screen.answer({"override": found})


@app.command()
def approve(override: OverrideId, *, yes: Yes = False, folder: Dir = None, as_json: Json = False) -> None:
    """Lift the reasons from now on, as a second person: shows what it changes for the gate, then asks."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence import foresee, service
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)

    async def look(connection: Connection) -> tuple[KeptOverride, Foreseen | None]:
        found = await service.check_approval(connection, override, actor=actor())
        return found, await look_ahead(
            connection, installation, found.processor, lambda standing, at: foresee.if_approved(standing, found, at)
        )

    found, foreseen = on_log(installation, look)
    _show_one(screen, found, installation.settings.zone)
    show_foreseen(screen, found.processor, foreseen)
    ask(screen, f"Approve it as {actor()}, for {counted(found.hours, 'hour')} from now on?", yes=yes)
    sealed = on_log(installation, lambda connection: service.approve_override(connection, override, log_id=LOG_ID, actor=actor()))
    screen.say(f"{override} is in force, sealed as entry {sealed.index} of the ledger.", style="bold yellow")
    screen.say(f"To end it earlier: ecluse override revoke {override}")
    screen.answer({"override": override, "approved_by": actor(), "index": sealed.index, "gate": told(foreseen)})


@app.command()
def revoke(override: OverrideId, *, yes: Yes = False, folder: Dir = None, as_json: Json = False) -> None:
    """End an override that is in force; one person is enough: shows what that changes for the gate, then asks."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.evidence import foresee, service
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)

    async def look(connection: Connection) -> tuple[KeptOverride, Foreseen | None]:
        found = await service.override_in_force(connection, override)
        return found, await look_ahead(
            connection, installation, found.processor, lambda standing, at: foresee.if_revoked(standing, override, at)
        )

    found, foreseen = on_log(installation, look)
    show_foreseen(screen, found.processor, foreseen)
    ask(screen, f"Revoke it as {actor()}?", yes=yes)
    sealed = on_log(installation, lambda connection: service.revoke_override(connection, override, log_id=LOG_ID, actor=actor()))
    screen.say(f"{override} is over, sealed as entry {sealed.index} of the ledger.", style="green")
    screen.answer({"override": override, "index": sealed.index, "gate": told(foreseen)})


@app.command("list")
def list_overrides(
    processor: Annotated[str | None, typer.Argument(help="The processor.", show_default="all")] = None,
    *,
    every: Annotated[bool, flag("--all", help="Also those that lapsed, are over or were revoked.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List overrides that are asked for or in force, the newest first."""
    from ecluse.cli.examine import gate_words
    from ecluse.cli.reach import load, on_log
    from ecluse.evidence import store

    screen, installation = Screen(as_json=as_json), load(folder)
    found = on_log(installation, lambda connection: store.list_overrides(connection, processor, over=every))
    zone = installation.settings.zone
    screen.table(
        ("override", "processor", "state", "lifts", "hours", "until", "why", "asked by", "approved by"),
        [
            (
                one.id,
                one.processor,
                one.state,
                "; ".join(gate_words(reason) for reason in one.reasons),
                one.hours,
                local_time(one.until_at, zone) if one.until_at else "",
                one.why,
                one.asked_by,
                one.approved_by or "",
            )
            for one in found
        ],
        empty="No override was ever asked for." if every else "No override is asked for or in force.",
    )
    screen.answer({"overrides": found})


def _show_one(screen: Screen, found: KeptOverride, zone: tzinfo) -> None:
    """Show an override."""
    from ecluse.cli.examine import gate_words

    lifts = [("lifts" if not place else "", gate_words(reason)) for place, reason in enumerate(found.reasons)]
    asked = f"{local_time(found.asked_at, zone)} by {found.asked_by}"
    screen.pairs(
        [
            ("override", found.id),
            ("processor", found.processor),
            *lifts,
            ("why", found.why),
            ("hours", found.hours),
            ("asked", asked),
        ]
    )
    screen.say()
