"""``ecluse ledger witness``: what a person types who runs one, from nothing to evidence of two histories, without an installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ecluse.cli.app import app
from ecluse.ledger.notes import COSIGNATURE, format_vkey, parse_vkey
from ecluse.witness.errors import NotConsistent
from ecluse.witness.service import Witness
from tests.witness.logs import NEXT_VERIFIER, ORIGIN, VERIFIER, PublicLog, leaves, request

pytestmark = pytest.mark.unit

VKEY = format_vkey(VERIFIER)
NAME = "dpo.example/witness"


class Own:
    """A witness's folder and its commands."""

    def __init__(self, folder: Path) -> None:
        """Work in ``folder``."""
        self.folder = folder

    def run(self, *words: str | Path) -> Result:
        """Run a command of the witness."""
        return CliRunner().invoke(app, ["ledger", "witness", *(str(word) for word in words), "--dir", str(self.folder)])

    def json(self, *words: str | Path, code: int = 0) -> Any:
        """Run a command with ``--json`` and return its one object."""
        result = self.run(*words, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """A witness just begun."""
    own = Own(tmp_path / "witness")
    assert own.json("init", "--name", NAME)["name"] == NAME
    return own


def test_init_when_the_name_is_none_then_wrong_usage_with_the_mend(tmp_path):
    """A name with a blank is refused before anything is made."""
    result = Own(tmp_path / "w").run("init", "--name", "two words")
    assert (result.exit_code, "such as dpo.example/witness" in result.stderr) == (2, True)
    assert not (tmp_path / "w").exists()


def test_init_when_done_then_it_says_what_to_hand_over_and_what_comes_next(tmp_path):
    """The policy's line is whole, and the next commands work as they stand."""
    own = Own(tmp_path / "w")
    told = own.run("init", "--name", NAME).stdout
    (line,) = [line for line in told.splitlines() if line.startswith("witness ")]
    word, name, vkey, url = line.split(" ")
    assert (word, name, url) == ("witness", NAME, "https://WITNESS.EXAMPLE")
    assert parse_vkey(vkey, COSIGNATURE).name == NAME
    assert f"ecluse ledger witness serve --dir {tmp_path / 'w'}" in told


def test_command_when_there_is_no_witness_then_refused_with_the_mend(tmp_path):
    """Loading never creates."""
    for words in (["show"], ["trust", VKEY], ["serve"]):
        result = Own(tmp_path / "none").run(*words)
        assert (result.exit_code, "ecluse ledger witness init" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such file"),
        (b"", "quorum"),
        (b"quorum none\n", "names no log"),
        (b"log what\nquorum none\n", "line 1"),
        (f"log {VKEY}\n".encode(), "quorum"),
    ],
)
def test_trust_when_neither_policy_nor_key_then_refused_where_and_why(own, tmp_path, text, says):
    """A wrong file is named with the line."""
    path = tmp_path / "policy"
    if text is not None:
        path.write_bytes(text)
    result = own.run("trust", path)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr
    assert own.json("show")["logs"] == []


def test_trust_when_a_policy_names_this_witness_then_silent_else_told(own, tmp_path):
    """A policy that leaves this witness out is worth a word: nobody would ever ask it."""
    path = tmp_path / "policy"
    path.write_text(f"log {VKEY}\nquorum none\n", encoding="utf-8")
    assert "does not name this witness" in own.run("trust", path).stderr
    path.write_text(f"log {VKEY}\nwitness us {own.json('show')['vkey']} https://w.example\nquorum us\n", encoding="utf-8")
    again = own.run("trust", path)
    assert "does not name" not in again.stderr
    assert "trusted already" in again.stdout


def test_trust_when_another_key_of_the_log_comes_then_only_with_add_key(own):
    """A further key takes a word more, and can be dropped again."""
    assert own.json("trust", VKEY) == {"origins": [ORIGIN], "new": [VKEY], "dropped": []}
    refused = own.run("trust", format_vkey(NEXT_VERIFIER))
    assert (refused.exit_code, "--add-key" in refused.stderr) == (1, True)
    assert own.json("trust", format_vkey(NEXT_VERIFIER), "--add-key")["new"] == [format_vkey(NEXT_VERIFIER)]
    assert own.json("trust", VKEY, "--drop-key")["dropped"] == [VKEY]
    assert own.run("trust", VKEY, "--drop-key").exit_code == 1
    assert own.run("trust", VKEY, "--drop-key", "--add-key").exit_code == 2
    assert own.json("show")["logs"][0]["vkeys"] == [format_vkey(NEXT_VERIFIER)]


def test_show_when_a_head_was_cosigned_then_it_says_of_which_size_and_when(own):
    """What was seen, in words and for programs."""
    log = PublicLog(leaves(1_200))
    own.run("trust", VKEY)
    assert "nothing yet" in own.run("show").stdout
    witness = Witness(own.folder)
    note = log.note(1_200) + witness.add_checkpoint(log.body(0, 1_200))
    assert "1,200 entries" in own.run("show").stdout
    (one,) = own.json("show")["logs"]
    assert (one["origin"], one["size"], one["root"], one["checkpoint"], one["refused"]) == (
        ORIGIN, 1_200, log.roots[1_200].hex(), note, [],
    )  # fmt: skip


def test_show_when_the_log_signed_two_histories_then_loud_with_both_heads(own):
    """Evidence is shown, told what to do with, and an exit code of its own."""
    log, fork = PublicLog(leaves(9)), PublicLog(leaves(9, same=5, word="other "))
    own.run("trust", VKEY)
    witness = Witness(own.folder)
    ours = log.note(9) + witness.add_checkpoint(log.body(0, 9))
    with pytest.raises(NotConsistent):
        witness.add_checkpoint(request(9, [], fork.note(9)))
    told = own.run("show")
    assert (told.exit_code, "two different histories" in told.stdout) == (1, True)
    (head,) = own.json("show", code=1)["logs"][0]["refused"]
    assert (head["fault"], head["checkpoint"], head["cosigned_then"]) == ("other-root", fork.note(9), ours)


def test_serve_when_the_port_is_not_ours_then_refused_before_it_opens(own):
    """An address of nobody's is named."""
    result = own.run("serve", "--host", "192.0.2.1")
    assert (result.exit_code, "can't listen there" in result.stderr) == (2, True)


def test_serve_when_the_key_is_loose_then_refused(own):
    """Whoever else could sign is not let."""
    (own.folder / "witness.key").chmod(0o644)
    result = own.run("serve")
    assert (result.exit_code, "chmod 600" in result.stderr) == (2, True)
