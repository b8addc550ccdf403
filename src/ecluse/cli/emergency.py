"""``ecluse emergency``: break-glass. One attribute of one person, sealed before it is shown; another person reviews it. It shows a personal value."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.disclosure.emergency import Listed, Shown
    from ecluse.install import Databases
    from ecluse.settings import Installation

READER: Final = "ecluse_reader"
app = typer.Typer(
    no_args_is_help=True,
    help="Break-glass: one attribute of one person in an emergency, sealed, told to the person, reviewed by somebody else. See docs/emergency.md.",
)


@app.command("open")
def open_one(
    whom: Annotated[
        str,
        typer.Argument(
            metavar="APPOINTMENT|PERSON",
            help="An appointment (apt_…) or the person's subject_ref; `-` reads it from standard input, so that it stays out of the shell's history.",
        ),
    ],
    *,
    attribute: Annotated[list[str], typer.Option(metavar="NAME", help="The one attribute that is needed, such as `phone`.")],
    reason: Annotated[str, typer.Option(help="Why, in words. It is sealed: name nobody.")],
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Show one attribute of one person in full, once, for an emergency. THIS SHOWS PERSONAL DATA on this screen.

    It is sealed in the ledger before it is shown, under your account's name; the person finds it in their record; another person reviews it within three days.
    """
    from ecluse import install
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import load, run

    screen, installation = Screen(as_json=as_json), load(folder)
    if len(attribute) != 1:
        raise Refusal(
            "--attribute",
            "an emergency shows exactly one",
            "Choose what is needed now; each further one is an emergency of its own",
        )
    if whom == "-":
        whom = sys.stdin.readline().strip()
    with install.databases(installation) as reached:
        shown = run(_open(installation, reached, whom, attribute[0], reason))
    _show(screen, shown)


async def _open(installation: Installation, reached: Databases, whom: str, attribute: str, reason: str) -> Shown:
    """Open it over one connection to the ledger's database and the register's pool."""
    from ecluse import install
    from ecluse.cli.holds import require_subject
    from ecluse.cli.reach import APP, actor, register_map, require_log
    from ecluse.disclosure.emergency import Asked, Bounds, open_emergency, subject_of
    from ecluse.install import LOG_ID
    from ecluse.register.store import Register
    from ecluse.web.gateway import open_register_pool
    from ecluse.web.keyfiles import read_fingerprint_keys

    settings = installation.settings
    keys = read_fingerprint_keys(installation)
    connection = await install.connect(installation, reached, APP)
    try:
        await require_log(connection)
        if whom.startswith("apt_"):
            whom = await subject_of(connection, whom)
        require_subject(installation, whom)
        asked = Asked(subject=whom, attribute=attribute, reason=reason, actor=actor())
        pool = await open_register_pool(installation, reached.register_url)
        try:
            bounds = Bounds(per_day=settings.emergency.per_day, patience=settings.ledger.max_uncosigned_frozen)
            register = Register(pool, register_map(installation.folder / "register.toml"))
            return await open_emergency(connection, register, keys, asked, log_id=LOG_ID, bounds=bounds)
        finally:
            await pool.close()
    finally:
        await connection.close()


def _show(screen: Screen, shown: Shown) -> None:
    """Show the value, once."""
    value = "(the register has none)" if shown.value is None else str(shown.value)
    screen.say(f"{shown.attribute}: {value}", style="bold")
    screen.say(f"\nSealed as entry {shown.index} of the ledger, before it was shown. The person finds it in their record.")
    screen.say(
        f"Another person reviews it within three days: ecluse emergency review {shown.id} --justified (or --not-justified)"
    )
    screen.answer(
        {
            "emergency": shown.id,
            "attribute": shown.attribute,
            "value": shown.value,
            "disclosure": shown.disclosure,
            "index": shown.index,
        }
    )


@app.command("review")
def review(
    emergency: Annotated[str, typer.Argument(help="Its id: eme_… (`ecluse emergency list` lists those that wait).")],
    *,
    justified: Annotated[
        bool | None, flag("--justified/--not-justified", help="Whether it was right.", show_default=False)
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Say whether an emergency that somebody else opened was right. It is sealed under your account's name, and final."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.disclosure.emergency import review_emergency
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    if justified is None:
        raise typer.BadParameter("say --justified or --not-justified", param_hint="--justified")

    async def work(connection: Connection) -> int:
        sealed = await review_emergency(connection, log_id=LOG_ID, emergency=emergency, justified=justified, actor=actor())
        return sealed.index

    index = on_log(installation, work)
    word = "justified" if justified else "not justified"
    screen.say(f"{emergency} was {word}: sealed as entry {index} of the ledger.", style="bold green" if justified else "bold red")
    if not justified:
        screen.say("Tell the data-protection officer: it may be a breach of personal data that has to be recorded (Art. 33(5)).")
    screen.answer({"emergency": emergency, "justified": justified, "index": index})


@app.command("list")
def list_emergencies(
    *,
    every: Annotated[bool, flag("--all", help="Also those that were reviewed.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List the emergencies that wait for a review. Of whom they are is not shown."""
    from ecluse.cli.reach import load, on_log
    from ecluse.disclosure.emergency import emergencies

    screen, installation = Screen(as_json=as_json), load(folder)
    found = on_log(installation, lambda connection: emergencies(connection, every=every), role=READER)
    zone = installation.settings.zone
    screen.table(
        ("emergency", "attribute", "why", "opened", "by", "review"),
        [
            (one.id, one.attribute, one.reason or "(erased)", local_time(one.opened_at, zone), one.opened_by, _standing(one))
            for one in found
        ],
        empty="No emergency waits for its review.",
    )
    late = sum(one.late for one in found)
    if late:
        screen.say(f"{counted(late, 'emergency', 'emergencies')} should have been reviewed by now.", style="bold red")
    screen.answer({"emergencies": found})


def _standing(one: Listed) -> str:
    """Say how far its review is."""
    if one.reviewed_by is None:
        return "waits for more than three days" if one.late else "waits"
    return f"{'justified' if one.justified else 'not justified'}, says {one.reviewed_by}"
