"""What a contract file says for papers alone: optional texts that no decision reads."""

from __future__ import annotations

import pytest

from ecluse.contracts import ContractInvalid, diff_contracts, parse_contract
from ecluse.register import parse_register
from tests.invented import contract_text, register_toml

pytestmark = pytest.mark.unit

ATTRIBUTES = {name: each.type for name, each in parse_register(register_toml()).attributes.items()}
TEXT = contract_text("some-firm")
SAID = TEXT.replace(
    'country = "FR"\n',
    'country = "FR"\naddress = "3 rue des Essais"\ncontact = "Naïma Talbesson, gérante"\ndpo = "dpo@firm.example"\n',
    1,
).replace('reference = "2026-T-001"\n', 'reference = "2026-T-001"\nsubject_matter = "Formation"\nnature = "consultation"\n', 1)


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ('address = ""', "processor.address"),
        ("address = 3", "processor.address"),
        (f'address = "{"x" * 501}"', "processor.address"),
        ('contact = " Naïma"', "processor.contact"),
        ('dpo = "a\\u202eb"', "processor.dpo"),
        ('adress = "3 rue"', "processor.adress"),
    ],
)
def test_text_for_papers_when_not_plain_then_refused_at_its_line(line: str, where: str) -> None:
    """An empty, long, hidden or misspelt one is an error like any other, and its value stands in no message."""
    with pytest.raises(ContractInvalid) as refused:
        parse_contract(TEXT.replace('country = "FR"\n', f'country = "FR"\n{line}\n', 1), ATTRIBUTES)
    assert [(found.line, found.where) for found in refused.value.findings] == [(5, where)]
    assert "Naïma" not in str(refused.value)


def test_texts_for_papers_when_said_then_kept_and_when_not_then_null() -> None:
    """They are read as they stand; a file of before has none."""
    said, silent = parse_contract(SAID, ATTRIBUTES), parse_contract(TEXT, ATTRIBUTES)
    assert (said.processor.address, said.processor.dpo, said.nature) == ("3 rue des Essais", "dpo@firm.example", "consultation")
    assert (silent.processor.address, silent.processor.representative, silent.subject_matter) == (None, None, None)


def test_texts_for_papers_when_changed_then_told_without_effect_and_without_a_person() -> None:
    """A new version that says more changes no access, and no sentence holds a contact."""
    changes = diff_contracts(parse_contract(TEXT, ATTRIBUTES), parse_contract(SAID, ATTRIBUTES))
    assert {each.where for each in changes} == {
        "processor.address",
        "processor.contact",
        "processor.dpo",
        "contract.subject_matter",
        "contract.nature",
    }
    assert {each.effect for each in changes} == {"other"}
    assert "Naïma" not in " ".join(each.sentence for each in changes)
