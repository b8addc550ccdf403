"""Fill an empty database with the synthetic register of an immigration office: nobody in it exists.

The same ``count`` and ``seed`` give the same rows, byte for byte. Python hands PostgreSQL some 50,000 small rows to draw from
(``names.py``); PostgreSQL assembles the people, a chunk a statement (``register.sql``): each value is a function of a seeded
hash of the person's place in the count.

The mess is the one that real registers have, in these shares of people (of current contact rows for phones and e-mail):

========================================================  ===========
no phone / no e-mail                                      18 % / 9 %
born on a 1 January (40 % for some nationalities)         14 %
e-mail shared by a couple                                 6 %
more than one contact row (one of them current)           12 %
Latin letters only, of those whose own script is another  50 %
accents lost, of those whose own script is Latin          50 %
family name in capitals, of these two halves              45 %
family name with a trailing space                         3 %
no language                                               4 %
========================================================  ===========

Besides: one-character names, people without a given name (``NULL``, empty or ``SP``), hyphens, apostrophes, several names, one
town in several spellings, phones in six. E-mail stands at domains of RFC 2606 only, and but for couples each address is one
person's. Phones come from the 60,000 numbers that the French plan keeps for fiction, so a register of 2.1 million has each
mobile number more than a hundred times. File numbers have eleven digits, one more than the real ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import aiosql
import asyncpg
import msgspec

from ecluse import clock
from ecluse.demo.names import COMPLEMENTS, DOMAINS, NOTES, STREETS, TOWNS, Name, Origin, origins
from ecluse.errors import ConfigurationError

DEFAULT_PEOPLE: Final = 20_000
AGENCY_PEOPLE: Final = 2_100_000
FIRST_DAY: Final = date(2012, 1, 1)
LAST_DAY: Final = date(2026, 1, 4)
JANUARY_SHARE: Final = 0.14

_RANKS: Final = 16_384  # register.sql masks with 16383
_PLACES: Final = 8_192  # register.sql masks with 8191
_BIS_SHARE: Final = 0.06
_COMPLEMENT_SHARE: Final = 0.22
_CHUNK: Final = 70_000
_DRAWS: Final = 100  # one seed has room for so many independent draws; register.sql uses fewer
_MODULI: Final = (99_991, 9_999_991, 99_999_989)  # primes: n * 48271 modulo one of them never repeats below it
_DISTINCT_LETTERS: Final = 6

_AGES: Final = {  # age at entry: youngest, and the spread above it
    "asylum": (17.0, 42.0),
    "family": (19.0, 44.0),
    "work": (22.0, 34.0),
    "study": (18.0, 14.0),
    "temporary-protection": (18.0, 60.0),
    "humanitarian": (18.0, 50.0),
    "visitor": (24.0, 46.0),
}

_PHONE_AREAS: Final = (  # the ranges kept for fiction, and their shares
    ("6", "39", "98", 15), ("1", "99", "00", 1), ("2", "61", "91", 1),
    ("3", "53", "01", 1), ("4", "65", "71", 1), ("5", "36", "49", 1),
)  # fmt: skip
_PHONE_STYLES: Final = (  # start, where its endings begin in tirage_fin (12|34, 12 34, 12.34), share
    ("0{} {} {} ", 10_000, 21), ("0{}{}{}", 0, 12), ("+33{}{}{}", 0, 8),
    ("0{}.{}.{}.", 20_000, 6), ("+33 {} {} {} ", 10_000, 2), ("0033{}{}{}", 0, 1),
)  # fmt: skip

_SETTINGS: Final = """
set local work_mem = '64MB';
set local maintenance_work_mem = '256MB';
set local jit = off;
set local plan_cache_mode = force_custom_plan;  -- a generic plan can't fold the draws' numbers into constants: a third slower
"""

Progress = Callable[[str, int, int], None]


class PeopleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a load wrote, and how long it took."""

    people: int
    contacts: int
    seconds: float


class _NameTable(msgspec.Struct, frozen=True, kw_only=True):
    """All names under one numbering, and where each table of names begins in it."""

    rows: list[tuple[int, str, str, str, str, str]]
    starts: dict[tuple[Name, ...], int]


