"""``ecluse doctor``: is everything as it must be, and if not, what is the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen

if TYPE_CHECKING:
    from ecluse.cli.examine import Part
    from ecluse.settings import Installation


def doctor(
    *,
    register_sql: Annotated[
        bool,
        flag("--register-sql", help="Only write keys/register.sql for the register's administrator, from register.toml."),
    ] = False,
    dba: Annotated[
        bool,
        flag(
            "--dba",
            help="For the database's administrator: every statement with its plan, locks, connections, rights, timeouts, sizes and growth.",
        ),
    ] = False,
    regulator: Annotated[
        bool,
        flag(
            "--regulator", help="What regulators ask, rule by rule: what is done about it here, the evidence, or what is missing."
        ),
    ] = False,
    quiet: Annotated[bool, flag("--quiet", help="Show only what is not ok.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Look at files, database, roles, log, contracts and register, and say what to mend. Changes nothing.

    Exit code 1 if anything fails; a warning alone is 0. May be run while the gate serves.
    """
    from ecluse.cli.reach import load

    screen, installation = Screen(as_json=as_json), load(folder)
    if register_sql:
        _write_register_sql(screen, installation)
        return
    if dba:
        _look_for_dba(screen, installation, quiet=quiet)
        return
    if regulator:
        _look_for_regulator(screen, installation, quiet=quiet)
        return
    with screen.working("Looking"):
        parts = _look(installation)
    levels = [line.level.value for part in parts for line in part.lines]
    for part in parts:
        rows = [(line.level.value, line.where, line.found, line.mend) for line in part.lines if not quiet or line.level != "ok"]
        if rows:
            screen.table(("level", "where", "found", "mend"), rows, title=f"\n{part.title}")
    fails, warns = levels.count("fail"), levels.count("warn")
    _verdict(screen, fails, warns)
    screen.answer({"healthy": not fails, "fail": fails, "warn": warns, "parts": parts})
    if fails:
        raise typer.Exit(REFUSED)


def _look(installation: Installation) -> list[Part]:
    """Look at everything, in one event loop and one run of the databases."""
    import asyncio

    from ecluse import install
    from ecluse.cli import examine
    from ecluse.cli.notices import examine_duties
    from ecluse.errors import EcluseError

    files = examine.examine_files(installation)

    async def look(reached: install.Databases) -> list[Part]:
        before = (examine.examine_database, examine.examine_log, examine.examine_contracts)
        looks = (*before, examine_duties, examine.examine_register)
        return [await one(installation, reached) for one in looks]

    try:
        with install.databases(installation) as reached:
            return [files, *asyncio.run(look(reached))]
    except EcluseError as bad:
        return [files, examine.Part(title="Database", lines=(examine.failed("database", bad),))]


def _look_for_dba(screen: Screen, installation: Installation, *, quiet: bool) -> None:
    """Show what a database administrator asks: statements first, then what they take."""
    from ecluse import install
    from ecluse.cli import dba
    from ecluse.cli.dba_page import show
    from ecluse.cli.reach import run

    with screen.working("Looking"), install.databases(installation) as reached:
        facts = run(dba.look(installation, reached))
    levels = [line.level.value for part in facts.parts for line in part.lines] + [each.level.value for each in facts.statements]
    fails, warns = levels.count("fail"), levels.count("warn")
    show(screen, facts, quiet=quiet)
    _verdict(screen, fails, warns)
    screen.answer(
        {"healthy": not fails, "fail": fails, "warn": warns, **{name: getattr(facts, name) for name in facts.__struct_fields__}}
    )
    if fails:
        raise typer.Exit(REFUSED)


def _look_for_regulator(screen: Screen, installation: Installation, *, quiet: bool) -> None:
    """Show what a regulator asks, and what there is to show."""
    from ecluse.cli.regulator import examine, show

    with screen.working("Looking"):
        rules = examine(installation)
    show(screen, rules, quiet=quiet)


def _verdict(screen: Screen, fails: int, warns: int) -> None:
    """Say it in a line."""
    verdict = f"{fails} to mend, {warns} to look at." if fails or warns else "All is well."
    screen.say(f"\n{verdict}", style="bold red" if fails else "bold yellow" if warns else "bold green")


def _write_register_sql(screen: Screen, installation: Installation) -> None:
    """Write what the register's administrator runs."""
    from ecluse.cli.handover import write_register_sql
    from ecluse.cli.reach import register_map

    path = write_register_sql(installation, register_map(installation.folder / "register.toml"))
    screen.say(f"Written: {path}")
    screen.say(
        "The register's administrator runs it once in the register's database (psql ADDRESS -f FILE); it holds a password, so delete it afterwards."
    )
    screen.answer({"sql_files": [str(path)]})
