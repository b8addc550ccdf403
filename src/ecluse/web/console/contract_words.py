"""What is said of a contract file, and of the next version of one, in the reader's language: the sentences of `ecluse.contracts`, marked for translation.

Findings and changes reach files and programs in English, so their text is what is known here. A sentence is found by its own words; what stands in its
holes (keys, forms, numbers, examples) goes into the translation as it is. One that is not known is said as it stands. A test holds the two together. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.web.pages.language import N_

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecluse.contracts import Change, Finding
    from ecluse.web.pages.language import Tongue

_FILE: Final = N_("file")
_UNKNOWN_KEY: Final = N_("is not a key of this table")
SENTENCES: Final = (
    # what a file is refused for, and the mends: one key
    _UNKNOWN_KEY,
    N_("write `%(key)s`"),
    N_("remove it"),
    N_("is missing"),
    N_("add `%(key)s = %(example)s`"),
    N_("must be a text"),
    N_("must be a whole number"),
    N_("must be a date"),
    N_("must be a list"),
    N_("write `%(key)s = %(example)s`"),
    N_("is not a plain text"),
    N_("write 1 to %(most)s characters, without space at either end, control or hidden characters, in normal form C"),
    N_("is not a name"),
    N_("write 2 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter"),
    N_("is not a word that this key knows"),
    N_("write one of %(words)s"),
    N_("is not a word that this list knows"),
    N_("is in the list twice"),
    N_("remove one"),
    N_("is out of range"),
    N_("write a whole number from 1 to %(most)s"),
    N_("write a day of the years %(first)s to %(last)s"),
    N_("is not an exact length of time"),
    N_("write days, hours and minutes as ISO 8601 does, like PT24H or P1DT2H30M, without leading zeros"),
    N_("is longer than 14 days"),
    N_("write at most P14D for opens_before and closes_after together"),
    N_("is not a calendar length of time"),
    N_("write years, months and days as ISO 8601 does, like P12M or P90D, without leading zeros"),
    N_("is not a time zone"),
    N_("write an IANA name such as Europe/Paris, or UTC"),
    # its tables
    N_("add the table [%(table)s]"),
    N_("must be a table"),
    N_("write it as [%(table)s]"),
    N_("must be an array of tables"),
    N_("write each as [[%(table)s]]"),
    N_("add at least one [[%(table)s]]"),
    N_("is used twice"),
    N_("give each its own, or remove one"),
    # the whole file
    N_("is not Unicode text"),
    N_("save it in UTF-8"),
    N_("is too long"),
    N_("write at most %(most)s characters"),
    N_("has too long a line"),
    N_("write at most %(most)s characters a line"),
    N_("is nested too deeply"),
    N_("nest tables and lists at most %(most)s deep"),
    N_("is not TOML: %(fault)s"),
    N_("mend the line"),
    # its parties and dates
    N_("is before starts_on"),
    N_("write a day that is not before starts_on"),
    N_("is not a SIREN"),
    N_("write its nine digits without spaces"),
    N_("is not a SIREN: its check digit is wrong"),
    N_("compare it with the register of companies"),
    N_("is not an e-mail address"),
    N_("write one address, its domain in lower-case ASCII"),
    N_("is not a country code"),
    N_("write two capital letters (ISO 3166-1), like FR"),
    # its limits, purposes and attributes
    N_("is below persons_per_day"),
    N_("raise it, or lower persons_per_day"),
    N_("is not a point of Art. 6(1)"),
    N_("makes the window longer than 14 days with opens_before"),
    N_("shorten one of the two"),
    N_("names no attribute"),
    N_('add one, like `family_name = "full"`'),
    N_("is not an attribute of the register"),
    N_("map it in register.toml, or remove the line"),
    N_("is given in a form that does not exist"),
    N_("is given as %(form)s, a word kept for later"),
    N_("is of type %(type)s, which has no form %(form)s"),
    N_("is not among the attributes of this purpose"),
    N_("add it there, or remove the line here"),
    N_("is given as %(form)s, which the attributes of this purpose (%(granted)s) do not cover"),
    N_("write %(form)s or a weaker form"),
    # what is allowed, and unwise
    N_("lacks %(clause)s: the gate is frozen until the clause is there"),
    N_("agree on the clause of Art. %(article)s(3)(%(point)s) and add `%(clause)s`"),
    N_("lacks %(clause)s: the gate warns"),
    N_("agree on the clause and add `%(clause)s`"),
    N_("is above the %(hours)s hours that the controller has itself (Art. 33(1))"),
    N_("agree on 24 or less"),
    N_("is outside the EEA"),
    N_("note the ground of transfer (Chapter V), or keep the data in the EEA"),
    N_("asks for no evidence, so none can lapse"),
    N_("add [[evidence_required]] with a kind and a max_age"),
    N_("is above persons_per_day, so it never counts"),
    N_("lower it to the persons that one hour needs"),
    N_("is given as relay, which answers withheld as long as there are no relays"),
    N_("keep it, and expect no value for now"),
    N_("is given in full though weaker forms exist"),
    N_("consider %(words)s"),
    N_("is above %(ceiling)s (%(most)s): a full session would spend that budget before its end"),
    N_("lower it, or raise %(ceiling)s"),
    # what a new version changes
    N_("Another processor: %(after)s instead of %(before)s."),
    N_("Clause %(clause)s is added."),
    N_("Clause %(clause)s is added. The gate is no longer frozen for a clause."),
    N_("Clause %(clause)s is removed."),
    N_("Clause %(clause)s is removed. The gate freezes."),
    N_("%(where)s is added, given as %(form)s."),
    N_("%(where)s is removed; it was given as %(form)s."),
    N_("%(where)s is given as %(after)s instead of %(before)s."),
    N_("Evidence %(kind)s is no longer required."),
    N_("Evidence %(kind)s is required, at most %(age)s old."),
    N_("%(word)s %(name)s is removed (%(what)s)."),
    N_("%(word)s %(name)s is added (%(what)s)."),
    N_("Sub-processor"),
    N_("Site"),
    N_("Purpose"),
    N_("%(rooms)s rooms, %(sessions)s sessions a day"),
    N_("%(where)s goes from %(before)s to %(after)s."),
    N_("%(name)s changes; access stays as it is."),
    # why a text is not TOML, as Python's reader says it
    N_("Nested too deeply"),
    N_("Invalid statement"),
    N_("Invalid value"),
    N_("Invalid date or datetime"),
    N_("Invalid hex value"),
    N_("Invalid initial character for a key part"),
    N_("Expected newline or end of document after a statement"),
    N_("Expected '=' after a key in a key/value pair"),
    N_("Expected ']' at the end of a table declaration"),
    N_("Expected ']]' at the end of an array declaration"),
    N_("Expected %(sign)s"),
    N_("Found invalid character %(sign)s"),
    N_("Illegal character %(sign)s"),
    N_("Unescaped '\\' in a string"),
    N_("Escaped character is not a Unicode scalar value"),
    N_("Unterminated string"),
    N_("Unclosed array"),
    N_("Unclosed inline table"),
    N_("Cannot declare %(keys)s twice"),
    N_("Cannot overwrite a value"),
    N_("Cannot mutate immutable namespace %(keys)s"),
    N_("Cannot redefine namespace %(keys)s"),
    N_("Duplicate inline table key %(key)s"),
)
"""Every why and mend of a finding, every sentence of a change, and what they are made of."""

_HOLE: Final = re.compile(r"%\((\w+)\)s")
_PLAIN: Final = r"\S+"
_HELD: Final[Mapping[str, str]] = {
    "fault": r".+",
    "keys": r"\(.+\)",
    "name": r".+",
    "sign": r"""['"].+['"]""",
    "what": r".+",
    "words": r".+",
}
"""What stands in a hole that may hold spaces, by its name; any other holds none."""
_OURS: Final = frozenset({"fault", "what", "word"})
"""The holes in which words of ours may stand: these are said, too."""


