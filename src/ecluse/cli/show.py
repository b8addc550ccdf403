"""``ecluse demo`` and ``ecluse bench``: a synthetic agency at work, and its speed against an ungoverned service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from ecluse.cli.options import Json, flag
from ecluse.cli.screen import Screen


def demo(
    *,
    people: Annotated[int, typer.Option(min=1000, help="How many invented people the register has.")] = 20_000,
    folder: Annotated[Path, typer.Option("--dir", help="Where the agency is made: a folder of its own.", file_okay=False)] = Path(
        "ecluse-demo"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    then_exit: Annotated[bool, flag("--then-exit", help="Stop after the day, instead of serving on.")] = False,
    as_json: Json = False,
) -> None:
    """Make a synthetic agency with its own PostgreSQL, let its contractors live a working day through the gate, and keep serving.

    Nobody in it exists. With --json the account of the day goes to standard error, and DIR/demo.json to standard output at the end.
    """
    from rich.console import Console

    from ecluse.embedded_home import wheel_folder

    wheel_folder()  # says what is to be installed: the demo's mail server comes with the same extra
    from ecluse.demo.agency import DemoOptions, run_demo

    screen = Screen(as_json=as_json)
    place = folder.absolute()
    console = Console(stderr=True) if as_json else None
    code = run_demo(DemoOptions(people=people, folder=place, port=port, then_exit=then_exit, console=console))
    written = place / "demo.json"
    if written.exists():
        screen.answer(json.loads(written.read_text(encoding="utf-8")))
    raise typer.Exit(code)


def bench(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Measure a governed disclosure against a bare read of the same row. Runs `python -m bench` of a source checkout; further options go to it."""
    from ecluse.errors import ConfigurationError

    root = Path(__file__).resolve().parents[3]
    if not (root / "bench" / "__main__.py").is_file():
        why = "the measurements are part of the source checkout, not of the installed package"
        raise ConfigurationError("bench", why, "Clone the repository and run `make bench` there")
    command = [sys.executable, "-m", "bench", *ctx.args]
    done = subprocess.run(command, cwd=root, check=False, stdout=subprocess.PIPE if as_json else None, text=True)
    Screen(as_json=as_json).answer({"exit_code": done.returncode, "output": (done.stdout or "").splitlines()})
    raise typer.Exit(done.returncode)
