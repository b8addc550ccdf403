"""``ecluse keys``: the installation's own keys and passwords, and how each is changed while the gate serves. Clients' keys: ``ecluse processor key``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from ecluse.cli.options import Dir, Json, Yes, flag
from ecluse.cli.screen import Screen, local_time

app = typer.Typer(no_args_is_help=True, help="The installation's own keys: list them, change them. Loss and theft: docs/keys.md.")
rotate_app = typer.Typer(no_args_is_help=True, help="Change a key without stopping the gate.")
app.add_typer(rotate_app, name="rotate")


@app.command("list")
def list_keys(*, folder: Dir = None, as_json: Json = False) -> None:
    """List keys and passwords by name, never by value: which are in use, which are still to come or going out of use."""
    from ecluse import clock
    from ecluse.cli.reach import load
    from ecluse.cli.rotate import ROLES
    from ecluse.errors import ConfigurationError
    from ecluse.evidence.vault import KEY_FILE
    from ecluse.identity import KeyInvalid, parse_token_keys
    from ecluse.web.keyfiles import read_fingerprint_keys

    screen, installation = Screen(as_json=as_json), load(folder)
    now, zone = clock.now(), installation.settings.zone
    try:
        tokens = parse_token_keys(installation.secret("token.key"))
    except KeyInvalid as bad:
        raise ConfigurationError("keys/token.key", bad.why, "Restore it from your safe, or see docs/keys.md") from bad
    signing = [key for key in tokens if key.from_at <= now][-1]
    rows = [
        (
            "token",
            key.private.thumbprint,
            "in use" if key is signing else "to come" if key.from_at > now else "going",
            local_time(key.from_at, zone) if key.from_at.year > 1970 else "",
        )
        for key in tokens
    ]
    versions = sorted(read_fingerprint_keys(installation))
    rows += [
        ("fingerprint", f"version {each}", "in use" if each == versions[-1] else "for what is sealed", "") for each in versions
    ]
    sealing = sorted(installation.versioned(KEY_FILE))
    rows += [("evidence", f"version {each}", "in use" if each == sealing[-1] else "for what is sealed", "") for each in sealing]
    for role, name in ROLES.items():
        for file, state in ((f"db-{role}.password", "in use"), (f"db-{role}.next.password", "to come")):
            if (installation.keys / file).exists():
                rows.append((f"database {role}", name, state, ""))
    screen.table(("key", "name", "state", "from"), rows)
    screen.answer({"keys": [dict(zip(("key", "name", "state", "from"), row, strict=True)) for row in rows]})


@rotate_app.command("token")
def rotate_token(
    *,
    wait_seconds: Annotated[
        int,
        typer.Option(
            "--in",
            min=10,
            max=604_800,
            metavar="SECONDS",
            help="When the new key begins to sign; gates on other hosts need the file before.",
        ),
    ] = 60,
    at_once: Annotated[
        bool, flag("--at-once", help="The present key was stolen: every token ends within seconds, machines fetch new ones.")
    ] = False,
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Let a new key sign tokens. Gates read the file every 5 seconds: the new key is accepted and published at once, the old until its last token is over.

    With gates on several hosts copy keys/token.key to each of them before the new key begins (--in).
    """
    from ecluse.cli import rotate
    from ecluse.cli.reach import load

    screen, installation = Screen(as_json=as_json), load(folder)
    if at_once and not screen.confirm("Every token in use ends now: machines have to fetch new ones. Go on?", yes=yes):
        raise typer.Exit(1)
    thumbprint, from_at = rotate.rotate_token(installation, wait=timedelta(seconds=wait_seconds), at_once=at_once)
    when = "now" if at_once else f"from {from_at:%Y-%m-%dT%H:%M:%SZ}"
    screen.say(f"Key {thumbprint} signs tokens {when}.", style="green")
    screen.say(
        "Gates on other hosts: copy keys/token.key there before that."
        if not at_once
        else "Gates on other hosts: copy keys/token.key there now."
    )
    screen.answer({"thumbprint": thumbprint, "from": from_at, "at_once": at_once})


@rotate_app.command("fingerprint")
def rotate_fingerprint(
    *,
    lost_after: Annotated[
        int | None,
        typer.Option(min=1, metavar="VERSION", help="The file is lost: begin it anew above the last version that it had."),
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Add a version to the keys that fingerprint values. Older versions stay: what they fingerprinted can still be traced.

    A gate uses it from its next start on, and reads it as soon as it meets it: copy the file to all hosts, then restart the gates one by one.
    """
    from ecluse.cli import rotate
    from ecluse.cli.reach import load
    from ecluse.web.keyfiles import FINGERPRINT_KEY

    screen, installation = Screen(as_json=as_json), load(folder)
    version = rotate.rotate_versioned(installation, FINGERPRINT_KEY, after=lost_after)
    screen.say(
        f"Version {version} is added. Copy keys/fingerprint.key to all hosts and to your safe, then restart the gates one by one.",
        style="green",
    )
    screen.answer({"version": version})


@rotate_app.command("evidence")
def rotate_evidence(
    *,
    lost_after: Annotated[
        int | None,
        typer.Option(min=1, metavar="VERSION", help="The file is lost: begin it anew above the last version that it had."),
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Add a version to the keys that documents are sealed under. Older versions stay: they open what they sealed.

    If the file is lost for good, so are the documents: what was accepted counts on by its entry, and is handed in anew.
    """
    from ecluse.cli import rotate
    from ecluse.cli.reach import load
    from ecluse.evidence.vault import KEY_FILE

    screen, installation = Screen(as_json=as_json), load(folder)
    version = rotate.rotate_versioned(installation, KEY_FILE, after=lost_after)
    screen.say(
        f"Version {version} is added. Copy keys/{KEY_FILE} to all hosts and to your safe, then restart the gates one by one.",
        style="green",
    )
    screen.answer({"version": version})


@rotate_app.command("database")
def rotate_database(
    role: Annotated[str, typer.Argument(help="Whose password: app, jobs, reader, usage, owner or register.")],
    *,
    prepare: Annotated[
        bool,
        flag(
            "--prepare",
            help="Only write the next password: with gates on several hosts copy it there, then run this again without.",
        ),
    ] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Change the password of one database role. Gates try the present one and the next, so that none is turned away meanwhile."""
    from ecluse import install
    from ecluse.cli import rotate
    from ecluse.cli.reach import load, run

    if role not in rotate.ROLES:
        raise typer.BadParameter(f"say one of {', '.join(rotate.ROLES)}", param_hint="ROLE")
    screen, installation = Screen(as_json=as_json), load(folder)
    written = rotate.prepare_password(installation, role)
    if prepare:
        file = installation.keys / f"db-{role}.next.password"
        screen.say(
            f"{file} is {'written' if written else 'there already'}. Copy it to the hosts of all gates, then run this again without --prepare."
        )
        screen.answer({"role": rotate.ROLES[role], "changed": False, "file": str(file)})
        return
    with install.databases(installation) as reached:
        run(rotate.change_password(installation, reached, role))
    screen.say(f"{rotate.ROLES[role]} has its new password, and keys/db-{role}.password holds it.", style="green")
    screen.answer({"role": rotate.ROLES[role], "changed": True, "file": str(installation.keys / f"db-{role}.password")})
