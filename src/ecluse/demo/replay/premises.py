"""The replay's folder: an installation made anew each time, and only where nothing but an earlier replay lies."""

from __future__ import annotations

from typing import Final

import msgspec

from ecluse import install, settings
from ecluse.demo.premises import GATE_LOG, HOST, TIMEZONE, Maker, check_port, clear
from ecluse.demo.replay import api
from ecluse.demo.replay.model import FEWEST_DAYS, FEWEST_PEOPLE, MOST_DAYS, Account, ReplayOptions
from ecluse.errors import ConfigurationError
from ecluse.settings import Installation

REPLAY_JSON: Final = "replay.json"
_UNFINISHED: Final = "replay.unfinished"
REPLAY: Final = Maker(
    name="replay", mark="ecluse-replay", file=REPLAY_JSON, unfinished=_UNFINISHED, folders=("keys", "state", "contracts", "policies", "clients", "db"),
    files=("ecluse.toml", "register.toml", REPLAY_JSON, _UNFINISHED, GATE_LOG, api.SETTINGS, api.LOG, "personne.copy", "coordonnees.copy"),
)  # fmt: skip


def make_installation(options: ReplayOptions, register_toml: str) -> Installation:
    """Check the options, clear what an earlier replay left, and write a new installation's files and keys."""
    if options.people < FEWEST_PEOPLE:
        raise ConfigurationError("--people", f"the attacks need {FEWEST_PEOPLE} people", f"Ask for {FEWEST_PEOPLE} or more")
    if not FEWEST_DAYS <= options.days <= MOST_DAYS:
        raise ConfigurationError(
            "--days",
            f"the attacks take {FEWEST_DAYS} days, and the gate lists {MOST_DAYS} at once",
            f"Ask for {FEWEST_DAYS} to {MOST_DAYS}",
        )
    check_port(options.port)
    check_port(options.port + 1)  # the token API's
    folder = options.folder.absolute()
    clear(folder, REPLAY)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    install.write_secret(folder / _UNFINISHED, f"A replay is being made here; until {REPLAY_JSON} is there it is of no use.\n")
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
    (folder / "clients").mkdir(mode=0o700)
    return settings.load(folder, {}, {})


def finish(installation: Installation, account: Account) -> None:
    """Write ``replay.json``: from now on the folder is a whole replay's."""
    text = msgspec.json.format(msgspec.json.encode(account), indent=2).decode()
    install.write_secret(installation.folder / REPLAY_JSON, text + "\n")
    (installation.folder / _UNFINISHED).unlink(missing_ok=True)
