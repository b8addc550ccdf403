"""The tree of commands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ecluse import __version__
from ecluse.cli import (
    contract,
    disclose,
    doctor,
    emergency,
    erase,
    evidence,
    exposure_draw,
    finding,
    flows,
    ledger,
    notices,
    outcomes,
    override,
    own_keys,
    papers_formats,
    people,
    processor,
    questionnaire,
    replay,
    sandbox,
    schedule,
    show,
    start,
    usage,
)
from ecluse.cli.edge import Edge
from ecluse.cli.options import flag

_ORDER = (
    "init",
    "migrate",
    "serve",
    "doctor",
    "contract",
    "processor",
    "people",
    "evidence",
    "finding",
    "override",
    "questionnaire",
    "flows",
    "exposure",
    "schedule",
    "outcomes",
    "usage",
    "erase",
    "emergency",
    "notices",
    "papers",
    "keys",
    "ledger",
    "sandbox",
    "disclose",
    "demo",
    "replay",
    "bench",
)


class Tree(Edge):
    """The root group, its commands in the order in which they are needed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - the framework's own types are private to it
        """List the commands as `_ORDER` has them."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)


app = typer.Typer(
    cls=Tree,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A lock between a register of personal data and the contractors who must work with it.",
    epilog="Exit codes: 0 done, 1 refused or problems found, 2 wrong usage or configuration. Every setting and failure: docs/operator-guide.md",
)

_BEGIN = "Begin and run"
_RULE = "Decide who may see what"
_PROVE = "Prove"
_TRY = "Try"


def _version(value: bool) -> None:  # noqa: FBT001 - the framework calls it by position
    """Print the version and end."""
    if value:
        typer.echo(f"ecluse {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *, version: Annotated[bool, flag("--version", callback=_version, is_eager=True, help="Print the version.")] = False
) -> None:
    """Take the options that come before a command."""


app.command(rich_help_panel=_BEGIN)(start.init)
app.command(rich_help_panel=_BEGIN)(start.migrate)
app.command(rich_help_panel=_BEGIN)(start.serve)
app.command(rich_help_panel=_BEGIN)(doctor.doctor)
app.add_typer(contract.app, name="contract", rich_help_panel=_RULE)
app.add_typer(evidence.app, name="evidence", rich_help_panel=_RULE)
app.add_typer(finding.app, name="finding", rich_help_panel=_RULE)
app.add_typer(override.app, name="override", rich_help_panel=_RULE)
app.add_typer(questionnaire.app, name="questionnaire", rich_help_panel=_RULE)
app.add_typer(flows.app, name="flows", rich_help_panel=_RULE)
app.add_typer(exposure_draw.app, name="exposure", rich_help_panel=_RULE)
app.add_typer(schedule.app, name="schedule", rich_help_panel=_RULE)
app.command(rich_help_panel=_RULE)(outcomes.outcomes)
app.add_typer(usage.app, name="usage", rich_help_panel=_RULE)
app.add_typer(erase.app, name="erase", rich_help_panel=_RULE)
app.add_typer(processor.app, name="processor", rich_help_panel=_RULE)
app.add_typer(people.app, name="people", rich_help_panel=_RULE)
app.add_typer(emergency.app, name="emergency", rich_help_panel=_RULE)
app.add_typer(notices.app, name="notices", rich_help_panel=_RULE)
app.add_typer(own_keys.app, name="keys", rich_help_panel=_BEGIN)
app.add_typer(ledger.app, name="ledger", rich_help_panel=_PROVE)
app.add_typer(papers_formats.app, name="papers", rich_help_panel=_PROVE)
app.add_typer(sandbox.app, name="sandbox", rich_help_panel=_TRY)
app.command(rich_help_panel=_TRY)(disclose.disclose)
app.command(rich_help_panel=_TRY)(show.demo)
app.command(rich_help_panel=_TRY)(replay.replay)
app.command(rich_help_panel=_TRY, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(show.bench)
