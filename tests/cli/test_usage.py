"""``ecluse usage``, ``ecluse ledger counts`` and the machines of portals and auditors, as an operator meets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.offices import Office

pytestmark = pytest.mark.e2e

PERSON = "ofii:20000000066"
WHY = ("--reason", "Enquête en cours", "--legal-basis", "CPP, art. 11")


def in_days(days: int) -> str:
    """Write an instant so many days ahead."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("*", "--processor", "lyon-formation"), "person: it is not one person of this register"),
        ((PERSON,), "rule: it would hold back everything about the person"),
        ((PERSON, "--processor", "nobody-here"), "processor: no processor is registered under that id"),
        ((PERSON, "--processor", "%"), "processor: it is not a name"),
    ],
)
def test_defer_when_in_bulk_or_of_nobody_then_refused_with_the_mend(office: Office, words: tuple[str, ...], said: str) -> None:
    """A rule without a person, for everybody, for everything or for nobody's lines is refused in one line; no reference is repeated."""
    result = office.run("usage", "defer", *words, *WHY, "--until", in_days(10))
    assert result.exit_code == 2
    assert said in result.stderr
    assert PERSON not in result.output


@pytest.mark.parametrize("days", [-1, 185, 4000])
def test_defer_when_its_end_is_past_or_too_far_then_refused(office: Office, days: int) -> None:
    """It ends, and within six months."""
    result = office.run("usage", "defer", PERSON, "--purpose", "civic-training", *WHY, "--until", in_days(days))
    assert (result.exit_code, "end: it is past, or more than 184 days ahead" in result.stderr) == (2, True)


@pytest.mark.parametrize("missing", ["--reason", "--legal-basis", "--until"])
def test_defer_when_something_is_left_out_then_wrong_usage(office: Office, missing: str) -> None:
    """Reason, law and end are not optional."""
    words = [*WHY, "--until", in_days(10)]
    at = words.index(missing)
    result = office.run("usage", "defer", PERSON, "--purpose", "civic-training", *words[:at], *words[at + 2 :])
    assert result.exit_code == 2


def test_release_when_unknown_then_refused(office: Office) -> None:
    """There is no such rule."""
    result = office.run("usage", "release", "dfr_" + "a" * 26)
    assert (result.exit_code, "`ecluse usage list` shows those in force" in result.stderr) == (1, True)


def test_rule_when_placed_listed_and_released_then_the_person_is_never_shown(office: Office) -> None:
    """From standard input to the list and its end: what is held back, why and until when, never of whom."""
    firm = office.firm()
    placed = office.json("usage", "defer", "-", "--processor", firm, *WHY, "--until", in_days(10), stdin=f"{PERSON}\n")
    listed = office.json("usage", "list")["rules"]
    shown = office.run("usage", "list").stdout
    released = office.json("usage", "release", placed["rule"])
    after = {rule["rule"]: rule["state"] for rule in office.json("usage", "list", "--all")["rules"]}
    assert placed["processor"] == firm
    assert released["index"] > placed["index"]
    (rule,) = [each for each in listed if each["rule"] == placed["rule"]]
    assert (rule["processor"], rule["purpose"], rule["reason"], rule["legal_basis"], rule["state"]) == (
        firm,
        None,
        WHY[1],
        WHY[3],
        "in force",
    )
    assert after[placed["rule"]] == "released"
    assert all(word in shown for word in ("Enquête en cours", "in force", firm))
    assert PERSON not in shown + str(listed) + str(placed)


def test_counts_when_no_night_has_passed_then_said(office: Office) -> None:
    """Before the first night there is nothing, and the page says when there will be."""
    assert office.json("ledger", "counts") == {"days": []}
    assert "Nothing is published yet" in office.run("ledger", "counts").stdout


def test_machine_when_two_roles_or_none_are_said_then_wrong_usage(office: Office) -> None:
    """A machine has one role."""
    for words in ((), ("--portal", "--auditor"), (office.firm(), "--portal"), ("--scheduler", "--auditor")):
        result = office.run("processor", "client", "add", *words, "--label", "x", "--generate", office.folder / "never.pem")
        assert result.exit_code == 2
    assert not (office.folder / "never.pem").exists()


@pytest.mark.parametrize("role", ["portal", "auditor"])
def test_machine_when_registered_then_listed_in_its_role(office: Office, role: str) -> None:
    """A portal's and an auditor's machine belong to no processor, and the list says what they are."""
    made = office.json(
        "processor", "client", "add", f"--{role}", "--label", f"the {role}", "--generate", office.folder / f"{role}.pem"
    )
    listed = {client["client"]: client for client in office.json("processor", "client", "list")["clients"]}
    assert (made["role"], made["processor"]) == (role, None)
    assert (listed[made["client"]]["role"], listed[made["client"]]["processor"]) == (role, None)
    assert f"({role})" in office.run("processor", "client", "list").stdout
