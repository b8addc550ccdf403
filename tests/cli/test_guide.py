"""The operator guide holds every setting, environment variable, command, option, key file, and error whose mend the edge knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from ecluse.cli.app import app
from ecluse.cli.edge import _MENDS
from ecluse.cli.examine import SECRETS
from ecluse.cli.holds import HoldEffect, Scope
from ecluse.contracts.service import EFFECTS, SCOPES
from ecluse.settings import _ENVIRONMENT, Settings

pytestmark = pytest.mark.unit

GUIDE = (Path(__file__).parents[2] / "docs" / "operator-guide.md").read_text(encoding="utf-8")
NOT_SAID_EACH_TIME = {"--dir", "--json", "--help", "-h"}


def settings_of(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield every setting by its dotted name, with its default."""
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from settings_of(field.type, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field.default


def commands_of(command: Any, words: tuple[str, ...] = ("ecluse",)) -> Iterator[tuple[str, Any]]:
    """Yield every command by its words."""
    for name, child in getattr(command, "commands", {}).items():
        yield from commands_of(child, (*words, name))
    if not hasattr(command, "commands") or command.invoke_without_command:
        yield " ".join(words), command


COMMANDS = dict(commands_of(typer.main.get_command(app)))


@pytest.mark.parametrize(("name", "default"), list(settings_of(Settings)))
def test_setting_when_there_then_in_the_guide_with_its_default(name: str, default: object) -> None:
    """Each setting has its row, and the default stands in it."""
    (row,) = [line for line in GUIDE.splitlines() if line.startswith(f"| `{name}` |")]
    said = row.split("|")[3].strip()
    if isinstance(default, timedelta):
        assert msgspec.convert(said.strip("`"), timedelta) == default
        return
    text = (
        {"": "empty", True: "`true`", False: "`false`"}.get(default, f"`{default}`")
        if isinstance(default, str | bool)
        else f"`{default}`"
    )  # type: ignore[call-overload] # one of a few words
    assert said == text


@pytest.mark.parametrize(("variable", "way"), _ENVIRONMENT.items())
def test_environment_when_read_then_in_the_guide(variable: str, way: tuple[str, ...]) -> None:
    """Each variable stands beside its setting."""
    assert f"| `{'.'.join(way)}` | `{variable}` |" in GUIDE


@pytest.mark.parametrize("words", COMMANDS)
def test_command_when_there_then_in_the_guide_with_its_options(words: str) -> None:
    """Each command has its row in a table of commands, and its row, or the one above it, names each option."""
    below = tuple(f"| `{other}" for other in COMMANDS if other.startswith(f"{words} "))
    rows = [line for line in GUIDE.splitlines() if re.match(rf"\| `{words}[ `]", line) and not line.startswith(below)]
    assert len(rows) == 1
    options = {option for parameter in COMMANDS[words].params for option in parameter.opts if option.startswith("-")}
    assert {option for option in options - NOT_SAID_EACH_TIME if not re.search(rf"`{option}\b", rows[0])} == set()


@pytest.mark.parametrize("words", COMMANDS)
def test_command_when_there_then_it_answers_json_and_says_what_it_does(words: str) -> None:
    """Every command has ``--json``, and a help text for itself and each of its parameters."""
    command = COMMANDS[words]
    assert any("--json" in parameter.opts for parameter in command.params)
    assert command.help
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []


def test_guide_when_it_names_a_command_then_the_command_is_there() -> None:
    """No command of the tables is an invention."""
    named = {match.group(1).strip() for match in re.finditer(r"^\| `(ecluse(?: [a-z-]+)+)", GUIDE, flags=re.MULTILINE)}
    assert named == set(COMMANDS)


@pytest.mark.parametrize("name", [*SECRETS, "db-owner.password", "db-super.password", "install.sql", "register.sql"])
def test_key_file_when_used_then_in_the_guide(name: str) -> None:
    """Each file of ``keys/`` has its row."""
    assert f"`keys/{name}`" in GUIDE


@pytest.mark.parametrize("code", sorted(_MENDS.keys() - {"embedded"}))
def test_failure_when_it_has_a_mend_then_in_the_guide(code: str) -> None:
    """Each code with a mend of ours is in the table of failures."""
    assert f"`{code}`" in GUIDE


def test_words_of_holds_when_offered_then_those_of_the_use_case() -> None:
    """The command offers exactly the scopes and effects there are."""
    assert tuple(Scope) == SCOPES
    assert tuple(HoldEffect) == EFFECTS
