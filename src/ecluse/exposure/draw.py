"""Drawing exposure: the days to come, what it is made of, and beside the usual alternatives. Pure and deterministic.

Nothing is said by colour alone: each bar has its number beside it, a title, and a place in the text alternative, which holds every number of the picture. Under
each picture stands the command that answers with its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from ecluse.exposure.alternatives import Comparison, Ends, Taken, Way
from ecluse.exposure.model import Attribute, Binding, Count, Reach
from ecluse.exposure.series import Composition, Day, OverTime
from ecluse.exposure.sheet import CHARACTER, Sheet, paint, sides, values_of, width_of
from ecluse.exposure.words import Words
from ecluse.svg import COLOURS, EDGE, WIDTH, Language, Paper, lines, place, write

Shown: TypeAlias = OverTime | Composition | Comparison

MOST_ROWS: Final = 40
_BLUE, _RED, _GREY, _GREEN = "#3d85a8", "#c0405c", "#7a8494", "#2f8f63"
_AXIS: Final = 84  # where the bars of the days begin
_PANEL: Final = 170
_HATCHES: Final = {Binding.GATE: 45, Binding.HOLD: -45, Binding.NOBODY: 0}
_LABELS: Final = 330  # where bars of rows begin
_BAR: Final = 720
_ROW: Final = 42
_LOG: Final = 380  # width of the scale of powers of ten
_LOG_ROW: Final = 62
_COLUMNS: Final = (830, 915, 1055, 1075)  # right edges of three columns of numbers, left edge of the last


def draw(shown: Shown, *, zone: ZoneInfo, paper: Paper = "inline", language: Language = "en") -> str:
    """Return a picture as SVG. ``paper``: ``light`` and ``dark`` bring their own ground, ``inline`` takes the page's; instants are of ``zone``."""
    words = Words(language, zone)
    if isinstance(shown, OverTime):
        sheet = _over_time(shown, words)
    elif isinstance(shown, Comparison):
        sheet = _beside(shown, words)
    else:
        sheet = _made_of(shown, words)
    return sheet.done(shown.command, paper)


# ── the days to come ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _over_time(shown: OverTime, words: Words) -> Sheet:
    """Draw two charts over the same days: each day alone, and from now on."""
    sheet = Sheet(
        f"exposure-time-{shown.processor}", words("time", name=shown.name), words("time-lead", at=words.instant(shown.at)), words
    )
    shut = list(dict.fromkeys(day.shut for day in shown.days if day.shut is not None))
    sheet.lines += [_hatch(sheet, why) for why in shut]
    most = max((day.alone.most for day in shown.days), default=0)
    fits = shown.ceiling <= 4 * most or not most  # a ceiling far above would leave nothing to see of the days
    ticks = _ticks(max(most, shown.ceiling) if fits else most)
    _panel(sheet, words("alone"), shown.days, [day.alone for day in shown.days], ticks)
    _ceiling(sheet, shown.ceiling, ticks[-1], fits=fits)
    _days(sheet, shown.days)
    so_far = [day.so_far for day in shown.days]
    _panel(sheet, words("so-far"), shown.days, so_far, _ticks(max((one.most for one in so_far), default=0)))
    _days(sheet, shown.days)
    both = [*so_far, *(day.alone for day in shown.days)]
    sheet.key([*sides(both, words, _BLUE), *((_hatched(sheet, why), words(why)) for why in shut)])
    sheet.desc = words(
        "time-desc",
        days=len(shown.days),
        ceiling=words.number(shown.ceiling),
        each="; ".join(_said_day(day, words) for day in shown.days),
    )
    return sheet


def _hatch(sheet: Sheet, why: Binding) -> str:
    """Return the pattern of days on which nobody is let in, one for each reason."""
    return (
        f'<defs><pattern id="{sheet.name}-{why.name.lower()}" width="7" height="7" patternUnits="userSpaceOnUse"'
        f' patternTransform="rotate({_HATCHES[why]})"><path d="M0,0V7" stroke="currentColor" stroke-opacity="0.45" stroke-width="2.4"/></pattern></defs>'
    )


def _hatched(sheet: Sheet, why: Binding) -> str:
    """Return how such days are painted."""
    return f'fill="url(#{sheet.name}-{why.name.lower()})"'


def _said_day(day: Day, words: Words) -> str:
    """Say a day in words."""
    alone = words(day.shut.value) if day.shut is not None else words.sided(day.alone)
    return f"{words.day(day.on)}{words('colon')}{alone}, {words('since', n=words.sided(day.so_far))}"


