"""What the controller's register holds, as ``register.toml`` maps it: tables, keys and the attributes that may be disclosed.

A map is checked once, by ``parse_register``, and trusted inside: each name in it matches ``IDENTIFIER``, each reference resolves.
The vocabularies below are append-only: a new word goes last and an old one never changes its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

IDENTIFIER: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
"""A table, schema or column name that Écluse will write into a statement (PostgreSQL keeps 63 bytes of a name)."""

MAX_VALUE_CHARACTERS: Final = 1000
"""A register value longer than this is not a name, address or code: it is unreadable."""

MAX_REF_CHARACTERS: Final = 200
"""The longest ``subject_ref`` (docs/decisions/0001-formats.md, "Ids")."""


class AttributeType(StrEnum):
    """What kind of value an attribute has; it decides which forms exist (docs/decisions/0001-formats.md, "Forms")."""

    TEXT = "text"
    DATE = "date"
    EMAIL = "email"
    PHONE = "phone"
    IDENTIFIER = "identifier"
    CODE = "code"


class Category(StrEnum):
    """The category of personal data an attribute belongs to, as a record of processing (Art. 30(1)(c)) names it."""

    IDENTITY = "identity"
    CONTACT = "contact"
    CIVIL_STATUS = "civil_status"
    RESIDENCE = "residence"
    PROGRAMME = "programme"
    LANGUAGE = "language"
    EDUCATION = "education"
    EMPLOYMENT = "employment"
    HEALTH = "health"
    FINANCE = "finance"
    OTHER = "other"


class Sensitivity(StrEnum):
    """How much harm the attribute can do; ``special`` is a category of Art. 9 or Art. 10."""

    ORDINARY = "ordinary"
    ELEVATED = "elevated"
    SPECIAL = "special"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the register: ``key`` finds a subject's row; ``current``, a boolean, picks it where there are several."""

    alias: str
    name: str  # schema.table
    key: tuple[str, ...]  # in the order of the parts of a subject_ref
    current: str | None = None


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """One field of personal data and where it is read: ``table`` is the alias of a ``Table``."""

    name: str
    type: AttributeType
    category: Category
    sensitivity: Sensitivity
    table: str
    column: str


class RegisterMap(msgspec.Struct, frozen=True, kw_only=True):
    """A checked ``register.toml``. A subject exists if, and only if, ``subject_table`` has its (current) row."""

    id: str
    name: str
    subject_table: str
    tables: Mapping[str, Table]  # by alias, in the file's order
    attributes: Mapping[str, Attribute]  # by name, in the file's order

    def __post_init__(self) -> None:
        """Freeze the two mappings: a map is shared by every request."""
        msgspec.structs.force_setattr(self, "tables", MappingProxyType(dict(self.tables)))
        msgspec.structs.force_setattr(self, "attributes", MappingProxyType(dict(self.attributes)))

    @property
    def subject(self) -> Table:
        """The table that says whether a subject exists."""
        return self.tables[self.subject_table]


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """The row is there and at least one asked value of it can't be used: ``attributes`` names those, never their content."""

    attributes: tuple[str, ...]


Value: TypeAlias = str | date | None
"""A value as the register holds it: a ``date`` for type ``date``, else text; ``None`` where the register has none."""

Row: TypeAlias = dict[str, Value] | Unreadable
"""What a read says of one subject."""
