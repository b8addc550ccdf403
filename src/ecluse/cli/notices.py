"""``ecluse notices``: who was told what about a processor's gate, what waits, and sending it now. No person is shown, but for the addresses that were told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from ecluse.cli.examine import Part
    from ecluse.db import Connection
    from ecluse.install import Databases
    from ecluse.notices.model import Told
    from ecluse.notices.send import Round
    from ecluse.register.doctor import Line
    from ecluse.settings import Installation

READER: Final = "ecluse_reader"
MOST: Final = 200
_STATES: Final = {"sent": "told", "waiting": "waits since", "dead": "given up since"}
_WHAT: Final = {
    "gate:soon": "access stops",
    "gate:frozen": "access stopped",
    "gate:closed": "access closed",
    "gate:opened": "access open again",
    "finding:opened": "finding opened",
    "override:asked": "override asked for",
    "override:approved": "override approved",
    "override:ended": "override ended",
    "evidence:submitted": "document handed in",
    "evidence:accepted": "document accepted",
    "evidence:rejected": "document rejected",
    "emergency:opened": "emergency opened",
    "emergency:late": "emergency not reviewed",
}
"""What a notice is about, by its topic."""
app = typer.Typer(no_args_is_help=True, help="Notices by mail: who was told what, and when. See docs/notices.md.")


@app.command("list")
def list_notices(
    processor: Annotated[
        str | None, typer.Argument(help="Only of this processor.", show_default="all, and what is of none")
    ] = None,
    *,
    reason: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only of this reason, or of this document, finding, override or emergency.")
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Show who was told what, when and at which address; what waits to be sent, and what was given up. The newest 200."""
    from ecluse.cli.reach import load, on_log
    from ecluse.notices.store import told

    screen, installation = Screen(as_json=as_json), load(folder)

    async def work(connection: Connection) -> list[Told]:
        return await told(connection, processor=processor, reason=reason, most=MOST)

    found, zone = on_log(installation, work, role=READER), installation.settings.zone
    if not installation.settings.mail.host:
        screen.note("No mail server is configured: nobody is told anything. See docs/notices.md")
    heads = ("processor", "what", "reason", "since or from", "who", "told")
    rows = [_row(one, zone) for one in found]
    skip = 0 if processor is None else 1  # who named one knows it
    screen.table(heads[skip:], [row[skip:] for row in rows], empty="Nobody was told anything.")
    screen.answer({"notices": [_told(one) for one in found]})


