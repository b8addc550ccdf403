"""``ecluse init``, ``migrate`` and ``serve``: make an installation, bring its database to this release, open the gate."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen

if TYPE_CHECKING:
    from ecluse.install import Databases
    from ecluse.register import RegisterMap
    from ecluse.settings import Installation, Settings

EVALUATION_ORIGIN: Final = "evaluation.invalid/ecluse/main"
_MAP_TEMPLATE: Final = Path(__file__).with_name("register-template.toml")

Evaluation = Annotated[bool, flag("--evaluation", help="Try it on this machine: an embedded PostgreSQL, never for real data.")]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-url", metavar="URL", help="The ledger's PostgreSQL: postgresql://host:port/name, no user or password."
    ),
]
AdminUrl = Annotated[
    str | None,
    typer.Option(
        "--admin-url",
        metavar="URL",
        help="The same database as a role that may create roles. Keep its password in a pgpass file.",
    ),
]

PublicUrl = Annotated[str | None, typer.Option(help="What processors will call.", show_default="http://127.0.0.1:PORT")]
Origin = Annotated[
    str | None, typer.Option(help="The log's name for ever, such as office.example/ecluse/main.", show_default=EVALUATION_ORIGIN)
]


def init(  # noqa: PLR0913 - each is one setting of the new installation
    *,
    evaluation: Evaluation = False,
    database_url: DatabaseUrl = "",
    admin_url: AdminUrl = None,
    register_url: Annotated[str, typer.Option(metavar="URL", help="The register's PostgreSQL, no user or password.")] = "",
    register: Annotated[Path | None, typer.Option(help="A register.toml to begin with.", dir_okay=False)] = None,
    people: Annotated[int, typer.Option(min=0, help="With --evaluation: a register of that many invented people.")] = 0,
    name: Annotated[str, typer.Option(help="Who the controller is.")] = "Controller",
    timezone: Annotated[str, typer.Option(help="In which contract days are counted.")] = "Europe/Paris",
    public_url: PublicUrl = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    origin: Origin = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Make a new installation: its folder, keys and settings; with --evaluation also a database, the schema and the log.

    With --database-url it also hands over what the database's administrator has to run, or runs it with --admin-url.
    The log is then opened by `ecluse ledger init`.
    """
    from ecluse.settings import folder_of

    _require_sense(
        evaluation=evaluation, database_url=database_url, people=people, origin=origin, own=bool(register or register_url)
    )
    screen = Screen(as_json=as_json)
    place = folder_of(folder)
    values: dict[str, str | int] = {
        "public_url": public_url or f"http://127.0.0.1:{port}", "host": host, "port": port, "name": name, "timezone": timezone,
        "database_url": database_url, "register_url": register_url,
    }  # fmt: skip
    installation, mapped = _write(place, values, register, people=people, origin=origin, evaluation=evaluation)
    try:
        if evaluation:
            _begin_evaluation(screen, installation, people=people, origin=origin or EVALUATION_ORIGIN)
        else:
            _begin(screen, installation, mapped, admin_url)
    except BaseException:  # Ctrl-C too leaves a folder behind
        screen.note(f"{place} is half made: mend what is said below, remove the folder and run init again")
        raise


def _require_sense(*, evaluation: bool, database_url: str, people: int, origin: str | None, own: bool) -> None:
    """Refuse options that contradict one another. ``own``: a register was named."""
    if evaluation == bool(database_url):
        raise typer.BadParameter("say one of --evaluation and --database-url", param_hint="--evaluation / --database-url")
    if (people or origin) and not evaluation:
        why = "is for --evaluation; otherwise the log is opened by `ecluse ledger init`"
        raise typer.BadParameter(why, param_hint="--people / --origin")
    if people and own:
        raise typer.BadParameter("has its own register: leave --register and --register-url out", param_hint="--people")