async def load_people(
    conn: asyncpg.Connection[asyncpg.Record], count: int, *, seed: int = 2026, progress: Progress | None = None
) -> PeopleReport:
    """Create the schema ``registre`` with ``count`` people in the database of ``conn``; all of it or nothing.

    ``conn`` owns the database, is in no transaction and gets its temporary objects removed again. ``progress`` hears (stage,
    done, of). Raises ``ConfigurationError`` if the count or seed is out of range or a register is already there. Costs some
    20 µs a person.
    """
    _check(count, seed)
    started = clock.now()
    tell = progress or _silent
    if await conn.fetchval("select to_regnamespace('registre') is not null"):
        raise ConfigurationError("registre", "the database already has this schema", "Give the demo a folder of its own.")
    async with conn.transaction():
        await conn.execute(_SETTINGS)
        await _queries().create_register(conn)
        await _fill_tables_to_draw_from(conn, random.Random(seed))  # noqa: S311 -- demo data, drawn again from the same seed
        contacts = await _draw(conn, count, seed, tell)
        await _queries().drop_tables_to_draw_from(conn)
        tell("keys", 0, 2)
        await _queries().key_people(conn)
        tell("keys", 1, 2)
        await _queries().key_contacts(conn)
        tell("keys", 2, 2)
    await _queries().settle(conn)
    return PeopleReport(people=count, contacts=contacts, seconds=(clock.now() - started).total_seconds())


async def marked_values(conn: asyncpg.Connection[asyncpg.Record], limit: int) -> list[str]:
    """Return up to ``limit`` distinct texts that only the register holds: e-mails, phones, family names of six letters and more.

    A test feeds these people through a use case and searches everything that was written for these texts. The people stand evenly
    over the register and are the same every time; each is one look in an index, so it is quick at any size.
    """
    found: dict[str, None] = {}
    async for row in _queries().marked_values(conn, limit=limit):
        found.update(dict.fromkeys(text for text in (row["courriel"], row["telephone"]) if text))
        found.update(dict.fromkeys(text for text in (row["nom"], row["nom_latin"]) if text and _is_distinct(text)))
        if len(found) >= limit:
            break
    return list(found)[:limit]


def _is_distinct(name: str) -> bool:
    return sum(letter.isalpha() for letter in name) >= _DISTINCT_LETTERS


def _check(count: int, seed: int) -> None:
    if not 1 <= count < _MODULI[-1]:
        raise ConfigurationError("people", "the register can't have this size", f"Ask for 1 to {_MODULI[-1] - 1} people.")
    if not 0 <= seed < 2**48:
        raise ConfigurationError("seed", "it is out of range", "Give a whole number from 0 to 2^48 - 1.")


def _silent(_stage: str, _done: int, _of: int) -> None:
    pass


@cache
def _queries() -> Any:  # noqa: ANN401 -- aiosql names its methods after the file's statements
    """Load ``register.sql`` at first use: importing a module does nothing."""
    return aiosql.from_path(Path(__file__).with_name("register.sql"), "asyncpg")


async def _draw(conn: asyncpg.Connection[asyncpg.Record], count: int, seed: int, tell: Progress) -> int:
    """Draw all people in chunks; return how many contact rows they have."""
    fixed = {
        "draw": seed * _DRAWS,
        "first_day": FIRST_DAY,
        "last_day": LAST_DAY,
        "count": float(count),
        "modulus": next(prime for prime in _MODULI if prime > count),
        "notes": _words(NOTES),
        "domains": list(DOMAINS),
    }
    contacts = 0
    tell("people", 0, count)
    for first in range(1, count + 1, _CHUNK):
        last = min(first + _CHUNK - 1, count)
        status = await _queries().draw_people(conn, from_n=first, to_n=last, **fixed)
        contacts += int(status.split()[-1])
        tell("people", last, count)
    return contacts


