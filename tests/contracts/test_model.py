"""The forms of each type and their partial order, by going through all of them."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest

from ecluse.contracts import FORMS_OF, Age, Form, is_weaker_or_equal
from ecluse.register.model import AttributeType

pytestmark = pytest.mark.unit

F = Form
STRONGER = {
    AttributeType.TEXT: {(F.FULL, F.INITIAL), (F.FULL, F.WITHHELD), (F.INITIAL, F.WITHHELD)},
    AttributeType.DATE: {
        (F.FULL, F.YEAR),
        (F.FULL, F.AGE_BAND),
        (F.FULL, F.WITHHELD),
        (F.YEAR, F.AGE_BAND),
        (F.YEAR, F.WITHHELD),
        (F.AGE_BAND, F.WITHHELD),
    },
    AttributeType.EMAIL: {
        (F.FULL, F.MASKED),
        (F.FULL, F.RELAY),
        (F.FULL, F.WITHHELD),
        (F.MASKED, F.WITHHELD),
        (F.RELAY, F.WITHHELD),
    },
    AttributeType.PHONE: {
        (F.FULL, F.MASKED),
        (F.FULL, F.RELAY),
        (F.FULL, F.WITHHELD),
        (F.MASKED, F.WITHHELD),
        (F.RELAY, F.WITHHELD),
    },
    AttributeType.IDENTIFIER: {(F.FULL, F.MASKED), (F.FULL, F.WITHHELD), (F.MASKED, F.WITHHELD)},
    AttributeType.CODE: {(F.FULL, F.WITHHELD)},
}


@pytest.mark.parametrize("kind", AttributeType)
def test_order_when_all_pairs_are_tried_then_it_is_that_of_the_decision(kind):
    """The order is exactly the table of decision 0001, for every pair of words."""
    for form, ceiling in product(Form, Form):
        expected = (ceiling, form) in STRONGER[kind] or (form is ceiling and form in FORMS_OF[kind])
        assert is_weaker_or_equal(kind, form, ceiling) is expected, (form, ceiling)


@pytest.mark.parametrize("kind", AttributeType)
def test_order_when_all_triples_are_tried_then_it_is_a_partial_order(kind):
    """It is reflexive, antisymmetric and transitive over the forms of a type."""
    forms = FORMS_OF[kind]
    for a, b, c in product(forms, forms, forms):
        assert is_weaker_or_equal(kind, a, a)
        assert a is b or not (is_weaker_or_equal(kind, a, b) and is_weaker_or_equal(kind, b, a))
        assert is_weaker_or_equal(kind, a, c) or not (is_weaker_or_equal(kind, a, b) and is_weaker_or_equal(kind, b, c))


@pytest.mark.parametrize("kind", AttributeType)
def test_order_when_withheld_or_full_then_they_are_its_ends(kind):
    """Everything may be withheld, and nothing is stronger than full."""
    assert all(is_weaker_or_equal(kind, F.WITHHELD, form) and is_weaker_or_equal(kind, form, F.FULL) for form in FORMS_OF[kind])


def test_forms_when_reserved_then_no_type_offers_them():
    """``region`` and ``predicate`` are words without a meaning yet."""
    assert not any({F.REGION, F.PREDICATE} & set(forms) for forms in FORMS_OF.values())


def test_forms_when_seen_together_then_every_type_has_its_row():
    """No type of the register is forgotten."""
    assert set(FORMS_OF) == set(AttributeType)


@pytest.mark.parametrize(
    ("months", "days", "day", "expected"),
    [
        (1, 0, date(2026, 1, 31), date(2026, 2, 28)),
        (1, 0, date(2028, 1, 31), date(2028, 2, 29)),
        (12, 0, date(2026, 6, 15), date(2027, 6, 15)),
        (12, 0, date(2028, 2, 29), date(2029, 2, 28)),
        (11, 0, date(2026, 1, 5), date(2026, 12, 5)),
        (0, 90, date(2026, 1, 1), date(2026, 4, 1)),
        (1, 1, date(2026, 1, 31), date(2026, 3, 1)),
    ],
)
def test_age_when_added_to_a_day_then_months_come_first_and_short_ones_end_early(months, days, day, expected):
    """A calendar age ends on the day that people expect."""
    assert Age(months=months, days=days).after(day) == expected
