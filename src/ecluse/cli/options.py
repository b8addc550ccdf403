"""Options that many commands share, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer


def flag(*names: str, help: str, **more: Any) -> Any:  # noqa: A002, ANN401 - the framework's own names and types
    """Declare an option that takes no value: the help shows no type beside it."""
    return typer.Option(*names, help=help, metavar="", **more)


def _remember(ctx: typer.Context, value: bool) -> bool:  # noqa: FBT001 - the framework calls it by position
    """Note for the edge of the process that errors are wanted as JSON too."""
    ctx.meta["json"] = value
    return value


Dir: TypeAlias = Annotated[
    Path | None,
    typer.Option("--dir", envvar="ECLUSE_DIR", help="The installation's folder.", show_default="./ecluse-data", file_okay=False),
]
Json: TypeAlias = Annotated[
    bool,
    flag("--json", callback=_remember, help="Answer with one JSON object on standard output; notices go to standard error."),
]
Yes: TypeAlias = Annotated[bool, flag("--yes", help="Do it without asking.")]
LogName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--log",
        metavar="NAME",
        help="Another log than the one written now, by its short name.",
        show_default="the one written now",
    ),
]
RegisterFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--register", help="A register.toml to read the contract against.", show_default="the installation's", dir_okay=False
    ),
]
ProcessorName: TypeAlias = Annotated[str, typer.Argument(help="The processor's id, such as `lyon-formation`.")]
