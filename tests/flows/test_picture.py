"""The map: what it shows, to whom it can be shown, and that it is the same each time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import date
from itertools import pairwise

import msgspec
import pytest

from ecluse.flows.declare import declare
from ecluse.flows.draw import draw
from ecluse.flows.model import FieldSeen, Observed, Recipient
from ecluse.flows.picture import Named, Picture, picture
from ecluse.register import Sensitivity
from tests.flows.facts import AT, contract, observed

pytestmark = pytest.mark.unit

NAMED = Named(
    register="Registre <inventé> & Cie",
    purposes={"civic-training": "Journée de formation civique, en présence et à distance"},
    processors={"firm-0": 'La "Première" Maison'},
    sub_processors={"firm-0": (("Hébergeur", "hosting, FR"),), "firm-1": (("Hébergeur", "hosting, FR"),)},
)
SENSITIVITY = {"family_name": Sensitivity.ORDINARY, "email": Sensitivity.ELEVATED}


def seen_by(firms: int, persons: int = 100) -> Observed:
    """Return a period in which so many processors were given a name, the first one an address."""
    common = {
        "purpose": "civic-training",
        "disclosures": persons,
        "persons": persons,
        "erased": 0,
        "first_seen_at": AT,
        "last_seen_at": AT,
    }
    names = [f"firm-{n}" for n in range(firms)]
    fields = [FieldSeen(**common, processor=name, attribute="family_name", forms={"full": persons}) for name in names]  # type: ignore[arg-type] # the words above
    fields.append(FieldSeen(**common, processor="firm-0", attribute="email", forms={"masked": persons}))  # type: ignore[arg-type] # as above
    return msgspec.structs.replace(
        observed(),
        fields=tuple(fields),
        recipients=tuple(Recipient(**common, processor=name) for name in names),  # type: ignore[arg-type] # as above
        by_processor=dict.fromkeys(names, persons),
        by_purpose={"civic-training": firms * persons},
        persons=firms * persons,
        since=date(2026, 6, 1),
        until=date(2026, 7, 1),
    )


def shown(firms: int = 2) -> Picture:
    """Return a map of so many processors, with one that is declared and was not seen."""
    unused = [
        msgspec.structs.replace(flow, processor="firm-unused") for flow in declare(contract(attributes={"email": "masked"}), 1)
    ]
    known = [msgspec.structs.replace(flow, processor=f"firm-{n}") for n in range(firms) for flow in declare(contract(), 1)]
    return picture(seen_by(firms), [*known, *unused], SENSITIVITY, NAMED)


def test_map_when_nothing_was_seen_or_declared_then_still_a_drawing() -> None:
    """An agency without contracts has a register, and nobody."""
    empty = picture(observed(), [], {}, NAMED)
    assert [node.column for node in empty.nodes] == ["register"]
    assert "1 person" in draw(empty) or "nobody" in draw(empty)


@pytest.mark.parametrize("paper", ["inline", "light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_drawing_when_made_then_well_formed_and_fit_for_a_strict_page(paper: str, language: str) -> None:
    """No style, script, class, event or address of elsewhere; a title and a description; a title for each band."""
    text = draw(shown(), paper=paper, language=language)  # type: ignore[arg-type] # the parameters' words
    root = ET.fromstring(text)  # noqa: S314 - our own drawing
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "desc", "rect", "text", "path", "g"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not attributes & {"style", "class", "href"}
    assert [name for name in attributes if name.startswith("on")] == []
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "flow-title flow-desc"
    assert ("#ffffff" in text, "#14181d" in text) == (paper == "light", paper == "dark")
    bands = [element for element in root.iter() if element.tag.endswith("path") and len(element)]
    assert len(bands) == len(shown().bands)


def test_drawing_when_made_twice_then_the_same() -> None:
    """The same numbers give the same bytes."""
    assert draw(shown(5)) == draw(shown(5))


def test_map_when_drawn_then_widths_are_persons_and_dashes_are_not_seen() -> None:
    """A band is as wide as its persons are many; what is declared only is a dashed line, and says so in words."""
    found = shown()
    wide = {(band.source, band.target): band.persons for band in found.bands}
    assert wide["register", "purpose:civic-training"] == 200
    assert wide["purpose:civic-training", "processor:firm-0"] == 100
    assert wide["purpose:civic-training", "processor:firm-unused"] == 0
    text = draw(found)
    assert text.count("stroke-dasharray") == 3 + 2 + 1  # lines of one unused and two onward flows, boxes of two not seen, the key
    assert "declared, not seen" in text
    assert "Registre &lt;inventé&gt; &amp; Cie" in text


def test_map_when_a_purpose_is_in_no_contract_then_its_box_says_so() -> None:
    """What was seen and is not declared can't be overlooked."""
    assert "NOT DECLARED" in draw(picture(seen_by(1), [], SENSITIVITY, NAMED))


def test_map_when_an_attribute_is_not_mapped_then_it_counts_as_the_most_sensitive() -> None:
    """What nobody classified is not taken for harmless."""
    found = picture(seen_by(1), [], {"family_name": Sensitivity.ORDINARY}, NAMED)
    assert {band.sensitivity for band in found.bands if band.source == "register"} == {Sensitivity.SPECIAL}


@pytest.mark.parametrize("firms", [1, 8, 40])
def test_drawing_when_many_processors_then_no_box_covers_another(firms: int) -> None:
    """Boxes of a column stand below one another, each at least as high as its text."""
    text = draw(shown(firms))
    boxes: dict[str, list[tuple[float, float]]] = {}
    for x, y, height in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" height="([\d.]+)" width="244"', text):
        boxes.setdefault(x, []).append((float(y), float(height)))
    assert sorted(len(column) for column in boxes.values()) == sorted([1, 1, firms + 1, 1])
    for column in boxes.values():
        assert all(y + height < after for (y, height), (after, _) in pairwise(column))
        assert min(height for _, height in column) >= 38
