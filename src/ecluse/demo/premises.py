"""The demo's folder: made anew each time, and only where nothing else lies.

A folder is a demo's if ``demo.json`` says so, or ``demo.unfinished`` lies there (the last one was cut short). Of a demo's folder only what the demo
itself makes is deleted; any other folder that is not empty is refused. Files with secrets are 0600.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import Final

import msgspec

from ecluse import install, settings
from ecluse.demo.model import Party
from ecluse.demo.options import DemoOptions
from ecluse.demo.tour import TourStop
from ecluse.embedded import EmbeddedPostgres
from ecluse.embedded_home import find_home
from ecluse.errors import ConfigurationError
from ecluse.papers.activity import FILE as ACTIVITY
from ecluse.settings import Installation

HOST: Final = "127.0.0.1"
TIMEZONE: Final = "Europe/Paris"
FEWEST: Final = 100
"""People below which the day's sessions can't be filled with distinct ones."""

DEMO_JSON: Final = "demo.json"
ACCOUNT_JSON: Final = "account.json"
GATE_LOG: Final = "gate.log"
POLICY: Final = "log.policy"
WITNESSES: Final = "witnesses"
MAIL: Final = "mail"
PAPERS: Final = "papers"
MARK: Final = "ecluse-demo"
_UNFINISHED: Final = "demo.unfinished"
_FOLDERS: Final = ("keys", "state", "contracts", "policies", "clients", "db", WITNESSES, MAIL, PAPERS)
_FILES: Final = ("ecluse.toml", "register.toml", ACTIVITY, DEMO_JSON, ACCOUNT_JSON, GATE_LOG, POLICY, _UNFINISHED)
_MOST_PORT: Final = 65_535
_CONTROLLER: Final = """\
country = "FR"
address = "2 place des Exemples, 75000 Paris"
contact = "Aurélien Castambide, directeur de l'agence"
reach = "contact@agency.example"
dpo = "Sidonie Marcheval, dpo@agency.example"
"""
_MAIL: Final = """
[mail]
host = "{host}"
port = {port}
security = "none"         # a server on this machine: the demo's own
sender = "ecluse@agency.example"
controller = ["acces@agency.example"]
dpo = "dpo@agency.example"
every_seconds = 1         # nobody wants to wait in a demo
"""
_ACTIVITY: Final = """\
# What no configuration decides, in the controller's own words (docs/papers.md). All of it is invented.
[record]
reference = "DEMO-01"
service = "Service des parcours d'intégration"
persons = ["signataires du contrat d'intégration"]
source = "dossier de séjour, remis par la préfecture"
rights = "par courrier, ou auprès du délégué à la protection des données"
impact_assessment = "analyse d'impact de démonstration"
automated_decisions = "aucune"
internal_recipients = ["service des parcours d'intégration"]

[record.erasure]
identity = "2 ans après la fin du parcours"
contact = "2 ans après la fin du parcours"
civil_status = "2 ans après la fin du parcours"
residence = "2 ans après la fin du parcours"
programme = "5 ans après la fin du parcours"
language = "2 ans après la fin du parcours"
"""


class Maker(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a folder anew. ``mark``: the ``kind`` in its ``file``; ``unfinished``: lies there meanwhile; ``folders``, ``files``: all that it makes."""

    name: str
    mark: str
    file: str
    unfinished: str
    folders: tuple[str, ...]
    files: tuple[str, ...]


DEMO: Final = Maker(name="demo", mark=MARK, file=DEMO_JSON, unfinished=_UNFINISHED, folders=_FOLDERS, files=_FILES)


class _Marked(msgspec.Struct):
    """The part of ``demo.json`` that says whose it is."""

    kind: str = ""


class DemoProcessor(msgspec.Struct, frozen=True, kw_only=True):
    """A processor, for scripts. ``private_key_file``: PEM, of the demo's own machine for it."""

    id: str
    client_id: str
    private_key_file: str
    token_url: str
    agents: list[str]
    sessions_today: int


class DemoWitness(msgspec.Struct, frozen=True, kw_only=True):
    """A witness, for scripts. ``name``: in the policy; ``url``: where it is asked."""

    name: str
    vkey: str
    url: str


class DemoFile(msgspec.Struct, frozen=True, kw_only=True):
    """``demo.json``: where everything is.

    ``policy_file``: whom to believe; ``mail_folder``: each mail that was sent, a file each;
    ``papers_folder``: what was printed at the end of the day; ``database_url`` and ``register_url`` hold passwords;
    ``tour``: the pages to look at.
    """

    kind: str = MARK
    base_url: str
    log_url: str
    origin: str
    log_vkey: str
    policy_file: str
    witnesses: list[DemoWitness]
    mail_folder: str
    papers_folder: str
    database_url: str
    register_url: str
    processors: list[DemoProcessor]
    tour: list[TourStop]


