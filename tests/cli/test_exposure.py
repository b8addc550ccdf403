"""``ecluse exposure``: one sentence, a table, a change; the numbers for programs; refusals that say the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.offices import Office, agenda

pytestmark = pytest.mark.db


@pytest.fixture
def firm(office: Office, tmp_path: Path) -> str:
    """A processor with two persons tomorrow, one agent and one machine."""
    name = office.firm()
    office.json("processor", "agent", "add", name, "--label", "a-1")
    office.json("processor", "client", "add", name, "--label", "server", "--generate", tmp_path / "key.pem")
    office.json("schedule", "import", agenda(tmp_path / "agenda.csv", name))
    return name


def test_one_processor_then_one_sentence_and_what_it_is_made_of(office: Office, firm: str) -> None:
    """Who, how many persons, how many attributes, until when; then the attributes with their forms."""
    answer = office.json("exposure", "--processor", firm)
    (reach,) = answer["now"]["reaches"]
    assert reach["persons"] == {"most": 2, "exact": True}
    assert (reach["scheduled"], reach["binding"]) == (2, "schedule")
    assert answer["held"]["persons"] == 0
    shown = office.run("exposure", "--processor", firm)
    assert shown.exit_code == 0, shown.output
    assert f"Une maison SARL could see 2 persons, {len(reach['attributes'])} attributes, until 20" in shown.stdout
    assert "family_name" in shown.stdout
    assert "Given already, and perhaps kept: 0 distinct persons" in shown.stdout


def test_all_processors_then_a_line_each_and_all_together(office: Office, firm: str) -> None:
    """The table has every processor that has a contract."""
    answer = office.json("exposure")
    by_name = {reach["holder"]["processor"]: reach["persons"]["most"] for reach in answer["now"]["reaches"]}
    assert by_name[firm] == 2
    assert answer["now"]["together"]["most"] >= 2
    shown = office.run("exposure")
    assert "All of them together: " in shown.stdout
    assert shown.exit_code == 0


def test_machine_agent_and_scheduler_then_their_own_numbers(office: Office, firm: str) -> None:
    """Each kind of credential has its number; the scheduler's is a bound."""
    agent = office.json("processor", "agent", "list", firm)["agents"][0]["agent"]
    client = next(row["client"] for row in office.json("processor", "client", "list", firm)["clients"])
    for words in (("--agent", agent), ("--client", client)):
        answer = office.json("exposure", "--processor", firm, *words)
        assert answer["now"]["reaches"][0]["persons"] == {"most": 2, "exact": True}, words
    far = office.json("exposure", "--processor", firm, "--scheduler", "--to", "2099-12-31")["now"]["reaches"][0]
    assert far["persons"]["most"] > 2
    assert far["persons"]["exact"] is False
    assert "≤ " in office.run("exposure", "--processor", firm, "--scheduler").stdout or far["persons"]["most"] == 0


def test_what_if_then_both_numbers_and_what_the_file_changes(office: Office, firm: str) -> None:
    """A window of two hours takes all of tomorrow's persons away; the contract in force stays as it is."""
    file = office.contract(firm, **{'opens_before = "PT24H"': 'opens_before = "PT2H"'})
    answer = office.json("exposure", "--what-if", file)
    assert [answer[when]["reaches"][0]["persons"]["most"] for when in ("now", "what_if")] == [2, 0]
    assert [change["effect"] for change in answer["changes"]] == ["narrower"]
    shown = office.run("exposure", "--what-if", file).stdout
    assert "-100%" in shown
    assert office.json("exposure", "--processor", firm)["now"]["reaches"][0]["persons"]["most"] == 2


def test_advice_then_the_best_change_first(office: Office, firm: str) -> None:
    """Changes are ranked by what they take away."""
    found = office.json("exposure", "--processor", firm, "--advise")["advice"]
    assert found
    gains = [
        max(1 - one["values_after"] / max(one["values"], 1), 1 - one["scheduler_after"] / max(one["scheduler"], 1))
        for one in found
    ]
    assert gains == sorted(gains, reverse=True)
    assert any(one["where"].endswith("opens_before") and one["values_after"] < one["values"] for one in found)
    shown = office.run("exposure", "--processor", firm, "--advise").stdout
    assert "Nothing is applied." in shown


def test_without_machine_or_agent_then_nobody_can_ask(office: Office) -> None:
    """A processor that has no credentials reaches nobody."""
    name = office.firm()
    assert "could see nobody" in office.run("exposure", "--processor", name).stdout
    assert office.json("exposure", "--processor", name)["now"]["reaches"][0]["binding"] == "no credentials that work"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--agent", "agt_x"), 2, "name the processor as well"),
        (("--processor", "nobody-here"), 1, "nobody-here has no contract"),
        (("--processor", "{firm}", "--agent", "agt_x"), 1, "has no agent agt_x"),
        (("--processor", "{firm}", "--agent", "agt_x", "--scheduler"), 2, "name one of"),
        (("--from", "yesterday"), 2, "is neither a day"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), 2, "is not after --from"),
    ],
)  # fmt: skip
def test_wrong_words_then_what_is_wrong(office: Office, firm: str, words: tuple[str, ...], code: int, said: str) -> None:
    """Each refusal names the option or the id."""
    result = office.run("exposure", *(word.format(firm=firm) for word in words))
    assert result.exit_code == code
    assert said in " ".join(result.output.replace("│", " ").split())