def _ticks(most: int) -> list[int]:
    """Return at most six round numbers from 0 to at least ``most``."""
    step = next((unit * 10**power for power in range(16) for unit in (1, 2, 5) if most <= 5 * unit * 10**power), most)
    return list(range(0, max(1, -(-most // step)) * step + 1, step))


def _panel(sheet: Sheet, heading: str, days: Sequence[Day], counts: Sequence[Count], ticks: Sequence[int]) -> None:
    """Draw one chart: its scale, a bar a day, a number above it where there is room."""
    top = sheet.y + 48
    base, wide = top + _PANEL, (WIDTH - EDGE - _AXIS) / len(days)
    sheet.lines.append(write(EDGE, top - 22, heading, weight="600"))
    for tick in ticks:
        y = base - tick / ticks[-1] * _PANEL
        sheet.rule(f"M{_AXIS},{place(y)}H{WIDTH - EDGE}", opacity=0.15 if tick else 0.6)
        sheet.lines.append(write(_AXIS - 8, y + 4, sheet.words.number(tick), size=11, faint=True, anchor="end"))
    written = [sheet.words.sided(count) for count in counts]
    widest = max(map(width_of, written))
    size = next((size for size in (10, 9) if widest * size / 10 < wide - 3), 0)  # no room: the highest and the last alone
    shown = range(len(days)) if size else (max(range(len(days)), key=lambda number: counts[number].most), len(days) - 1)
    for number, (day, count) in enumerate(zip(days, counts, strict=True)):
        x, high = _AXIS + number * wide, count.most / ticks[-1] * _PANEL
        said = _said_day(day, sheet.words)
        if day.shut is not None:
            sheet.rect(x, top, wide, _PANEL, _hatched(sheet, day.shut), said)
        if count.most:
            sheet.rect(x + wide * 0.12, base - high, wide * 0.76, high, paint(_BLUE, exact=count.exact), said)
        if count.most and number in shown:
            middle = min(x + wide / 2, WIDTH - 4 - width_of(written[number]) / 2)
            sheet.lines.append(write(middle, base - high - 5, written[number], size=size or 10, anchor="middle"))
    if not any(count.most for count in counts):
        sheet.lines.append(write((WIDTH + _AXIS) / 2, base - _PANEL / 2 + 5, sheet.words("nobody"), anchor="middle"))
    sheet.y = base


def _ceiling(sheet: Sheet, ceiling: int, most: int, *, fits: bool) -> None:
    """Draw the contract's ceiling of a day over the chart just drawn, if it is on its scale, and say it beside the heading."""
    said, y = sheet.words("ceiling" if fits else "ceiling-above", n=sheet.words.number(ceiling)), sheet.y - _PANEL - 22
    sheet.lines.append(write(WIDTH - EDGE, y, said, size=11, weight="600", anchor="end"))
    if fits:
        line = sheet.y - ceiling / most * _PANEL
        sheet.rule(f"M{_AXIS},{place(line)}H{WIDTH - EDGE}", stroke=_RED, width=1.8, dash="9 5")
        sheet.rule(f"M{place(WIDTH - EDGE - 44 - 6.3 * len(said))},{place(y - 4)}h32", stroke=_RED, width=1.8, dash="9 5")


def _days(sheet: Sheet, days: Sequence[Day]) -> None:
    """Write the days under a chart, as many as there is room for, and the months."""
    wide = (WIDTH - EDGE - _AXIS) / len(days)
    every = max(1, -(-20 // int(wide)))
    months: list[tuple[int, str]] = []
    for number, day in enumerate(days):
        if number % every == 0:
            sheet.lines.append(
                write(_AXIS + (number + 0.5) * wide, sheet.y + 15, str(day.on.day), size=11, faint=True, anchor="middle")
            )
        if not number or day.on.day == 1:
            months.append((number, sheet.words.month(day.on)))
    for at, (number, month) in enumerate(months):
        until = months[at + 1][0] if at + 1 < len(months) else len(days)
        if (until - number) * wide >= CHARACTER * len(month) + 12:  # the last days of a month have no room for its name
            sheet.lines.append(write(_AXIS + number * wide + 2, sheet.y + 30, month, size=11, faint=True))
    sheet.y += 32


# ── what it is made of ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _made_of(shown: Composition, words: Words) -> Sheet:
    """Draw a bar for each attribute of one processor, or for each of many processors."""
    when = words.when(shown.window, standing=shown.standing)
    if len(shown.reaches) == 1:
        (reach,) = shown.reaches
        return _by_attribute(reach, shown.names.get(reach.holder.processor, reach.holder.processor), shown, when, words)
    lead = words("made-lead-all", when=when, persons=words.persons(shown.together)) if shown.reaches else words("made-empty")
    sheet = Sheet("exposure-made", words("made-all"), lead, words)
    sheet.y += 24
    longest = max((reach.values for reach in shown.reaches), default=0) or 1
    rows = shown.reaches[:MOST_ROWS]
    for reach in rows:
        _row_of_processor(sheet, reach, shown.names.get(reach.holder.processor, reach.holder.processor), longest)
    said = [_said_processor(reach, shown.names.get(reach.holder.processor, reach.holder.processor), words) for reach in rows]
    if len(shown.reaches) > len(rows):
        said.append(words("more", n=words.number(len(shown.reaches) - len(rows))))
        sheet.y += 20
        sheet.lines.append(write(EDGE, sheet.y, said[-1], size=11, faint=True))
    _sensitivities(sheet)
    sheet.desc = " ".join([lead, *(f"{one}." for one in said)])
    return sheet


def _by_attribute(reach: Reach, name: str, shown: Composition, when: str, words: Words) -> Sheet:
    """Draw a bar for each attribute, the most sensitive first."""
    if not reach.attributes:
        lead = words("made-none", when=when, binding=words.binding(reach.binding))
        sheet = Sheet(f"exposure-made-{reach.holder.processor}", words("made-one", name=name), lead, words)
        sheet.desc = lead
        return sheet
    until = words("until", at=words.instant(reach.until)) if reach.until is not None and shown.standing else ""
    lead = words(
        "made-lead",
        when=when,
        persons=words.persons(reach.persons),
        values=words.sided(values_of(reach.values, reach.persons)),
        until=until,
        binding=words.binding(reach.binding),
    )
    sheet = Sheet(f"exposure-made-{reach.holder.processor}", words("made-one", name=name), lead, words)
    classes = list(COLOURS)
    found = sorted(
        reach.attributes,
        key=lambda one: (-classes.index(one.sensitivity), -one.persons.most, one.name),
    )
    sheet.y += 24
    longest = max(one.persons.most for one in found)
    for attribute in found:
        _row_of_attribute(sheet, attribute, longest)
    _sensitivities(sheet, sides([one.persons for one in found], words, _GREY))
    sheet.desc = " ".join([lead, *(f"{_said_attribute(one, words)}." for one in found)])
    return sheet


def _said_attribute(attribute: Attribute, words: Words) -> str:
    """Say an attribute in words."""
    what = f"{words.forms(attribute.forms)}, {words(attribute.sensitivity)}"
    return f"{attribute.name} ({what}){words('colon')}{words.persons(attribute.persons)}"


def _row_of_attribute(sheet: Sheet, attribute: Attribute, longest: int) -> None:
    """Draw one attribute: its name, its forms and class, its persons."""
    words, count = sheet.words, attribute.persons
    note = f"{words.forms(attribute.forms)} · {words(attribute.sensitivity)}"
    _label(sheet, attribute.name, note)
    wide = max(2.0, count.most / longest * _BAR)
    painted = paint(COLOURS[attribute.sensitivity], exact=count.exact)
    sheet.rect(_LABELS, sheet.y + 6, wide, _ROW - 16, painted, _said_attribute(attribute, words))
    sheet.lines.append(write(_LABELS + wide + 8, sheet.y + 24, words.persons(count)))
    sheet.y += _ROW


def _said_processor(reach: Reach, name: str, words: Words) -> str:
    """Say what is in reach of one of many processors."""
    each = ", ".join(f"{one.name} {words.sided(one.persons)}" for one in reach.attributes)
    total = f"{words.persons(reach.persons)}, {words.sided(values_of(reach.values, reach.persons))} {words('head-values')}"
    return f"{name}{words('colon')}{total}" + (f" ({each})" if each else "")


def _row_of_processor(sheet: Sheet, reach: Reach, name: str, longest: int) -> None:
    """Draw one of many processors: a piece for each attribute, the most sensitive first, with its persons."""
    words, x = sheet.words, float(_LABELS)
    what = words.persons(reach.persons) if reach.persons.most else f"{words('nobody')} ({words.binding(reach.binding)})"
    _label(sheet, name, what)
    for sensitivity in reversed(list(COLOURS)):
        for one in reach.attributes:
            if one.sensitivity == sensitivity:
                wide = one.persons.most / longest * _BAR
                sheet.rect(
                    x,
                    sheet.y + 6,
                    max(0.4, wide - 1),
                    _ROW - 16,
                    paint(COLOURS[sensitivity]),
                    f"{name}: {_said_attribute(one, words)}",
                )
                x += wide
    sheet.lines.append(write(x + 8, sheet.y + 24, words.sided(values_of(reach.values, reach.persons))))
    sheet.y += _ROW


def _label(sheet: Sheet, name: str, note: str) -> None:
    """Write what a row is about, left of its bar."""
    for line in lines(name, 36, 1):
        sheet.lines.append(write(EDGE, sheet.y + 16, line, weight="600"))
    for line in lines(note, 52, 1):
        sheet.lines.append(write(EDGE, sheet.y + 31, line, size=11))


def _sensitivities(sheet: Sheet, more: Sequence[tuple[str, str]] = ()) -> None:
    """Draw the key of the classes of sensitivity."""
    signs = [(paint(colour), sheet.words(name)) for name, colour in COLOURS.items()]
    sheet.key([*signs, *more], heading=sheet.words("key"))


# ── beside the alternatives ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _beside(shown: Comparison, words: Words) -> Sheet:
    """Draw a bar for each way, on a scale of powers of ten."""
    when, lead = words.when(shown.window, standing=shown.standing), ""
    if shown.persons_times is None or shown.values_times is None:
        lead = words("times-none", when=when)
    else:
        lead = words("times", when=when, persons=words.times(shown.persons_times), values=words.times(shown.values_times))
    sheet = Sheet(f"exposure-beside-{shown.processor}", words("beside", name=shown.name), lead, words)
    powers = max(1, *(len(str(max(1, way.values) - 1)) for way in shown.ways))
    top = sheet.y + 52
    for name, edge, anchor in zip(("persons", "attributes", "values", "ends"), _COLUMNS, ("end", "end", "end", ""), strict=True):
        sheet.lines.append(write(edge, top - 8, words(f"head-{name}"), size=11, faint=True, anchor=anchor))
    for power in range(powers + 1):
        x = _LABELS + power / powers * _LOG
        sheet.rule(f"M{place(x)},{place(top)}V{place(top + _LOG_ROW * len(shown.ways))}", opacity=0.18 if power else 0.6)
        if power % 2 == 0 or powers < 6:
            sheet.lines.append(write(x, top - 8, words.number(10**power), size=10, faint=True, anchor="middle"))
    sheet.y = top
    for way in shown.ways:
        _row_of_way(sheet, way, powers)
    sheet.y += 24
    sheet.lines.append(write(_LABELS, sheet.y, words("scale"), size=11, faint=True))
    sheet.desc = " ".join([lead, *(f"{_said_way(way, words)}." for way in shown.ways)])
    return sheet


def _ends(way: Taken, words: Words) -> str:
    """Say when a thief stops having it."""
    return words.instant(way.until) if way.ends is Ends.WINDOW and way.until is not None else words(way.ends.value)


def _said_way(way: Taken, words: Words) -> str:
    """Say a row in words."""
    name = way.way.value
    what = f"{words(name)} ({words(f'{name}-note')})"
    values = f"{words.sided(values_of(way.values, way.persons))} {words('head-values')}"
    numbers = f"{words.persons(way.persons)}, {words.attributes(way.attributes)}, {values}"
    return f"{what}{words('colon')}{numbers}; {words('head-ends')}{words('colon')}{_ends(way, words)}"


def _row_of_way(sheet: Sheet, way: Taken, powers: int) -> None:
    """Draw one way: full to its persons, pale to its persons x attributes, its numbers right of it."""
    words, y, name = sheet.words, sheet.y, way.way.value
    colour = _GREEN if way.way is Way.ECLUSE else _GREY
    sheet.rule(f"M{EDGE},{place(y + _LOG_ROW)}H{WIDTH - EDGE}", opacity=0.12)
    sheet.lines.append(write(EDGE, y + 20, words(name), weight="600"))
    for number, line in enumerate(lines(words(f"{name}-note"), 50)):
        sheet.lines.append(write(EDGE, y + 36 + 14 * number, line, size=11))
    if way.persons.most:
        far, near = (_LABELS + max(3.0, _power(count, powers)) for count in (way.values, way.persons.most))
        said = _said_way(way, words)
        sheet.rect(_LABELS, y + 16, far - _LABELS, 30, f'fill="{colour}" fill-opacity="0.35"', said)
        sheet.rect(_LABELS, y + 16, near - _LABELS, 30, f'fill="{colour}" fill-opacity="0.9"', said)
    else:
        sheet.lines.append(write(_LABELS + 8, y + 36, words("nobody")))
    numbers = (words.sided(way.persons), words.number(way.attributes), words.sided(values_of(way.values, way.persons)))
    for x, text in zip(_COLUMNS, numbers, strict=False):
        sheet.lines.append(write(x, y + 36, text, weight="600", anchor="end"))
    ends = lines(_ends(way, words), 32)
    for number, line in enumerate(ends):
        sheet.lines.append(write(_COLUMNS[3], y + (36 if len(ends) == 1 else 29) + 14 * number, line, size=11))
    sheet.y += _LOG_ROW


def _power(count: int, powers: int) -> float:
    """Return how far a number is on the scale."""
    return log10(count) / powers * _LOG
