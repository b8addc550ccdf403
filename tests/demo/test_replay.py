"""The replay as a whole, small: nobody gets beyond what was said before, nothing is got where nothing was promised, and a cheat in the bound is found out."""

from __future__ import annotations

import io
import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ecluse.cli.app import app
from ecluse.demo.replay import telling
from ecluse.demo.replay.model import Account, Attacked, Found, Kind, ReplayOptions
from ecluse.demo.replay.run import ATTACKS, run_replay
from ecluse.embedded import EmbeddedPostgres
from ecluse.errors import ConfigurationError
from ecluse.exposure import Count
from ecluse.exposure.service import Engine, Exposure

pytestmark = pytest.mark.e2e

PEOPLE = 450
DAYS = 3
FORMS = {"family_name": "full", "given_name": "full", "birth_date": "year", "preferred_language": "full"}
EVERYBODY = (Attacked.COPY, Attacked.ACCOUNT)


def free_port() -> int:
    """Return a port that is free now, and the next one too."""
    for _ in range(100):
        with socket.socket() as probe, socket.socket() as beside:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            try:
                beside.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise AssertionError("no two free ports side by side")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Make a folder that the embedded database's account can pass."""
    with tempfile.TemporaryDirectory(prefix="ecluse-replay-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def account(place) -> Account:
    """Run every attack once."""
    options = ReplayOptions(
        people=PEOPLE, days=DAYS, folder=place / "all", port=free_port(), api_seconds=1.0, console=Console(file=io.StringIO())
    )
    account = run_replay(options)
    assert account is not None
    return account


def one(account: Account, kind: Kind, alternative: Attacked = Attacked.ECLUSE) -> Found:
    """Return what one attack found."""
    return next(found for found in account.attacks if (found.attack, found.alternative) == (kind, alternative))


def test_replay_when_run_then_every_attack_is_told_and_nothing_is_wrong(account):
    """All ten attacks ran, the compromised processor against four alternatives too, and none did what must not be."""
    assert account.wrong == []
    assert [(found.attack, found.alternative) for found in account.attacks] == [
        (attack.kind, attack.against) for attack in ATTACKS
    ]
    assert {found.attack for found in account.attacks if found.alternative is Attacked.ECLUSE} == set(Kind)
    assert {found.alternative for found in account.attacks if found.attack is Kind.PROCESSOR} == set(Attacked)
    assert {found.alarm for found in account.attacks} == {None}


def test_replay_when_anything_is_attacked_then_nobody_passes_the_bound_said_before(account):
    """Neither by the thief's count nor by the ledger's is a bound passed, in persons or attributes; alternatives have none."""
    for found in account.attacks:
        if found.alternative is not Attacked.ECLUSE:
            assert (found.bound, found.ledger) == (None, None)
            continue
        assert found.bound is not None
        assert found.bound_attributes is not None
        assert found.persons <= found.bound
        assert found.persons == found.ledger
        assert found.attributes <= found.bound_attributes


def test_replay_when_a_bound_is_exact_then_it_is_reached(account):
    """Whatever the engine calls exact, an attacker who knows the schedule gets to the last person; the scheduler's bound alone is none."""
    exact = {found.attack for found in account.attacks if found.exact}
    assert exact == set(Kind) - {Kind.SCHEDULER}
    assert [found.attack for found in account.attacks if found.exact and not found.reached] == []


@pytest.mark.parametrize("kind", [Kind.TOKEN, Kind.ENUMERATION, Kind.CANCELLED, Kind.HISTORY])
def test_replay_when_nothing_is_to_be_had_then_nobody_is_got(account, kind):
    """A token without its key, guessed handles, a session called off, an edited history: nobody."""
    found = one(account, kind)
    assert (found.persons, found.attributes, found.values, found.ledger, found.bound) == (0, 0, 0, 0, 0)


def test_replay_when_a_processor_is_compromised_then_the_contracts_forms_and_no_more(account):
    """The drip gets everybody due on three days, once, in the contract's forms."""
    found = one(account, Kind.PROCESSOR)
    assert found.persons == 3 * account.a_day == 36
    assert found.forms == FORMS
    assert found.values == 4 * 36


def test_replay_when_a_key_is_revoked_then_nothing_more(account):
    """After the revocation's own entry nothing is disclosed; before it something was."""
    found = one(account, Kind.MACHINE_KEY)
    assert found.persons > 0
    assert found.more["granted_after_revocation"] == 0


def test_replay_when_budgets_are_raced_for_then_exactly_what_they_hold(account):
    """Sixty are asked for at once, twice over: forty persons, four reads of one at most, and no request counts twice."""
    found = one(account, Kind.RACE)
    assert (found.persons, found.bound) == (40, 40)
    assert found.more == {"asked_for": 60, "most_reads_of_one": 4, "replays": 20, "replays_granted": 0}


def test_replay_when_two_collude_then_they_have_their_union_and_no_more(account):
    """Half of each one's people is the other's too; each handle is good at one of them alone."""
    found = one(account, Kind.COLLUSION)
    assert (found.persons, found.more["in_both_halves"]) == (3 * account.a_day, account.a_day)
    assert found.more["granted_for_the_others_handles"] == 0


def test_replay_when_the_scheduler_is_stolen_then_the_contract_bounds_it(account):
    """Alone its key gets nobody; with a processor a day's budget; one person more waits for a second person. Row-level security gives everybody."""
    found = one(account, Kind.SCHEDULER)
    assert (found.persons, found.bound) == (400, 400)
    assert (found.more["alone"], found.more["above_the_volume"]) == (0, "waits for a second person")
    assert one(account, Kind.SCHEDULER, Attacked.ROWS).persons == PEOPLE


def test_replay_when_handles_are_guessed_then_the_guesser_is_stopped(account):
    """Most of some hundred guesses are answered 429, unread."""
    found = one(account, Kind.ENUMERATION)
    assert int(found.more["answered_429"]) > int(found.more["handles"]) / 2


def test_replay_when_a_session_is_called_off_then_only_before_it_anybody(account):
    """Five were seen before, everybody is tried three times after, and nobody is seen."""
    found = one(account, Kind.CANCELLED)
    assert found.more == {"taken_before": 5, "granted_after": 0, "tries": 60}


def test_replay_when_history_is_edited_then_somebody_sees_each_edit(account):
    """Fsck sees an entry that is gone, fsck and signer one that is rewritten, signer and client a log that was cut off."""
    found_by = one(account, Kind.HISTORY).more
    assert (found_by["deleted, found by"], found_by["rewritten, found by"]) == ("fsck", "fsck, signer")
    assert str(found_by["cut off, found by"]).endswith(
        "signer, client"
    )  # fsck too, if what is cut off had spent reads or budgets


def test_replay_when_alternatives_are_attacked_then_they_give_what_they_hold(account):
    """Copy and read account give everybody; rows by schedule everybody due, in full; the token API whoever was found in a second."""
    for alternative in EVERYBODY:
        assert one(account, Kind.PROCESSOR, alternative).persons == PEOPLE
    rows = one(account, Kind.PROCESSOR, Attacked.ROWS)
    assert rows.persons == one(account, Kind.PROCESSOR).persons
    assert set(rows.forms.values()) == {"full"}
    api = one(account, Kind.PROCESSOR, Attacked.API)
    assert 0 < api.persons < PEOPLE
    assert [one(account, Kind.PROCESSOR, way).attributes for way in (Attacked.COPY, Attacked.ACCOUNT)] == [21, 13]
    assert (rows.attributes, api.attributes) == (7, 6)  # of rows by schedule the number as well, by which they are joined


def test_replay_when_over_then_the_agency_can_say_who_and_what(account):
    """The ledger's own answer is what the thief has: how many, in which forms, from when to when; and it is whole."""
    told = account.told
    assert told is not None
    assert (told.persons, told.sound) == (one(account, Kind.PROCESSOR).persons, True)
    assert told.forms == {name: [form] for name, form in FORMS.items()}
    assert {"email", "phone", "nationality"} <= set(told.never)
    assert told.first is not None
    assert told.last is not None
    assert account.from_at <= told.first < told.last < account.to_at


def test_replay_when_told_then_bounds_have_their_side(account):
    """In the table an exact bound is a number, any other has its sign, and alternatives have none."""
    rows = {(row[0], row[1]): row for row in telling.rows_of(account)}
    assert rows["scheduler's key and processor, 1 day", "Écluse"][4] == "≤ 400"
    assert rows["compromised processor, 3 days", "Écluse"][2:] == ("36", "4", "36", "none")
    assert rows["compromised processor, 3 days", "full copy"][4] == "none"
    assert "12 : 1 in persons" in telling.ratio_of(account)
    assert any("is refuted" in line for line in telling.told_of(account))


def test_replay_when_over_then_no_value_lies_in_its_folder_but_in_the_database(account, place):
    """The account is written as it was answered, the dump is gone, and the gate's log names nobody."""
    folder = place / "all"
    assert json.loads((folder / "replay.json").read_text(encoding="utf-8")) == json.loads(msgspec.json.encode(account))
    assert sorted(path.name for path in folder.glob("*.copy")) == []
    assert EmbeddedPostgres(folder / "db", folder / "keys").pid is None


def cheat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the engine say one person fewer than it found."""
    honest = Engine.reach

    async def cheated(self, *arguments, **more) -> Exposure:
        told = await honest(self, *arguments, **more)
        return msgspec.structs.replace(told, together=Count(most=told.together.most - 1, exact=True))

    monkeypatch.setattr(Engine, "reach", cheated)


def test_replay_when_the_bound_is_too_low_by_one_then_exit_1_and_a_loud_line(place, monkeypatch):
    """The check can fail: an engine that says one person fewer is found out, aloud and by exit code; options are refused before anything is made."""
    cheat(monkeypatch)
    arguments = ["replay", "--people", "200", "--days", "2", "--dir", str(place / "cheat"), "--port", str(free_port())]
    done = CliRunner().invoke(app, [*arguments, "--attack", "malicious-agent", "--json"])
    answer = json.loads(done.stdout)
    assert done.exit_code == 1
    (found,) = answer["attacks"]
    assert found["persons"] == found["bound"] + 1
    assert answer["wrong"] == [
        f"malicious-agent on ecluse: {found['persons']} persons obtained, {found['bound']} were said to be the most"
    ]
    assert "WRONG" in done.stderr


@pytest.mark.parametrize(
    ("options", "where"),
    [({"people": 199}, "--people"), ({"days": 1}, "--days"), ({"days": 61}, "--days"), ({"port": 0}, "--port")],
)
def test_replay_when_an_option_makes_no_sense_then_refused_before_anything_is_made(tmp_path, options, where):
    """Too few people, days that don't suffice or can't be listed, no such port: refused, and no folder is made."""
    asked = {"people": 200, "days": 2, "port": free_port()} | options
    with pytest.raises(ConfigurationError) as refused:
        run_replay(ReplayOptions(folder=tmp_path / "none", **asked))
    assert refused.value.where == where
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("contents", ["{}", '{"kind": "ecluse-demo"}'])
def test_replay_when_the_folder_is_somebodys_then_refused_and_untouched(tmp_path, contents):
    """A folder that no replay made is left alone, a demo's too."""
    (tmp_path / "replay.json").write_text(contents)
    with pytest.raises(ConfigurationError, match="no replay made it"):
        run_replay(ReplayOptions(people=200, days=2, folder=tmp_path, port=free_port()))
    assert [path.name for path in tmp_path.iterdir()] == ["replay.json"]


def test_replay_when_an_attack_is_unknown_then_the_known_ones_are_named(tmp_path):
    """A name that is no attack is wrong usage, with the names there are."""
    done = CliRunner().invoke(app, ["replay", "--dir", str(tmp_path / "none"), "--attack", "phishing"])
    assert done.exit_code == 2
    assert "stolen-machine-key" in done.stderr
