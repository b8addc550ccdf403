"""The pictures: fit for any page, every number in words too, and the same numbers from the command under them."""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from ecluse.cli.app import app
from ecluse.contracts import Form
from ecluse.exposure import Attribute, Binding, Span
from ecluse.exposure.draw import MOST_ROWS, Shown, draw
from tests.exposure.shown import at_most, beside, exactly, made_of, reach, to_come
from tests.exposure.test_reach import purpose, start, world
from tests.exposure.worlds import DAY, HOUR, settle
from tests.property.world import Stage

PARIS = ZoneInfo("Europe/Paris")
FEW = [
    (exactly(12), exactly(12), Binding.SCHEDULE),
    (at_most(30), at_most(41), Binding.DAY),
    (exactly(0), at_most(41), Binding.GATE),
]
PICTURES: dict[str, Shown] = {
    "time": to_come(*FEW, name='La "Première" <Maison> & Cie'),
    "time without anybody": to_come(*[(exactly(0), exactly(0), Binding.SCHEDULE)] * 30),
    "time, many days": to_come(*[(exactly(1_234 + n), exactly(1_234 * (n + 1)), Binding.DAY) for n in range(92)], ceiling=9_999),
    "one": made_of(reach(at_most(212), scheduled=300, binding=Binding.DAY), one=True),
    "one without anybody": made_of(reach(exactly(0), binding=Binding.GATE), one=True),
    "many": made_of(*[reach(exactly(n), processor=f"firm-{n:03}") for n in range(120)], together=at_most(4_000)),
    "none": made_of(),
    "alternatives": beside(reach(exactly(212), scheduled=300)),
    "alternatives without anybody": beside(reach(exactly(0)), subjects=0),
}


def parsed(text: str) -> ET.Element:
    """Read a drawing."""
    return ET.fromstring(text)  # noqa: S314 - our own drawing


def of(root: ET.Element, tag: str) -> Iterator[ET.Element]:
    """Yield the elements of a name."""
    return root.iter(f"{{http://www.w3.org/2000/svg}}{tag}")


def texts(root: ET.Element, **attributes: str) -> list[str]:
    """Return what is written, as far as it is written so."""
    return ["".join(one.itertext()) for one in of(root, "text") if attributes.items() <= one.attrib.items()]


def described(root: ET.Element) -> str:
    """Return the text alternative."""
    (desc,) = of(root, "desc")
    return "".join(desc.itertext())


@pytest.mark.unit
@pytest.mark.parametrize("paper", ["inline", "light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", PICTURES)
def test_picture_when_drawn_then_well_formed_and_fit_for_a_strict_page(name: str, language: Any, paper: Any) -> None:
    """No style, script, class, event or address of elsewhere; a title, a text alternative, the command below; ids that begin with the picture's own name."""
    shown = PICTURES[name]
    text = draw(shown, zone=PARIS, paper=paper, language=language)
    root = parsed(text)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg", "title", "desc", "rect", "text", "path", "defs", "pattern",
    }  # fmt: skip
    attributes = {attribute for element in root.iter() for attribute in element.attrib}
    assert not attributes & {"style", "class", "href"}
    assert [attribute for attribute in attributes if attribute.startswith("on")] == []
    assert root.get("role") == "img"
    ids = [element.get("id", "") for element in root.iter() if element.get("id")]
    assert (root.get("aria-labelledby") or "").split() == [one for one in ids if one.endswith(("-title", "-desc"))]
    assert all(one.startswith("exposure-") for one in ids)
    assert ("#ffffff" in text, "#14181d" in text) == (paper == "light", paper == "dark")
    assert texts(root)[-1] == shown.command
    assert text == draw(shown, zone=PARIS, paper=paper, language=language)


