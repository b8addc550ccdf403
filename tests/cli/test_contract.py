"""``ecluse contract``: faults by line, the difference before it takes effect, a version and a hash after it."""

from __future__ import annotations

import hashlib
import re

import pytest

from tests.cli.offices import EXAMPLE, Office

pytestmark = pytest.mark.db


def test_check_when_the_file_has_faults_then_each_by_line(office: Office) -> None:
    """An impossible form is found in its line, with what to write instead."""
    path = office.contract("firm-x", **{'birth_date = "year"': 'birth_date = "masked"'})
    line = path.read_text(encoding="utf-8").splitlines().index('birth_date = "masked"') + 1
    answer = office.json("contract", "check", path, code=1)
    assert (answer["valid"], answer["gate"]) == (False, None)
    assert answer["errors"] == [
        {
            "line": line,
            "where": "purpose.civic-training.attributes.birth_date",
            "why": "is of type date, which has no form masked",
            "mend": "write one of full, year, age_band, withheld",
        }
    ]
    shown = office.run("contract", "check", path)
    assert shown.exit_code == 1
    assert "1 error, so it can't be applied" in shown.stdout
    assert re.search(rf"error\s+{line}\s+purpose\.civic-training", shown.stdout)


def test_check_when_not_text_then_the_line(office: Office) -> None:
    """A file in another encoding is refused where it begins to be one."""
    path = office.folder / "latin.toml"
    path.write_bytes(b'[processor]\nname = "H\xe9bergeur"\n')
    result = office.run("contract", "check", path)
    assert (result.exit_code, result.stderr) == (2, f"{path}, line 2: it is not UTF-8 text. Save it in UTF-8.\n")


def test_check_when_clauses_lack_then_the_gate_is_frozen_and_says_why(office: Office) -> None:
    """A contract without a clause of Art. 28(3) is in order and its gate frozen: the words say both."""
    result = office.run("contract", "check", EXAMPLE.with_name("aix-langues.toml"))
    assert result.exit_code == 0
    assert "the gate is frozen: nothing is disclosed until this is settled." in result.stdout
    assert "  - clause 28.3.d is missing\n" in result.stdout


def test_check_when_in_order_then_what_it_gives_in_words(office: Office) -> None:
    """Somebody who has never seen a contract file reads when, what and in which form."""
    out = office.run("contract", "check", EXAMPLE).stdout
    assert "Lyon Formation SAS (lyon-formation), contract 2026-CIR-017" in out
    assert "Journée de formation civique (civic-training), legal basis: Art. 6(1)(e) GDPR" in out
    assert "From 24 h before a session to 2 h after it, at most 4 times a person," in out
    assert re.search(r"given_name\s+full\s+initial", out)
    assert "the gate is open: disclosures are possible inside each appointment's window." in out


def test_check_when_a_register_is_named_then_without_an_installation(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A contract can be checked where there is no installation: in the repository where contracts are kept."""
    nowhere = Office(tmp_path_factory.mktemp("nowhere"))
    register = EXAMPLE.parents[1] / "src" / "ecluse" / "demo" / "register.toml"
    assert nowhere.run("contract", "check", EXAMPLE).exit_code == 2
    assert nowhere.json("contract", "check", EXAMPLE, "--register", register)["valid"] is True


def test_apply_when_the_processor_is_unknown_then_refused(office: Office) -> None:
    """A contract binds a processor that is registered."""
    result = office.run("contract", "apply", office.contract("firm-nobody"), "--yes")
    assert result.exit_code == 1
    assert result.stderr.startswith("processor-unknown: no processor 'firm-nobody' is registered.")


def test_apply_when_nobody_can_be_asked_then_wrong_usage(office: Office) -> None:
    """A program has to say --yes."""
    processor = office.firm()
    path = office.contract(processor, **{"max_capacity = 30": "max_capacity = 29"})
    assert office.run("contract", "apply", path, "--json").exit_code == 2
    assert len(versions(office, processor)) == 1


def test_apply_when_declined_then_nothing_changes(office: Office) -> None:
    """The difference is shown, the question asked, and no is no."""
    processor = office.firm()
    path = office.contract(processor, **{'birth_date = "year"': 'birth_date = "full"'})
    result = office.run("contract", "apply", path, stdin="n\n")
    assert result.exit_code == 1
    assert "Put it in force as version 2" in result.stdout
    assert "1 of these gives the processor more than it has now." in result.stdout
    assert result.stdout.endswith("Nothing was changed.\n")
    assert versions(office, processor) == [1]


def test_apply_when_confirmed_then_a_version_and_its_hash(office: Office) -> None:
    """The version in force is the file, by its hash; the same file again is no new version."""
    processor = office.firm()
    path = office.contract(processor, **{"reads_per_appointment = 4": "reads_per_appointment = 3"})
    before = office.json("contract", "diff", path)
    assert (before["version_in_force"], [change["effect"] for change in before["changes"]]) == (1, ["narrower"])
    applied = office.json("contract", "apply", path, "--yes")
    assert applied["version"] == 2
    assert applied["hash"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert applied["changes"] == before["changes"]
    again = office.json("contract", "apply", path, "--yes")
    assert (again["applied"], again["version"]) == (False, 2)
    assert office.json("contract", "diff", path)["changes"] == []


def test_diff_when_there_is_no_contract_yet_then_all_of_it_is_new(office: Office) -> None:
    """The first contract is shown as what it gives."""
    processor = "firm-first"
    office.json("processor", "add", processor, "--name", "Une maison SARL")
    result = office.run("contract", "diff", office.contract(processor))
    assert result.exit_code == 0
    assert f"{processor} has no contract yet: all that this one gives is new." in result.stdout
    assert "family_name" in result.stdout


def test_contact_when_it_changes_then_it_is_not_shown(office: Office) -> None:
    """A security contact may be somebody's address: words never hold it."""
    processor = office.firm()
    path = office.contract(processor, **{"rssi@lyon-formation.example": "claire@lyon-formation.example"})
    out = office.run("contract", "diff", path).stdout
    assert "processor.security_contact changes" in out
    assert "claire" not in out


def versions(office: Office, processor: str) -> list[int]:
    """Return the version in force of a processor."""
    return [one["version"] for one in office.json("contract", "list")["contracts"] if one["processor"] == processor]