def make_installation(options: DemoOptions, register_toml: str, *, mail_port: int) -> Installation:
    """Check the options, clear what an earlier demo left, and write a new installation's files and keys. ``mail_port``: of the mail server on this machine."""
    if options.people < FEWEST:
        raise ConfigurationError("--people", f"a working day needs {FEWEST} people", f"Ask for {FEWEST} or more")
    check_port(options.port)
    folder = options.folder.absolute()
    clear(folder)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    install.write_secret(folder / _UNFINISHED, "A demo is being made here; until demo.json is there it is of no use.\n")
    values: dict[str, str | int] = {
        "public_url": f"http://{HOST}:{options.port}",
        "host": HOST,
        "port": options.port,
        "name": "Agence de démonstration",
        "timezone": TIMEZONE,
        "database_url": "",
        "register_url": "",
    }
    install.create(folder, values, register_toml)
    _say_more(folder, mail_port, options.port)
    (folder / "clients").mkdir(mode=0o700)
    return settings.load(folder, {}, {})


def _say_more(folder: Path, mail_port: int, port: int) -> None:
    """Write where the pages are, what papers say of the controller, and how notices leave."""
    path = folder / "ecluse.toml"
    head, table, tail = path.read_text(encoding="utf-8").partition("\n[database]")
    pages = f'pages_url = "http://localhost:{port}"  # a passkey needs a name: 127.0.0.1 has none\n'
    path.write_text(f"{pages}{head}{_CONTROLLER}{table}{tail}{_MAIL.format(host=HOST, port=mail_port)}", encoding="utf-8")
    (folder / ACTIVITY).write_text(_ACTIVITY, encoding="utf-8")


def keep(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def clear(folder: Path, maker: Maker = DEMO) -> None:
    """Delete what an earlier demo made in ``folder``. Refuses a folder that holds anything else's, or whose database is in use."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not _made_by(maker, folder):
        raise ConfigurationError(
            str(folder), f"the folder is not empty, and no {maker.name} made it", "Name another one with --dir"
        )
    _clear_database(folder, maker)
    for name in maker.folders:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in maker.files:
        (folder / name).unlink(missing_ok=True)


def finish(folder: Path, contents: DemoFile) -> None:
    """Write ``demo.json``: from now on the folder is a whole demo."""
    install.write_secret(folder / DEMO_JSON, msgspec.json.format(msgspec.json.encode(contents), indent=2).decode() + "\n")
    (folder / _UNFINISHED).unlink(missing_ok=True)


def describe(party: Party, base_url: str, sessions: int) -> DemoProcessor:
    """Return a processor's lines of ``demo.json``."""
    return DemoProcessor(
        id=party.firm.id,
        client_id=party.client_id,
        private_key_file=str(party.key_file),
        token_url=f"{base_url}/oauth/token",
        agents=list(party.agents),
        sessions_today=sessions,
    )


def _clear_database(folder: Path, maker: Maker) -> None:
    """Stop what a killed demo left running, and delete what lies outside the folder: a moved database, the socket's folder."""
    database = EmbeddedPostgres(folder / "db", folder / "keys")
    database.stop()  # one that somebody still uses goes on running
    home = find_home(folder / "db")
    if home is None:
        return
    if database.pid is not None:
        raise ConfigurationError(
            str(folder), f"a {maker.name} is running there", "Stop it with Ctrl-C, or name another folder with --dir"
        )
    with contextlib.suppress(OSError):
        database.socket_folder.rmdir()  # empty once the server is gone
    if home != folder / "db":
        shutil.rmtree(home)


def _made_by(maker: Maker, folder: Path) -> bool:
    """Tell whether the folder was made by this one."""
    if (folder / maker.unfinished).exists():
        return True
    try:
        return msgspec.json.decode((folder / maker.file).read_bytes(), type=_Marked).kind == maker.mark
    except (OSError, msgspec.MsgspecError):
        return False


def check_port(port: int) -> None:
    """Refuse a port that can't be listened on, before anything is made."""
    if not 1 <= port <= _MOST_PORT:
        raise ConfigurationError("--port", "there is no such port", f"Choose one of 1 to {_MOST_PORT}")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as taken:
            raise ConfigurationError(
                "--port", f"port {port} is taken or not allowed", "Choose another one with --port"
            ) from taken