def _write(
    place: Path, values: dict[str, str | int], register: Path | None, *, people: int, origin: str | None, evaluation: bool
) -> tuple[Installation, RegisterMap | None]:
    """Check what was said, write the folder beside its place, and move it there whole: a refusal leaves nothing."""
    from ecluse import install, settings
    from ecluse.cli.reach import read_text
    from ecluse.embedded_home import wheel_folder
    from ecluse.errors import ConfigurationError
    from ecluse.ledger.notes import is_key_name
    from ecluse.register import parse_register

    if origin is not None and not is_key_name(origin):
        raise ConfigurationError(
            "--origin", "it is not a log's name", "Write one without blanks or +, such as office.example/ecluse/main"
        )
    if evaluation:
        wheel_folder()
    demo = Path(__file__).parent.parent / "demo" / "register.toml"
    text = read_text(register or (demo if people else _MAP_TEMPLATE))
    mapped = parse_register(text)
    if place.exists() and any(place.iterdir()):
        why = "there is an installation already" if (place / "ecluse.toml").exists() else "the folder is not empty"
        raise ConfigurationError(str(place), why, "Choose another folder with --dir")
    draft = place.with_name(place.name + ".new")
    if draft.exists():
        raise ConfigurationError(str(draft), "it is in the way: left by an init that was cut short", "Remove it")
    try:
        install.create(draft, values, text)
        settings.load(draft, {}, {})
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return settings.load(place, {}, {}), mapped if register or people else None


def _begin_evaluation(screen: Screen, installation: Installation, *, people: int, origin: str) -> None:
    """Create the embedded database, the schema, the register if one was asked for, and open the log."""
    from ecluse import install
    from ecluse.cli.reach import actor, run

    with screen.working("Creating the embedded PostgreSQL"):
        install.create_embedded(installation)
    with screen.working("Creating the schema and opening the log"), install.databases(installation) as reached:
        run(install.create_databases(installation, reached))
        if people:
            run(_fill_register(installation, reached, people))
        sealed = run(
            install.open_log(installation, reached, name=installation.settings.ledger.name, origin=origin, actor=actor())
        )
    screen.say(f"A new installation for evaluation is in {installation.folder}", style="bold")
    screen.pairs(
        [
            ("log", origin),
            ("first entry", sealed.index),
            ("register", f"{people:,} invented people" if people else "empty: see register.toml"),
        ]
    )
    follow = [
        "ecluse doctor",
        "ecluse processor add ID --name NAME",
        "ecluse contract check FILE",
        "ecluse contract apply FILE",
        "ecluse serve --evaluation",
    ]
    _next(screen, installation.folder, follow)
    screen.answer(
        {"folder": str(installation.folder), "evaluation": True, "origin": origin, "index": sealed.index, "people": people}
    )


async def _fill_register(installation: Installation, reached: Databases, people: int) -> None:
    """Load invented people into the embedded register, and let our reader see the mapped columns only."""
    import asyncpg

    from ecluse.cli.handover import register_grants
    from ecluse.cli.reach import register_map
    from ecluse.demo.people import load_people

    if reached.embedded is None:
        raise AssertionError("impossible: people are for an embedded register")
    owner = await asyncpg.connect(reached.embedded.superuser_dsn("register"))
    try:
        await load_people(owner, people)
        await owner.execute(register_grants(register_map(installation.folder / "register.toml")))
    finally:
        await owner.close()


def _begin(screen: Screen, installation: Installation, mapped: RegisterMap | None, admin_url: str | None) -> None:
    """Write what administrators run, and run our part of it if we were given their rights."""
    from ecluse import install
    from ecluse.cli.handover import write_install_sql, write_register_sql
    from ecluse.cli.reach import run

    files = [str(write_register_sql(installation, mapped))] if mapped is not None else []
    if admin_url is not None:
        check_same_database(installation, admin_url)
        with screen.working("Creating roles and schema"), install.databases(installation) as reached:
            run(install.migrate(installation, reached, admin_url))
    else:
        files.insert(0, str(write_install_sql(installation)))
    screen.say(f"A new installation is in {installation.folder}", style="bold")
    keys, url = installation.keys, installation.settings.database.url
    steps = [] if admin_url else [f"psql '{url}' -f {keys / 'install.sql'}      (the database's administrator)", "ecluse migrate"]
    if mapped is not None:
        steps.append(f"psql REGISTER -f {keys / 'register.sql'}      (the register's administrator)")
    else:
        steps.append(
            f"write {installation.folder / 'register.toml'}, then `ecluse doctor --register-sql` for the register's administrator"
        )
    _next(screen, installation.folder, [*steps, "ecluse ledger init --origin NAME", "ecluse doctor", "ecluse serve"])
    screen.answer({"folder": str(installation.folder), "evaluation": False, "schema": admin_url is not None, "sql_files": files})


