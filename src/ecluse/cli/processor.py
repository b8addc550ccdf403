"""``ecluse processor``: third parties, their sites and people; machines and holds are modules of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli import holds, machines
from ecluse.cli.options import Dir, Json, ProcessorName, flag
from ecluse.cli.screen import Screen, local_time

if TYPE_CHECKING:
    import asyncpg

    from ecluse.db import Connection

app = typer.Typer(no_args_is_help=True, help="Processors: third parties, their people and machines; suspend and release them.")
agent_app = typer.Typer(no_args_is_help=True, help="Agents: a processor's people, who ask for one person at a time.")
app.add_typer(agent_app, name="agent")
app.add_typer(machines.client_app, name="client")
app.add_typer(machines.key_app, name="key")
app.command("hold")(holds.hold)
app.command("release")(holds.release)
app.command("holds")(holds.holds)


@app.command()
def add(
    processor: Annotated[
        str, typer.Argument(help="Its id for ever: lower-case letters, digits, - and _, such as `lyon-formation`.")
    ],
    *,
    name: Annotated[str, typer.Option(help="What it is called.")],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Register a processor. It may do nothing until a contract is applied."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.contracts.service import add_processor
    from ecluse.ids import is_name
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    if not is_name(processor):
        raise Refusal("processor id", "it is not a name", "Write 2 to 63 lower-case letters, digits, - and _, a letter first")
    sealed = on_log(
        installation, lambda connection: add_processor(connection, log_id=LOG_ID, processor=processor, name=name, actor=actor())
    )
    screen.say(f"{processor} is registered (entry {sealed.index}). Next: ecluse contract apply FILE", style="green")
    screen.answer({"processor": processor, "name": name, "index": sealed.index})


@app.command("list")
def list_processors(*, folder: Dir = None, as_json: Json = False) -> None:
    """List processors with their contract, gate, people, machines and holds."""
    from ecluse.cli.gates import gates_now
    from ecluse.cli.reach import attributes_of, load, on_log, register_map

    screen, installation = Screen(as_json=as_json), load(folder)
    attributes = attributes_of(register_map(installation.folder / "register.toml"))
    found = []
    for row, stands in on_log(installation, lambda connection: gates_now(connection, attributes, installation.settings.zone)):
        names = ("id", "name", "version", "reference", "agents", "clients", "holds", "added_at")
        found.append({**{name: row[name] for name in names}, "gate": stands.state, "reasons": stands.why})
    screen.table(
        ("processor", "name", "contract", "gate", "why", "agents", "clients", "holds"),
        [
            (
                one["id"],
                one["name"],
                f"{one['reference']} v{one['version']}" if one["version"] else "none",
                one["gate"],
                one["reasons"],
                one["agents"],
                one["clients"],
                f"{one['holds']} in force" if one["holds"] else "none",
            )
            for one in found
        ],
        empty="No processor is registered. `ecluse processor add ID --name NAME` registers one.",
    )
    screen.answer({"processors": found})


@app.command()
def site(processor: ProcessorName, *, folder: Dir = None, as_json: Json = False) -> None:
    """List a processor's sites. They are written in its contract and changed by a new version of it."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import attributes_of, load, on_log, register_map
    from ecluse.contracts.service import current_contract

    screen, installation = Screen(as_json=as_json), load(folder)
    attributes = attributes_of(register_map(installation.folder / "register.toml"))
    version, contract = on_log(installation, lambda connection: current_contract(connection, processor, attributes))
    if contract is None:
        raise Refusal(processor, "it has no contract in force, so it has no sites", "Run `ecluse contract apply FILE`")
    screen.table(
        ("site", "time zone", "rooms", "sessions a day at most"),
        [(one.id, one.timezone, one.rooms, one.max_sessions_per_day) for one in contract.sites.values()],
        title=f"{processor}, by version {version} of its contract",
    )
    screen.answer({"processor": processor, "version": version, "sites": list(contract.sites.values())})


# ── agents ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@agent_app.command("add")
def add_one(
    processor: ProcessorName,
    *,
    label: Annotated[str, typer.Option(help="How the processor calls it: better a staff number than a name. It is not sealed.")],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Register one of a processor's people; its id is what the processor's machine names in each request."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.contracts.service import add_agent
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    agent, sealed = on_log(
        installation, lambda connection: add_agent(connection, log_id=LOG_ID, processor=processor, label=label, actor=actor())
    )
    screen.say(f"Agent {agent} of {processor} is registered (entry {sealed.index}).", style="green")
    screen.answer({"agent": agent, "processor": processor, "index": sealed.index})


@agent_app.command("list")
def list_agents(
    processor: ProcessorName,
    *,
    labels: Annotated[
        bool, flag("--labels", help="Show the labels, too: they may name people of the processor's staff.")
    ] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List a processor's agents by id; their labels only when asked for, because they may be names."""
    from ecluse.cli.reach import load, on_log

    screen, installation = Screen(as_json=as_json), load(folder)
    rows = on_log(installation, lambda connection: _agents(connection, processor))
    zone = installation.settings.zone
    heads = ("agent", "since", "label") if labels else ("agent", "since")
    screen.table(
        heads,
        [(row["id"], local_time(row["added_at"], zone), row["label"])[: len(heads)] for row in rows],
        empty=f"{processor} has no agents.",
    )
    shown = [{"agent": row["id"], "added_at": row["added_at"]} | ({"label": row["label"]} if labels else {}) for row in rows]
    screen.answer({"processor": processor, "agents": shown})


async def _agents(connection: Connection, processor: str) -> list[asyncpg.Record]:
    """Read a processor's agents; refuse a processor that is not there."""
    from ecluse.cli.store import rows_of
    from ecluse.contracts.errors import ProcessorUnknown

    if processor not in {row["id"] for row in await rows_of(connection, "processors")}:
        raise ProcessorUnknown(processor)
    return await rows_of(connection, "agents", processor)
