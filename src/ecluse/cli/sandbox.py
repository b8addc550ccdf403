"""``ecluse sandbox``: a processor with invented people, for contractors to try their software on; made, renewed and removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ecluse.cli.options import Dir, Json, Yes
from ecluse.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ecluse.identity import PublicKey
    from ecluse.install import Databases
    from ecluse.sandbox.model import Removed, Sandbox
    from ecluse.sandbox.service import Site
    from ecluse.settings import Installation

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, help="The sandbox: a processor with invented people, through the same door.")


@app.command()
def create(
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Where its client's private key is; a new one is written there (PEM, 0600).",
            show_default="sandbox.pem in the folder",
            dir_okay=False,
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=2, max=31, help="For how many days sessions are planned, today being the first.")] = 8,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Make the sandbox: contract, a client with its key, agents, invented people, sessions from today on, and what to try.

    Run it again to plan further days; what is there is kept. Its people are in no register, and no other processor can reach them.
    """
    from ecluse import clock
    from ecluse.cli.reach import load
    from ecluse.sandbox.service import create_sandbox

    screen, installation = Screen(as_json=as_json), load(folder)
    path = key or installation.folder / "sandbox.pem"
    public = _key_of(path)
    made: Sandbox = _do(installation, lambda site: create_sandbox(site, public, now=clock.now(), days=days))
    screen.say("The sandbox is ready: same door, same rules, same ledger; nobody in it exists.", style="bold")
    screen.pairs(
        [
            ("gate", installation.settings.public_url),
            ("client", made.client),
            ("private key", path),
            ("sessions today", made.sessions),
        ]
    )
    rows = [(trial.what, trial.expect, trial.handle, trial.agent) for trial in made.trials]
    screen.table(("try", "expect", "appointment", "agent"), rows, title="\nWhat to try:")
    screen.answer(
        {
            "client": made.client,
            "private_key_file": str(path),
            "agents": made.agents,
            "sessions_today": made.sessions,
            "trials": made.trials,
        }
    )


@app.command()
def remove(*, yes: Yes = False, folder: Dir = None, as_json: Json = False) -> None:
    """Remove the sandbox: its processors are suspended, its keys revoked, its people forgotten. Entries stay in the ledger."""
    from ecluse.cli.reach import load
    from ecluse.sandbox.service import remove_sandbox

    screen, installation = Screen(as_json=as_json), load(folder)
    if not screen.confirm("Suspend the sandbox and revoke its keys?", yes=yes):
        screen.say("Nothing was changed.")
        raise typer.Exit(1)
    gone: Removed = _do(installation, remove_sandbox)
    screen.say(f"The sandbox is removed: {gone.keys} keys revoked, {gone.people} invented people forgotten.", style="bold")
    screen.answer({"keys_revoked": gone.keys, "people_forgotten": gone.people})


def _key_of(path: Path) -> PublicKey:
    """Read the client's key, or make one."""
    from ecluse.cli.reach import read_bytes
    from ecluse.errors import ConfigurationError
    from ecluse.identity import Algorithm, KeyInvalid, generate_private, load_private
    from ecluse.install import write_secret

    if not path.exists():
        try:
            write_secret(path, generate_private(Algorithm.ES256).decode())
        except OSError as bad:
            raise ConfigurationError(
                str(path), f"can't be written ({bad.strerror})", "Name a file in a folder that is there"
            ) from bad
    try:
        return load_private(read_bytes(path)).public
    except KeyInvalid as bad:
        raise ConfigurationError(str(path), bad.why, "Name another file with --key: a key is made there") from bad


def _do(installation: Installation, work: Callable[[Site], Awaitable[T]]) -> T:
    """Do some work on the sandbox through a small pool, as the gate does."""
    from ecluse import install
    from ecluse.cli.reach import APP, actor, register_map, require_log, run
    from ecluse.db import open_pool
    from ecluse.install import LOG_ID
    from ecluse.sandbox.service import Site
    from ecluse.settings import with_user

    mapped = register_map(installation.folder / "register.toml")

    async def connected(reached: Databases) -> T:
        async with await open_pool(
            with_user(reached.database_url, APP), installation.passwords("app"), size=1, name="cli"
        ) as pool:
            async with pool.acquire() as connection:
                await require_log(connection)
            return await work(Site(pool=pool, register=mapped, zone=installation.settings.zone, actor=actor(), log_id=LOG_ID))

    with install.databases(installation) as reached:
        return run(connected(reached))