def check_same_database(installation: Installation, admin_url: str) -> None:
    """Refuse an administrator's address of another database: roles and schema would be made where nobody looks."""
    from urllib.parse import urlsplit

    from ecluse.errors import ConfigurationError

    if urlsplit(admin_url).path != urlsplit(installation.settings.database.url).path:
        raise ConfigurationError("--admin-url", "it names another database than database.url", "Name the same database in both")


def _next(screen: Screen, folder: Path, steps: list[str]) -> None:
    """Say what comes next, in order."""
    screen.say("\nNext:", style="bold")
    for number, step in enumerate(steps, 1):
        screen.say(f"  {number}. {step}")
    if "ECLUSE_DIR" not in os.environ:
        screen.say(f"(each with --dir {folder}, or with ECLUSE_DIR set to it)", style="dim")


def migrate(*, admin_url: AdminUrl = None, folder: Dir = None, as_json: Json = False) -> None:
    """Bring the database's schema and rights to this release. Run it after each update; it changes nothing that is right already.

    It acts as `ecluse_owner`; with --admin-url, or on an embedded database, as the administrator, who also sets the roles' passwords from keys/.
    """
    from ecluse import install
    from ecluse.cli.reach import load, run

    screen, installation = Screen(as_json=as_json), load(folder)
    if admin_url is not None and installation.settings.database.url:
        check_same_database(installation, admin_url)
    with screen.working("Bringing the schema to this release"), install.databases(installation) as reached:
        run(install.migrate(installation, reached, admin_url))
    screen.say("The database is at this release: schema and rights are as they should be.", style="green")
    screen.answer({"migrated": True})


def serve(
    *,
    evaluation: Annotated[
        bool, flag("--evaluation", help="Needed where the database is the embedded one: this is not for real data.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="host in ecluse.toml")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on.", show_default="port in ecluse.toml")
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="What processors call.", show_default="public_url in ecluse.toml")
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Open the gate: serve until Ctrl-C or SIGTERM. Events go to standard error, one JSON line each."""
    from ecluse import install
    from ecluse.cli.reach import load, translated
    from ecluse.listen import require_free_port, set_up_logs

    screen = Screen(as_json=as_json)
    installation = load(folder, host=host, port=port, public_url=public_url)
    if port is not None and public_url is None and installation.settings.public_url.startswith("http://127.0.0.1:"):
        installation = load(folder, host=host, port=port, public_url=f"http://127.0.0.1:{port}")
    settings = installation.settings
    _require_databases(settings, evaluation=evaluation)
    require_free_port(settings.host, settings.port)

    def ready() -> None:
        screen.say(
            f"Écluse is open at {settings.public_url} (listening on {settings.host}:{settings.port}). Ctrl-C closes it.",
            style="bold",
        )
        screen.answer({"ready": True, "public_url": settings.public_url, "host": settings.host, "port": settings.port})
        _flush()

    from ecluse.web import serve as web

    set_up_logs()
    with install.databases(installation) as reached, translated():
        web.serve(installation, reached, ready=ready)


def _require_databases(settings: Settings, *, evaluation: bool) -> None:
    """Refuse to serve from an embedded database unless that was said, or without a register."""
    from ecluse.errors import ConfigurationError

    if not settings.database.url and not evaluation:
        why = "it is empty, so the database would be the embedded one"
        raise ConfigurationError("database.url", why, "Name your PostgreSQL, or say --evaluation if no real data is involved")
    if settings.database.url and not settings.register.url:
        raise ConfigurationError("register.url", "it is empty", "Name the register's PostgreSQL in ecluse.toml")


def _flush() -> None:
    """Let whoever waits for the line have it now."""
    import sys

    sys.stdout.flush()