@pytest.mark.unit
@pytest.mark.parametrize("name", PICTURES)
def test_picture_when_drawn_then_nothing_outside_it(name: str) -> None:
    """No bar leaves the drawing, and no line of text begins outside."""
    root = parsed(draw(PICTURES[name], zone=PARIS))
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    for one in of(root, "rect"):
        x, y, wide, high = (float(one.get(name) or 0) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + wide <= width
        assert y + high <= height
    for one in of(root, "text"):
        assert 0 <= float(one.get("x") or -1) <= width
        assert 0 < float(one.get("y") or -1) < height


@pytest.mark.unit
def test_days_when_drawn_then_numbers_in_words_bounds_dashed_and_closed_days_hatched() -> None:
    """A day behind a closed gate says so and is hatched; a bound has its sign and a dashed edge."""
    text = draw(PICTURES["time"], zone=PARIS)
    said = described(parsed(text))
    assert "29 Nov 2026: 12, from now on: 12; 30 Nov 2026: ≤\u202f30, from now on: ≤\u202f41" in said
    assert "1 Dec 2026: gate closed all day, from now on: ≤\u202f41" in said
    assert text.count('fill="url(#exposure-time-firm-gate)"') == 2 + 1  # once in each chart, and the key
    assert text.count('stroke-dasharray="4 3"') == 1 + 2 + 1
    assert "ceiling of the contract, above this scale: 400 a day" in text
    assert "La &quot;Première&quot;" not in text
    assert "&lt;Maison&gt; &amp; Cie" in text


@pytest.mark.unit
def test_days_when_the_ceiling_is_near_then_it_is_to_scale() -> None:
    """A ceiling that the days come near stands at its height, below the top of the scale."""
    text = draw(to_come(*FEW, ceiling=35), zone=PARIS)
    assert "ceiling of the contract: 35 a day" in text


@pytest.mark.unit
def test_attributes_when_drawn_then_forms_named_and_the_most_sensitive_first() -> None:
    """Each attribute says its forms and its class in words; special ones stand on top."""
    found = reach(
        exactly(50),
        Attribute(name="family_name", forms=(Form.FULL, Form.INITIAL), sensitivity="ordinary", persons=exactly(50)),
        Attribute(name="diagnosis", forms=(Form.FULL,), sensitivity="special", persons=exactly(3)),
    )
    root = parsed(draw(made_of(found, one=True), zone=PARIS, language="fr"))
    assert texts(root, **{"font-weight": "600", "font-size": "13"}) == ["diagnosis", "family_name"]
    assert "family_name (en entier, l’initiale, ordinaire)\u00a0: 50 personnes" in described(root)
    assert "jusqu’au 30 nov. 2026, 01:30 CET" in described(root)


@pytest.mark.unit
def test_processors_when_many_then_the_largest_and_how_many_more() -> None:
    """Rows end somewhere, and the picture says how many it leaves out."""
    text = draw(PICTURES["many"], zone=PARIS)
    assert f"and {120 - MOST_ROWS} more, with no more than these" in text
    assert "at most 4,000 persons in all" in text


@pytest.mark.unit
@pytest.mark.parametrize("language", ["en", "fr"])
def test_picture_when_names_are_long_or_strange_then_cut_and_harmless(language: Any) -> None:
    """A name without end is cut, and one that would turn the line around, or end the drawing, does neither."""
    name = "x" * 300 + "\u202egnirts</svg>\x0b"
    for shown in (
        to_come(*FEW, name=name),
        made_of(reach(exactly(1), processor=name), reach(exactly(2), processor="b")),
    ):
        root = parsed(draw(shown, zone=PARIS, language=language))
        assert max(map(len, texts(root, **{"font-weight": "600"}))) <= 105
        assert "\u202e" not in "".join(root.itertext())


@pytest.mark.unit
def test_alternatives_when_drawn_then_ten_times_is_one_step() -> None:
    """The scale is one of powers of ten: bars of 10, 100 and 1,000 times as many end equally far apart."""
    far = []
    for persons in (5, 50, 500):
        root = parsed(draw(beside(reach(exactly(persons)), subjects=10**6), zone=PARIS))
        bars = [one for one in of(root, "rect") if one.get("fill-opacity") == "0.35"]
        far.append(float(bars[-1].get("width") or 0))
    steps = [after - before for before, after in pairwise(far)]
    assert steps[0] == pytest.approx(steps[1], abs=0.2)
    assert steps[0] > 10


# ── the same numbers from the command under the picture ──────────────────────────────────────────────────────────────────────────
def run(stage: Stage, *words: str) -> Result:
    """Run a command on the installation."""
    return CliRunner().invoke(app, [*words, "--dir", str(stage.agency.folder)])


def drawn(stage: Stage, folder: Path, *words: str) -> ET.Element:
    """Draw a picture by the command line."""
    path = folder / "picture.svg"
    result = run(stage, "exposure", "draw", *words, "--out", str(path))
    assert result.exit_code == 0, result.output
    return parsed(path.read_text(encoding="utf-8"))


def again(stage: Stage, root: ET.Element) -> Any:
    """Run the command that stands under a picture, as it stands there, and return what it answers."""
    program, *words = shlex.split(texts(root)[-1])
    assert program == "ecluse"
    result = run(stage, *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def sided(count: dict[str, Any]) -> str:
    """Write a number of the answer as pictures do."""
    return f"{count['most']:,}" if count["exact"] else f"≤\u202f{count['most']:,}"


@pytest.fixture(scope="module")
def settled(stage: Stage) -> str:
    """Return a processor with sessions today, tomorrow and in a week, ten persons a day at most, and one of them about to be suspended."""

    async def go() -> str:
        at: datetime = await start(stage)
        made = world(
            at, {HOUR: range(10, 18), 26 * HOUR: range(16, 40), 7 * DAY: range(30, 34)}, purpose(before=2 * HOUR), day=10,
            trouble=[("person", Span(begins=at + HOUR, ends=at + DAY))],
        )  # fmt: skip
        await settle(stage, [made, world(at, {HOUR: range(50, 53)})])
        return made.name

    return stage.run(go())


@pytest.mark.db
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--what", "time"), "--out"),
        (("--what", "time", "--out", "x.svg"), "name the processor"),
        (("--what", "alternatives", "--json"), "name the processor"),
        (("--what", "time", "--processor", "nobody", "--to", "2030-01-01", "--json"), "--days"),
        (("--what", "time", "--processor", "nobody", "--json"), "no-processor"),
        (("--what", "alternatives", "--processor", "nobody", "--json"), "no-processor"),
        (("--what", "composition", "--processor", "nobody", "--json"), "no-processor"),
    ],
)
def test_draw_when_asked_wrongly_then_refused_with_the_mend(stage: Stage, words: tuple[str, ...], problem: str) -> None:
    """Nothing is drawn of nobody, to nowhere, or of a time that the picture does not have."""
    result = run(stage, "exposure", "draw", *words)
    assert result.exit_code in {1, 2}
    assert problem in result.output