@app.command("send")
def send_now(
    *,
    again: Annotated[bool, flag("--again", help="Also what was given up: it is tried for three more days.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Do now what the gate does each half minute: note who is to be told, and send what waits, up to 20 notices a time."""
    from ecluse import install
    from ecluse.cli.edge import REFUSED
    from ecluse.cli.reach import load, run

    screen, installation = Screen(as_json=as_json), load(folder)
    with install.databases(installation) as reached, screen.working("Sending"):
        done, waiting, dead = run(_send(installation, reached, again=again))
    screen.say(f"{counted(done.noted, 'notice')} noted now, {done.sent} sent, {done.failed} failed.", style="bold")
    screen.pairs([("waiting", waiting), ("given up", dead)])
    if done.failed:
        screen.say("What failed is tried again. Why: ecluse notices list", style="yellow")
    screen.answer({"noted": done.noted, "sent": done.sent, "failed": done.failed, "waiting": waiting, "given_up": dead})
    if done.failed:
        raise typer.Exit(REFUSED)


async def _send(installation: Installation, reached: Databases, *, again: bool) -> tuple[Round, int, int]:
    """Do one round with a pool of its own."""
    from ecluse.cli.reach import attributes_of, register_map
    from ecluse.db import open_pool
    from ecluse.errors import ConfigurationError
    from ecluse.notices import store
    from ecluse.notices.send import Office, Postman, mailbox_of
    from ecluse.settings import with_user

    settings = installation.settings
    box = mailbox_of(installation)
    if box is None:
        raise ConfigurationError("mail.host", "no mail server is configured", "Name one in ecluse.toml; docs/notices.md says how")
    attributes = attributes_of(register_map(installation.folder / "register.toml"))
    office = Office(controller=settings.controller.name, zone=settings.zone, attributes=attributes)
    url = with_user(reached.database_url, "ecluse_jobs")
    pool = await open_pool(url, installation.passwords("jobs"), size=1, name="notices")
    try:
        async with pool.acquire() as connection:
            await store.hurry(connection, again=again)
        done = await Postman(pool, box, office).round()
        async with pool.acquire() as connection:
            return (done, *await store.counts(connection))
    finally:
        await pool.close()


def _row(one: Told, zone: tzinfo) -> tuple[str, ...]:
    """Write a notice as a row of the table."""
    due = one.due
    became = f"{_STATES[one.state]} {local_time(one.sent_at or one.noted_at, zone)}" + (
        f" ({one.problem})" if one.problem else ""
    )
    what = _WHAT[due.topic.value] + (f" in {due.days} d" if due.days else "")
    who = f"{due.audience.value} {', '.join(one.sent_to)}"
    return due.processor or "", what, due.reason, local_time(due.at, zone), who.strip(), became


def _told(one: Told) -> dict[str, object]:
    """Write a notice for programs."""
    due = one.due
    return {
        "processor": due.processor, "topic": due.topic.value, "reason": due.reason, "at": due.at, "days": due.days, "audience": due.audience.value,
        "state": one.state, "noted_at": one.noted_at, "sent_at": one.sent_at, "sent_to": one.sent_to, "attempts": one.attempts, "problem": one.problem,
    }  # fmt: skip


# ── for `ecluse doctor` ──────────────────────────────────────────────────────────────────────────────────────────────────────
async def examine_duties(installation: Installation, reached: Databases) -> Part:
    """Look at what waits for people: the mail that tells them, and emergencies that nobody reviewed."""
    from ecluse import install
    from ecluse.cli.examine import Part, failed
    from ecluse.cli.reach import APP, translated
    from ecluse.errors import EcluseError

    lines = [*_mail_lines(installation), *await _knock_lines(installation)]
    try:
        with translated():
            connection = await install.connect(installation, reached, APP)
            try:
                lines += await _waiting_lines(connection)
            finally:
                await connection.close()
    except EcluseError as bad:
        lines.append(failed(APP, bad))
    return Part(title="Notices and duties", lines=tuple(lines))


def _mail_lines(installation: Installation) -> Iterator[Line]:
    """Look at what ecluse.toml says of mail."""
    from ecluse.cli.examine import ok, warn

    mail = installation.settings.mail
    if not mail.host:
        mend = "Name a server in [mail] (docs/notices.md); gates follow their dates all the same"
        yield warn("mail.host", "no mail server is configured: nobody is told before a gate freezes", mend)
        return
    if mail.of_controller:
        yield ok("mail.controller", f"{counted(len(mail.of_controller), 'address', 'addresses')} of the controller")
    else:
        yield warn(
            "mail.controller", "no address of the controller: only processors are told", "Write mail.controller and mail.dpo"
        )


async def _knock_lines(installation: Installation) -> list[Line]:
    """Knock at the mail server: connect, secure, sign in, and go without a mail."""
    from ecluse.cli.examine import fail, ok
    from ecluse.errors import ConfigurationError
    from ecluse.notices.send import knock, mailbox_of

    try:
        box = mailbox_of(installation)
    except ConfigurationError as bad:
        return [fail(bad.where, bad.why, bad.mend)]
    if box is None:
        return []
    problem = await knock(box)
    if problem is None:
        return [ok("mail.host", f"the server answers ({box.mail.security.value})")]
    return [fail("mail.host", f"no mail can be handed over: {problem}", "docs/notices.md, section *When mail does not leave*")]


async def _waiting_lines(connection: Connection) -> list[Line]:
    """Look at notices that were given up, and at emergencies that wait."""
    from ecluse.cli.examine import fail, ok, warn
    from ecluse.disclosure.emergency import emergencies_waiting

    dead = await connection.fetchval("select count(*) from ecluse.notice where state = 'dead'")
    waiting, late = await emergencies_waiting(connection)
    review = "Another person than the one who opened it: `ecluse emergency list`, then `ecluse emergency review`"
    given_up = f"{counted(dead, 'notice was', 'notices were')} given up after three days"
    mend = "`ecluse notices list` says why, `ecluse notices send --again` tries again"
    lines = [warn("notices", given_up, mend) if dead else ok("notices", "none was given up")]
    if late:
        return [*lines, fail("emergencies", f"{late} should have been reviewed by now", review)]
    if waiting:
        return [*lines, warn("emergencies", f"{waiting} to be reviewed within three days", review)]
    return [*lines, ok("emergencies", "none waits for its review")]
