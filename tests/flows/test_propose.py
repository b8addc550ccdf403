"""Proposals: what is not known is not proposed, and a file says exactly what is."""

from __future__ import annotations

import pytest

from ecluse.contracts import Form, parse_contract
from ecluse.flows.errors import NotRewritable
from ecluse.flows.model import Observation
from ecluse.flows.propose import Proposal, Use, propose
from tests.flows.facts import FIRM, KINDS, observed, seen
from tests.invented import contract_text

pytestmark = pytest.mark.unit

PLAIN = {"family_name": "full", "birth_date": "full", "email": "masked"}


def proposed(*rows: Observation, text: str | None = None, persons: dict[str, int] | None = None, **terms: object) -> Proposal:
    """Propose for a contract of which 1,000 disclosures were seen, these rows among them."""
    text = text or contract_text(FIRM, **{"attributes": PLAIN, **terms})  # type: ignore[arg-type] # words of contract_text
    use = Use(observations=[seen("", "", disclosures=1000), *rows], observed=observed(*rows, persons=persons))
    return propose(parse_contract(text, KINDS), text, 3, use, KINDS)


def asked(attribute: str, form: str, times: int) -> Observation:
    """Return so many disclosures of an attribute."""
    return seen(attribute, form, disclosures=times)


def test_use_when_too_little_was_seen_then_nothing_is_proposed() -> None:
    """Fewer than a hundred disclosures tell nothing."""
    text = contract_text(FIRM, attributes=PLAIN)
    use = Use(observations=[seen("", "", disclosures=99)], observed=observed())
    found = propose(parse_contract(text, KINDS), text, 1, use, KINDS)
    assert (found.proposed, found.too_few, found.text, found.changes) == ((), ("civic-training",), text, ())


def test_use_when_each_attribute_is_asked_for_then_nothing_is_proposed() -> None:
    """What is used as it is named stays."""
    found = proposed(*(asked(name, form, 500) for name, form in PLAIN.items()))
    assert (found.proposed, found.spared) == ((), 0)


def test_use_when_the_roll_call_gives_it_then_nothing_is_proposed() -> None:
    """A roll-call gives what it names; nobody chose, so nothing can be said of the need."""
    found = proposed(asked("birth_date", "full", 500), asked("email", "masked", 500), sheet={"family_name": "full"})
    assert found.proposed == ()


def test_use_when_an_address_was_always_withheld_for_want_of_a_relay_then_nothing_is_proposed() -> None:
    """That nothing stands for the address yet says nothing of the need for one."""
    found = proposed(
        *(asked(name, form, 500) for name, form in PLAIN.items() if name != "email"),
        asked("email", "withheld", 500),
        attributes={**PLAIN, "email": "relay"},
    )
    assert found.proposed == ()


def test_use_when_next_to_nobody_asks_then_withholding_is_proposed_with_who_would_be_spared() -> None:
    """Asked for in 0.4 % of disclosures: to be withheld; the persons of whom it was given are counted."""
    rows = [asked("family_name", "full", 1000), asked("birth_date", "full", 500), asked("email", "masked", 4)]
    found = proposed(*rows, persons={"email": 3})
    (one,) = found.proposed
    assert (one.attribute, one.before, one.after, one.asked, one.of, one.persons) == (
        "email",
        Form.MASKED,
        Form.WITHHELD,
        4,
        1000,
        3,
    )
    assert one.why == "asked for in 0.4 % of 1,000 disclosures"
    assert found.spared == 3
    assert [(change.where, change.effect) for change in found.changes] == [
        ("purpose.civic-training.attributes.email", "narrower")
    ]
    assert 'email = "withheld"' in found.text
    assert found.text.replace('email = "withheld"', 'email = "masked"') == contract_text(FIRM, attributes=PLAIN)


def test_use_when_at_the_very_share_then_not_proposed() -> None:
    """One per cent is not fewer than one per cent."""
    rows = [asked("family_name", "full", 1000), asked("birth_date", "full", 500), asked("email", "masked", 10)]
    assert proposed(*rows).proposed == ()


def test_use_when_always_given_weaker_then_that_form_is_proposed() -> None:
    """A date that the entries only ever hold as a year can be named as one."""
    rows = [
        asked("family_name", "full", 1000),
        asked("email", "masked", 500),
        asked("birth_date", "year", 300),
        asked("birth_date", "age_band", 2),
    ]
    (one,) = proposed(*rows).proposed
    assert (one.attribute, one.after, one.persons, one.why) == (
        "birth_date",
        Form.YEAR,
        0,
        "given as year or weaker in all of 302 disclosures that asked for it",
    )


def test_file_when_commented_and_quoted_then_only_the_forms_change() -> None:
    """Comments, quotes, blanks and the file's order stay as a person wrote them."""
    text = contract_text(FIRM, attributes=PLAIN).replace('email = "masked"', "  'email'  =  'masked'   # only for the absent\r")
    found = proposed(asked("family_name", "full", 1000), asked("birth_date", "full", 500), text=text)
    assert found.text == text.replace("'masked'", "'withheld'")


def test_file_when_written_as_an_inline_table_then_said_and_not_guessed() -> None:
    """Where a form does not stand on a line of its own, a person has to change it."""
    table = "\n".join(["[purpose.attributes]", *(f'{name} = "{form}"' for name, form in PLAIN.items())])
    text = contract_text(FIRM, attributes=PLAIN)
    assert table in text
    inline = text.replace(table, 'attributes = { family_name = "full", birth_date = "full", email = "masked" }')
    with pytest.raises(NotRewritable, match="email"):
        proposed(asked("family_name", "full", 1000), asked("birth_date", "full", 500), text=inline)