def shape_of(sentence: str) -> re.Pattern[str]:
    """Return what a sentence looks like: its own words, and something in each of its holes."""
    pieces = _HOLE.split(sentence)  # words, the name of a hole, words, and so on
    return re.compile(
        "".join(f"(?P<{piece}>{_HELD.get(piece, _PLAIN)})" if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))
    )


_SHAPES: Final = tuple((sentence, shape_of(sentence)) for sentence in SENTENCES)


def say(text: str, tongue: Tongue) -> str:
    """Say a sentence in the reader's language; one of a later release as it stands."""
    for sentence, shape in _SHAPES:
        found = shape.fullmatch(text)
        if found is not None:
            holes = {name: say(held, tongue) if name in _OURS else held for name, held in found.groupdict().items()}
            return tongue.say(sentence, **holes)
    return text


def say_finding(found: Finding, tongue: Tongue) -> Finding:
    """Say what is wrong with a file; ``where`` is a key of it, or the file itself."""
    whole = found.where == _FILE and found.why != _UNKNOWN_KEY
    return msgspec.structs.replace(
        found,
        where=tongue.find(_FILE) if whole else found.where,
        why=say(found.why, tongue),
        mend=say(found.mend, tongue),
    )


def say_change(change: Change, tongue: Tongue) -> Change:
    """Say what a new version changes. ``before`` and ``after`` are values of the files, which nothing translates: only a site's size is our words."""
    ours = change.where.startswith("site.")
    before, after = (say(side, tongue) if ours and side is not None else side for side in (change.before, change.after))
    return msgspec.structs.replace(change, before=before, after=after, sentence=say(change.sentence, tongue))
