"""The edge: every error is a line with its mend and an exit code; nothing is a traceback, and no stranger's text gets out."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import ecluse
from ecluse.cli.edge import _MENDS, Edge, Refusal, exit_code, lines_of
from ecluse.cli.options import Json
from ecluse.contracts.errors import ContractInvalid, HoldUnknown, ProcessorUnknown
from ecluse.contracts.model import Finding
from ecluse.db import DatabaseUnavailable
from ecluse.errors import ConfigurationError, EcluseError
from ecluse.ledger.errors import LedgerStale
from ecluse.register.errors import Fault, RegisterMapInvalid

pytestmark = pytest.mark.unit

SECRET = "Ndiaye"


def raising(error: BaseException) -> typer.Typer:
    """Return an application whose one command raises this."""
    app = typer.Typer(cls=Edge, pretty_exceptions_enable=False)

    @app.callback()
    def root() -> None:
        """Have commands."""

    @app.command()
    def go(*, as_json: Json = False) -> None:
        """Raise."""
        raise error

    return app


def test_stranger_when_raised_then_its_type_and_place_but_not_its_text() -> None:
    """An exception that is not ours may quote a value, so its text is never shown."""
    result = CliRunner().invoke(raising(RuntimeError(f"value {SECRET}")), ["go"])
    assert result.exit_code == 1
    assert SECRET not in result.output
    assert result.stderr.startswith("internal: RuntimeError at ")
    assert "Traceback" not in result.output


def test_wrong_usage_when_given_then_two() -> None:
    """An option that does not exist exits with 2."""
    assert CliRunner().invoke(raising(LedgerStale()), ["go", "--nonsense"]).exit_code == 2


def test_configuration_when_wrong_then_where_why_mend_and_two() -> None:
    """What stands wrong in files exits with 2, and the line says where, why and the mend."""
    result = CliRunner().invoke(raising(ConfigurationError("keys/log.key", "it is gone", "Bring it back")), ["go"])
    assert (result.exit_code, result.stderr) == (2, "keys/log.key: it is gone. Bring it back.\n")


def test_refusal_when_asked_for_json_then_an_object_besides_the_line() -> None:
    """A program gets the code and the message on standard output, and nothing else there."""
    result = CliRunner().invoke(raising(Refusal("site", "there is none", "Apply a contract")), ["go", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"error": {"code": "refused", "message": "site: there is none. Apply a contract."}}
    assert result.stderr == "site: there is none. Apply a contract.\n"


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (
            ContractInvalid(
                (
                    Finding(line=3, where="processor.id", why="is missing", mend="add it"),
                    Finding(line=9, where="site", why="is empty", mend="name one"),
                )
            ),
            ["contract, line 3: processor.id: is missing. add it.", "contract, line 9: site: is empty. name one."],
        ),
        (
            RegisterMapInvalid((Fault(line=2, where="register.id", why="not a name", mend="Choose one"),)),
            ["register.toml, line 2: register.id: not a name. Choose one."],
        ),
        (
            ProcessorUnknown("nobody"),
            ["processor-unknown: no processor 'nobody' is registered. Add it with: ecluse processor add."],
        ),
        (
            DatabaseUnavailable("the database does not answer"),
            [
                "database-unavailable: the database does not answer. Is it running, and reachable from here? `ecluse doctor` looks."
            ],
        ),
        (
            HoldUnknown("hld_x"),
            [
                "hold-unknown: No such hold is in force, or there is nothing to hold under that id (hld_x). `ecluse processor holds` shows those in force."
            ],
        ),
    ],
)
def test_line_when_written_then_one_a_fault(error: EcluseError, lines: list[str]) -> None:
    """Each fault has its line, with its number in the file where it has one."""
    assert lines_of(error) == lines


def leaves(base: type[EcluseError]) -> list[type[EcluseError]]:
    """List all classes below one."""
    return [leaf for child in base.__subclasses__() for leaf in (child, *leaves(child))]


def test_every_error_when_it_has_a_mend_of_ours_then_its_code_exists() -> None:
    """The table of mends names only codes that some error has, whatever was loaded before this test."""
    home = Path(ecluse.__file__).parent
    for errors in home.glob("**/errors.py"):
        importlib.import_module(".".join(("ecluse", *errors.relative_to(home).with_suffix("").parts)))
    assert set(_MENDS) <= {leaf.code for leaf in leaves(EcluseError)}


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigurationError("a", "b", "c"), 2), (RegisterMapInvalid(()), 2), (LedgerStale(), 1)]
)
def test_exit_code_when_asked_then_two_for_what_stands_wrong(error: EcluseError, code: int) -> None:
    """Files and options that are wrong are 2, all other refusals 1."""
    assert exit_code(error) == code


def test_help_when_loaded_then_without_driver_server_or_client() -> None:
    """``ecluse --help`` is quick because the tree of commands loads nothing that a command runs."""
    heavy = ("asyncpg", "litestar", "granian", "httpx", "cryptography", "joserfc")
    code = f"import sys, ecluse.cli.app; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_module_when_run_then_the_command() -> None:
    """``python -m ecluse`` is the command."""
    done = subprocess.run([sys.executable, "-m", "ecluse", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "ecluse 0.1.0"
