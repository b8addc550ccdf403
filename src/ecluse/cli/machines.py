"""``ecluse processor client`` and ``key``: machines and the public halves of their keys. A private half is written once, to a file, if asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer
from typer.core import TyperCommand

from ecluse.cli.options import Dir, Json, Yes, flag
from ecluse.cli.screen import Screen, local_time

if TYPE_CHECKING:
    import asyncpg

    from ecluse.db import Connection
    from ecluse.identity import PublicKey
    from ecluse.settings import Installation

_DASHED: Final = re.compile(r"-[A-Za-z0-9_-]{42}")

client_app = typer.Typer(no_args_is_help=True, help="Clients: machines that ask on a processor's behalf, each with its own key.")
key_app = typer.Typer(no_args_is_help=True, help="Keys of clients: add a second one, then revoke the first.")

KeyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--key", help="The public key: a JWK or PEM file (ES256 or Ed25519). A private key is refused.", dir_okay=False),
]
Generate: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--generate", metavar="PATH", help="Make a new ES256 pair and write the private key there (PEM, 0600).", dir_okay=False
    ),
]
ClientId: TypeAlias = Annotated[str, typer.Argument(help="The client's id: cli_….")]


def read_public_key(path: Path) -> PublicKey:
    """Read a public key from a JWK or PEM file; a private one is refused, since it should never have come here."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from joserfc.jwk import ECKey, OKPKey

    from ecluse.cli.reach import read_text
    from ecluse.errors import ConfigurationError
    from ecluse.identity import KeyInvalid, parse_public_jwk

    mend = "Name a file with one public key: JWK or PEM, P-256 or Ed25519"
    text = read_text(path)
    if "PRIVATE KEY" in text:
        raise ConfigurationError(str(path), "it is a private key, which belongs to the processor alone", mend)
    try:
        if not text.lstrip().startswith("-----"):
            return parse_public_jwk(json.loads(text))
        key = load_pem_public_key(text.encode())
        if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
            return parse_public_jwk(ECKey.import_key(key).as_dict(private=False))
        if isinstance(key, Ed25519PublicKey):
            return parse_public_jwk(OKPKey.import_key(key).as_dict(private=False))
    except KeyInvalid as bad:
        raise ConfigurationError(str(path), f"it is not a public key that can be used: {bad.why}", mend) from None
    except (ValueError, RecursionError):
        raise ConfigurationError(str(path), "it is neither a JWK nor a PEM file", mend) from None
    raise ConfigurationError(str(path), "it is neither P-256 nor Ed25519", mend)


def _obtain(key: Path | None, generate: Path | None) -> tuple[PublicKey, Path | None]:
    """Take the public key from a file, or make a pair; return it and the private file that was written, if any."""
    from ecluse.errors import ConfigurationError
    from ecluse.identity import Algorithm, generate_private, load_private
    from ecluse.install import write_secret

    if (key is None) == (generate is None):
        raise typer.BadParameter("say one of --key and --generate", param_hint="--key / --generate")
    if key is not None:
        return read_public_key(key), None
    if generate is None:
        raise AssertionError("impossible: one of the two was given")
    pem = generate_private(Algorithm.ES256)
    try:
        write_secret(generate, pem.decode())
    except OSError as bad:
        raise ConfigurationError(
            str(generate), f"can't be written ({bad.strerror})", "Name a new file in a folder that is there"
        ) from bad
    return load_private(pem).public, generate