async def _fill_tables_to_draw_from(conn: asyncpg.Connection[asyncpg.Record], rng: random.Random) -> None:
    await _queries().create_tables_to_draw_from(conn)
    table = _number_names(origins())
    await _copy(conn, "tirage_nom", table.rows)
    await _copy(conn, "tirage_rang", _ranks(origins(), table.starts, rng))
    await _copy(conn, "tirage_lieu", _places(rng))
    await _copy(conn, "tirage_indicatif", _phone_starts())
    await conn.execute("analyze tirage_nom, tirage_rang, tirage_lieu, tirage_indicatif, tirage_fin")


async def _copy(conn: asyncpg.Connection[asyncpg.Record], table: str, rows: Iterable[tuple[object, ...]]) -> None:
    await conn.copy_records_to_table(table, records=rows)


def _phone_starts() -> list[tuple[int, str, int]]:
    """Return the rows of ``tirage_indicatif``: 1,000 equally likely pairs of a fictional range and a way to write it."""
    pairs = [
        (style.format(first, second, third), endings)
        for first, second, third, area_share in _PHONE_AREAS
        for style, endings, style_share in _PHONE_STYLES
        for _ in range(area_share * style_share)
    ]
    return [(at, start, endings) for at, (start, endings) in enumerate(pairs)]


def _places(rng: random.Random) -> Iterator[tuple[int, str, str, str]]:
    """Yield the rows of ``tirage_lieu``: a street (its text follows the house number), a post code and a town."""
    streets, towns, complements = _words(STREETS), _words(TOWNS), _words(COMPLEMENTS)
    for at in range(_PLACES):
        code, town = rng.choice(towns).split(" ", 1)
        bis = " bis" if rng.random() < _BIS_SHARE else ""
        complement = f", {rng.choice(complements)}" if rng.random() < _COMPLEMENT_SHARE else ""
        yield at, f"{bis} {rng.choice(streets)}{complement}", code, town


def _words(table: str) -> list[str]:
    return [word.strip() for word in table.split(",")]


def _number_names(table: tuple[Origin, ...]) -> _NameTable:
    """Number every name once per table of names that it stands in, tables one after the other."""
    rows: list[tuple[int, str, str, str, str, str]] = []
    starts: dict[tuple[Name, ...], int] = {}
    for origin in table:
        for group in (origin.family_men, origin.family_women, origin.given_men, origin.given_women):
            if group in starts:
                continue
            start = starts[group] = len(rows)
            rows.extend((start + at, n.script, n.latin, n.plain, n.plain.upper(), _mail_part(n)) for at, n in enumerate(group))
    return _NameTable(rows=rows, starts=starts)


def _mail_part(name: Name) -> str:
    return "".join(letter for letter in name.plain.lower() if letter.isalpha())


def _ordinary_january(table: tuple[Origin, ...]) -> float:
    """Return the share of 1 January births that brings the whole register to ``JANUARY_SHARE``."""
    stated = sum(origin.weight * origin.january for origin in table if origin.january is not None)
    rest = sum(origin.weight for origin in table if origin.january is None)
    return (JANUARY_SHARE * sum(origin.weight for origin in table) - stated) / rest


def _ranks(table: tuple[Origin, ...], starts: dict[tuple[Name, ...], int], rng: random.Random) -> Iterator[tuple[object, ...]]:
    """Yield the rows of ``tirage_rang``: every rank is equally likely, and a nationality holds as many as its weight."""
    ordinary = _ordinary_january(table)
    total = sum(origin.weight for origin in table)
    reached = rank = 0
    for origin in table:
        reached += origin.weight
        january = ordinary if origin.january is None else origin.january
        while rank < reached * _RANKS // total:
            reason, language = _pick(origin.reasons, rng), _pick(origin.languages, rng)
            yield (
                rank, origin.country, origin.scripted, language, reason, *_AGES[reason],
                january, origin.mononym, origin.double, origin.second, origin.joint,
                starts[origin.family_men], starts[origin.family_women], len(origin.family_men),
                starts[origin.given_men], len(origin.given_men), starts[origin.given_women], len(origin.given_women),
            )  # fmt: skip
            rank += 1


def _pick(choices: tuple[tuple[str, int], ...], rng: random.Random) -> str:
    return rng.choices([word for word, _ in choices], [share for _, share in choices])[0]