@pytest.mark.db
def test_options_when_before_the_command_then_refused(stage: Stage) -> None:
    """An option that the group would swallow is refused, not passed over."""
    result = CliRunner().invoke(app, ["exposure", "--scheduler", "draw", "--what", "time", "--dir", str(stage.agency.folder)])
    assert result.exit_code == 2
    assert "options go after" in result.output


@pytest.mark.db
def test_days_when_asked_again_by_the_command_below_then_the_same_numbers(stage: Stage, settled: str, tmp_path: Path) -> None:
    """Each day's two numbers stand in the answer, and no number stands at a bar that does not."""
    root = drawn(stage, tmp_path, "--what", "time", "--processor", settled, "--days", "9")
    told = again(stage, root)
    said = described(root)
    assert [day["alone"]["most"] for day in told["days"]] == [8, 10, 0, 0, 0, 0, 0, 4, 0]
    assert [day["so_far"]["most"] for day in told["days"]] == [8, 18, 18, 18, 18, 18, 18, 22, 22]
    assert told["ceiling"] == 10
    for day in told["days"]:
        on = datetime.fromisoformat(day["on"])
        assert f"{on.day} {on:%b %Y}: {sided(day['alone'])}, from now on: {sided(day['so_far'])}" in said
    counts = {sided(day[which]) for day in told["days"] for which in ("alone", "so_far")}
    assert {text for size in ("9", "10") for text in texts(root, **{"font-size": size})} <= counts
    assert not all(day["alone"]["exact"] for day in told["days"])


@pytest.mark.db
@pytest.mark.parametrize("span", [(), ("--from", "2099-01-01", "--to", "2099-01-05"), ("--to", "2099-01-01")])
def test_composition_when_asked_again_by_the_command_below_then_the_same_numbers(
    stage: Stage, settled: str, tmp_path: Path, span: tuple[str, ...]
) -> None:
    """Persons, values and each attribute's persons are those of the plain command."""
    root = drawn(stage, tmp_path, "--what", "composition", "--processor", settled, *span)
    (found,) = again(stage, root)["now"]["reaches"]
    said = described(root)
    if found["attributes"]:
        assert f"{sided({**found['persons'], 'most': found['values']})} persons × attributes" in said
    else:
        assert "nobody is in reach. Held down by the schedule" in said
    for one in found["attributes"]:
        most = "" if one["persons"]["exact"] else "at most "
        assert re.search(rf"\b{one['name']} \(in full, \w+\): {most}{one['persons']['most']:,} persons", said)
    assert len(found["attributes"]) == (0 if "--from" in span else 2)


@pytest.mark.db
def test_composition_when_of_all_then_the_same_numbers(stage: Stage, settled: str, tmp_path: Path) -> None:
    """Each processor's persons and values are those of the plain command, and so is the number of all together."""
    root = drawn(stage, tmp_path, "--what", "composition")
    told = again(stage, root)["now"]
    said = described(root)
    assert any(one["holder"]["processor"] == settled for one in told["reaches"])
    values = texts(root, **{"font-size": "13", "font-weight": "400"})[1:]
    assert sorted(values) == sorted(sided({**one["persons"], "most": one["values"]}) for one in told["reaches"])
    assert f"{told['together']['most']:,} persons in all" in said or "nobody in all" in said


@pytest.mark.db
@pytest.mark.parametrize("span", [(), ("--to", "2099-01-01")])
def test_alternatives_when_asked_again_by_the_command_below_then_the_same_numbers(
    stage: Stage, settled: str, tmp_path: Path, span: tuple[str, ...]
) -> None:
    """Persons, attributes and values of each way are those of the command; those of the copy are the register's."""
    root = drawn(stage, tmp_path, "--what", "alternatives", "--processor", settled, *span)
    told = again(stage, root)
    written = texts(root, **{"font-weight": "600", "text-anchor": "end"})
    assert written == [
        text
        for way in told["ways"]
        for text in (sided(way["persons"]), f"{way['attributes']:,}", sided({**way["persons"], "most": way["values"]}))
    ]
    assert (told["ways"][0]["persons"], told["ways"][0]["attributes"]) == ({"most": 200, "exact": True}, 8)
    people = run(stage, "exposure", "alternatives", "--processor", settled, *span)
    assert "row-level security by schedule" in people.output
