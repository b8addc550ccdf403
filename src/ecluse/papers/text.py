"""Our own papers as texts: a small Markdown of headings, paragraphs, lists and tables, filled with facts, written as Markdown or HTML. Pure.

Facts are put in after parsing, so a name can't become markup. ``$name`` stands for a text, a line ``[[name]]`` for blocks that are made elsewhere; a heading
may end in ``{#id}``, by which other formats find it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from string import Template
from typing import Final, TypeAlias, assert_never

import msgspec

_HEADING: Final = re.compile(r"(#{1,4}) (.+?)(?: \{#([a-z0-9.:-]+)\})?")
_SLOT: Final = re.compile(r"\[\[([a-z-]+)\]\]")
_NUMBERED: Final = re.compile(r"[0-9]{1,2}\. ")
_INLINE: Final = re.compile(r"\*\*(?P<strong>.+?)\*\*|\*(?P<em>.+?)\*|`(?P<code>.+?)`")
_MARKS: Final = {"": "", "strong": "**", "em": "*", "code": "`"}
_TAGS: Final = {"strong": "strong", "em": "em", "code": "code"}


class Run(msgspec.Struct, frozen=True):
    """A piece of a line. ``style``: empty, ``strong``, ``em`` or ``code``."""

    text: str
    style: str = ""


Line: TypeAlias = tuple[Run, ...]


class Paragraph(msgspec.Struct, frozen=True, tag="paragraph"):
    """One paragraph."""

    line: Line


class Items(msgspec.Struct, frozen=True, tag="items"):
    """A list."""

    lines: tuple[Line, ...]
    numbered: bool = False


class Grid(msgspec.Struct, frozen=True, tag="grid"):
    """A table."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Slot(msgspec.Struct, frozen=True, tag="slot"):
    """A place for blocks that are made elsewhere."""

    name: str


Block: TypeAlias = Paragraph | Items | Grid | Slot


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A heading and what stands under it, up to the next heading. ``level``: 1 is the title's."""

    level: int
    id: str
    title: str
    blocks: tuple[Block, ...]


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A whole paper, its first section under its title."""

    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        """Return the title."""
        return self.sections[0].title

    def section(self, name: str) -> Section | None:
        """Return the section of an id."""
        return next((each for each in self.sections if each.id == name), None)

    def under(self, name: str) -> tuple[Section, ...]:
        """Return the deeper sections that follow the one of an id."""
        at = next((n for n, each in enumerate(self.sections) if each.id == name), len(self.sections) - 1)
        level, found = self.sections[at].level, []
        for each in self.sections[at + 1 :]:
            if each.level <= level:
                break
            found.append(each)
        return tuple(found)


def parse_text(source: str) -> Text:
    """Read a paper of ours."""
    sections: list[Section] = []
    for heading, lines in _headed(source.splitlines()):
        found = _HEADING.fullmatch(heading)
        if found is None:
            raise AssertionError("impossible: a paper of ours that does not begin with its title")
        sections.append(
            Section(level=len(found[1]), id=found[3] or "", title=found[2], blocks=tuple(_blocks("\n".join(lines).split("\n\n"))))
        )
    return Text(sections=tuple(sections))


def _headed(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each heading with the lines under it."""
    heading, under = "", list[str]()
    for line in lines:
        if line.startswith("#"):
            if heading:
                yield heading, under
            heading, under = line, []
        else:
            under.append(line)
    yield heading, under


def _blocks(parts: Iterable[str]) -> Iterator[Block]:
    """Read what blank lines part."""
    for part in parts:
        lines = [line for line in part.split("\n") if line.strip()]
        if not lines:
            continue
        slot = _SLOT.fullmatch(lines[0])
        if slot is not None:
            yield Slot(slot[1])
        elif lines[0].startswith("- "):
            yield Items(tuple(_line(line.removeprefix("- ")) for line in lines))
        elif _NUMBERED.match(lines[0]):
            yield Items(tuple(_line(_NUMBERED.sub("", line, count=1)) for line in lines), numbered=True)
        else:
            yield Paragraph(_line(" ".join(lines)))


def _line(text: str) -> Line:
    """Read strong, stressed and literal pieces."""
    runs, at = [], 0
    for found in _INLINE.finditer(text):
        if found.start() > at:
            runs.append(Run(text[at : found.start()]))
        style = str(found.lastgroup)
        runs.append(Run(found[style], style))
        at = found.end()
    return (*runs, Run(text[at:])) if at < len(text) else tuple(runs)


def fill(text: Text, facts: Mapping[str, str], slots: Mapping[str, tuple[Block, ...]]) -> Text:
    """Put facts in the places of their names. A name without a fact is a bug."""

    def said(raw: str) -> str:
        try:
            return Template(raw).substitute(facts)
        except (KeyError, ValueError) as bug:
            raise AssertionError("impossible: a paper of ours names a fact that there is none of") from bug

    def filled(block: Block) -> tuple[Block, ...]:
        match block:
            case Paragraph():
                return (Paragraph(tuple(Run(said(run.text), run.style) for run in block.line)),)
            case Items():
                lines = tuple(tuple(Run(said(run.text), run.style) for run in line) for line in block.lines)
                return (Items(lines, block.numbered),)
            case Slot():
                return slots[block.name]
            case Grid():
                return (block,)
            case _:
                assert_never(block)

    return Text(
        sections=tuple(
            msgspec.structs.replace(
                each, title=said(each.title), blocks=tuple(new for block in each.blocks for new in filled(block))
            )
            for each in text.sections
        )
    )


def plain(line: Line) -> str:
    """Return a line's words alone."""
    return "".join(run.text for run in line)


def to_markdown(text: Text) -> str:
    """Write a paper as Markdown; what facts say is escaped."""
    parts = []
    for section in text.sections:
        parts.append("#" * section.level + " " + _escaped(section.title))
        parts += [_markdown(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Paragraph():
            return _marked(block.line)
        case Items():
            return "\n".join(f"{f'{n}.' if block.numbered else '-'} {_marked(line)}" for n, line in enumerate(block.lines, 1))
        case Grid():
            rows = [block.head, tuple("---" for _ in block.head), *block.rows]
            return "\n".join("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows)
        case Slot():
            raise AssertionError("impossible: a paper that was not filled")
        case _:
            assert_never(block)


def _marked(line: Line) -> str:
    return "".join(
        f"{_MARKS[run.style]}{run.text if run.style == 'code' else _escaped(run.text)}{_MARKS[run.style]}" for run in line
    )


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text.replace("\n", " ")) if text != "---" else text


def to_html(blocks: Iterable[Block]) -> str:
    """Write blocks as plain HTML: paragraphs and lists; a table becomes a list, as not every editor holds one."""
    return "".join(map(_html, blocks))


def _html(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p>{_tagged(block.line)}</p>"
        case Items():
            tag = "ol" if block.numbered else "ul"
            return f"<{tag}>{''.join(f'<li>{_tagged(line)}</li>' for line in block.lines)}</{tag}>"
        case Grid():
            rows = (f"<li><strong>{html.escape(row[0])}</strong>: {html.escape('; '.join(row[1:]))}</li>" for row in block.rows)
            return f"<ul>{''.join(rows)}</ul>"
        case Slot():
            raise AssertionError("impossible: a paper that was not filled")
        case _:
            assert_never(block)


def _tagged(line: Line) -> str:
    return "".join(
        f"<{_TAGS[run.style]}>{html.escape(run.text)}</{_TAGS[run.style]}>" if run.style else html.escape(run.text)
        for run in line
    )