@client_app.command("add")
def add_machine(
    processor: Annotated[
        str | None,
        typer.Argument(help="Whose machine it is; left out with --scheduler, --portal or --auditor.", show_default=False),
    ] = None,
    *,
    label: Annotated[str, typer.Option(help="What the machine is called.")],
    key: KeyFile = None,
    generate: Generate = None,
    scheduler: Annotated[
        bool, flag("--scheduler", help="The controller's own machine, which may send schedules and nothing else.")
    ] = False,
    portal: Annotated[
        bool, flag("--portal", help="The controller's site for persons, which may ask who saw a person's data and nothing else.")
    ] = False,
    auditor: Annotated[
        bool, flag("--auditor", help="An auditor's machine, which may read the log's entries and nothing else.")
    ] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Register a machine with its first key. The processor should make its own pair and send you the public half (--key)."""
    from ecluse.cli.reach import load

    roles = [role for role, said in (("scheduler", scheduler), ("portal", portal), ("auditor", auditor)) if said]
    if len(roles) + (processor is not None) != 1:
        raise typer.BadParameter(
            "say one of PROCESSOR, --scheduler, --portal and --auditor",
            param_hint="PROCESSOR / --scheduler / --portal / --auditor",
        )
    screen, installation = Screen(as_json=as_json), load(folder)
    public, written = _obtain(key, generate)
    with _kept_if_registered(written):
        client, index, vkey = _register(installation, processor, label, public, roles[0] if roles else "processor")
    screen.say(f"Client {client} is registered (entry {index}).", style="green")
    _hand_over(screen, installation, client, public, vkey, written)
    screen.answer(
        {
            "client": client,
            "processor": processor,
            "role": roles[0] if roles else "processor",
            "thumbprint": public.thumbprint,
            "index": index,
            "public_url": installation.settings.public_url,
            "log_vkey": vkey,
            "private_key_file": str(written) if written else None,
        }
    )


@contextmanager
def _kept_if_registered(written: Path | None) -> Iterator[None]:
    """Remove a private key that was just made if nobody registers its public half."""
    try:
        yield
    except BaseException:  # Ctrl-C too: the key would be nobody's
        if written is not None:
            written.unlink()
        raise


def _register(
    installation: Installation, processor: str | None, label: str, public: PublicKey, role: str
) -> tuple[str, int, str]:
    """Register the machine; return its id, the index of its entry and the log's verifier key."""
    from ecluse.cli.reach import actor, on_log
    from ecluse.cli.store import log_there
    from ecluse.contracts.errors import ProcessorUnknown
    from ecluse.identity.errors import ClientUnknown
    from ecluse.identity.service import add_client
    from ecluse.install import LOG_ID

    async def work(connection: Connection) -> tuple[str, int, str]:
        client, sealed = await add_client(
            connection, log_id=LOG_ID, processor=processor, label=label, key=public, actor=actor(), role=role
        )
        log = await log_there(connection, LOG_ID)
        return client, sealed.index, log["vkey"] if log is not None else ""

    try:
        return on_log(installation, work)
    except ClientUnknown:
        raise ProcessorUnknown(processor or "") from None


def _hand_over(
    screen: Screen, installation: Installation, client: str, public: PublicKey, vkey: str, written: Path | None
) -> None:
    """Show what the machine's people need to begin."""
    screen.say("\nGive this to those who run the machine:", style="bold")
    screen.pairs(
        [
            ("gate", installation.settings.public_url),
            ("client id", client),
            ("key", f"{public.thumbprint} ({public.alg})"),
            ("log key", vkey),
        ]
    )
    if written is not None:
        screen.say(
            f"\nThe private key is in {written} (0600). Move it to the machine and keep no copy: whoever has it is the client.",
            style="yellow",
        )


@client_app.command("list")
def list_clients(
    processor: Annotated[str | None, typer.Argument(help="Only this processor's.", show_default=False)] = None,
    *,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """List machines and their keys, in use and revoked."""
    from ecluse.cli.reach import load, on_log
    from ecluse.cli.store import rows_of

    screen, installation = Screen(as_json=as_json), load(folder)
    rows = on_log(installation, lambda connection: rows_of(connection, "clients", processor))
    zone = installation.settings.zone
    screen.table(
        ("client", "of", "label", "key", "kind", "state", "since"),
        [
            (
                row["id"],
                row["processor_id"] or f"({row['role']})",
                row["label"],
                row["thumbprint"] or "",
                row["alg"] or "",
                _state(row),
                local_time(row["revoked_at"] or row["key_added_at"] or row["added_at"], zone),
            )
            for row in rows
        ],
        empty="No client is registered.",
    )
    screen.answer({"clients": [_client(list(group)) for _, group in groupby(rows, key=lambda row: row["id"])]})


def _state(row: asyncpg.Record) -> str:
    """Say how a key stands."""
    if row["thumbprint"] is None:
        return "no key"
    return "revoked" if row["revoked_at"] else "in use"


def _client(rows: list[asyncpg.Record]) -> dict[str, object]:
    """Bring a client and its keys together."""
    names = ("thumbprint", "alg", "revoked_at")
    keys = [{name: row[name] for name in names} | {"added_at": row["key_added_at"]} for row in rows if row["thumbprint"]]
    first = rows[0]
    return {
        "client": first["id"],
        "role": first["role"],
        "processor": first["processor_id"],
        "label": first["label"],
        "keys": keys,
    }


@key_app.command("add")
def add_second(
    client: ClientId, *, key: KeyFile = None, generate: Generate = None, folder: Dir = None, as_json: Json = False
) -> None:
    """Add a key to a client; both are good until one is revoked, so that a key is changed without a gap."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.identity.service import add_key
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    public, written = _obtain(key, generate)
    with _kept_if_registered(written):
        sealed = on_log(
            installation, lambda connection: add_key(connection, log_id=LOG_ID, client=client, key=public, actor=actor())
        )
    screen.say(f"Key {public.thumbprint} is added to {client} (entry {sealed.index}).", style="green")
    if written is not None:
        screen.say(f"The private key is in {written} (0600). Move it to the machine and keep no copy.", style="yellow")
    screen.answer(
        {
            "client": client,
            "thumbprint": public.thumbprint,
            "index": sealed.index,
            "private_key_file": str(written) if written else None,
        }
    )


class _TakesThumbprint(TyperCommand):
    """A command whose argument may begin with ``-``, as one thumbprint in 64 does: it is not taken for an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - the framework's own types are private to it
        """Put what is a thumbprint by its form behind ``--``."""
        named = [word for word in args if _DASHED.fullmatch(word)]
        return super().parse_args(ctx, [*(word for word in args if word not in named), *(["--", *named] if named else [])])


@key_app.command("revoke", cls=_TakesThumbprint)
def revoke(
    client: ClientId,
    thumbprint: Annotated[str, typer.Argument(help="The key's name, as `ecluse processor client list` shows it.")],
    *,
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Revoke a key: the next decision already refuses it, whatever tokens it still holds. It can't be taken back."""
    from ecluse.cli.reach import actor, load, on_log
    from ecluse.cli.store import rows_of
    from ecluse.identity.service import revoke_key
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    if not screen.confirm(f"Revoke {thumbprint} of {client} for ever?", yes=yes):
        screen.say("Nothing was changed.")
        raise typer.Exit(1)

    async def work(connection: Connection) -> tuple[int, int]:
        sealed = await revoke_key(connection, log_id=LOG_ID, client=client, thumbprint=thumbprint, actor=actor())
        (left,) = await rows_of(connection, "keys_in_use", client)
        return sealed.index, left["count"]

    index, left = on_log(installation, work)
    screen.say(
        f"Revoked (entry {index}). The client has {left} keys left{'' if left else ': it can ask nothing any more'}.",
        style="bold",
    )
    screen.answer({"client": client, "thumbprint": thumbprint, "index": index, "keys_left": left})
