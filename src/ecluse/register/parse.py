"""Read ``register.toml`` into a ``RegisterMap``, or say everything that is wrong with it, each fault with its line and mend.

    [register]
    id = "ofii"                      # first half of every subject_ref; never change it
    name = "Registre des étrangers"
    subject_table = "person"         # a subject exists if this table has its row
    [table.person]
    name = "registre.personne"       # schema.table
    key = ["numero"]                 # columns, in the order of the parts of a subject_ref; as many in every table
    [table.contact]
    name = "registre.coordonnees"
    key = ["numero"]
    current = "actuelle"             # boolean column that marks the current one of a key's rows
    [attribute.family_name]
    table = "person"
    column = "nom"
    type = "text"                    # text, date, email, phone, identifier, code
    category = "identity"
    sensitivity = "ordinary"         # ordinary, elevated, special

Table, schema and column names are written into statements, so they must be plain lower-case identifiers.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, TypeVar

from ecluse.ids import is_name
from ecluse.register.errors import Fault, RegisterMapInvalid
from ecluse.register.model import IDENTIFIER, Attribute, AttributeType, Category, RegisterMap, Sensitivity, Table
from ecluse.toml_lines import Path, TomlLines, TomlSyntaxError, load_toml

_W = TypeVar("_W", bound=StrEnum)

_TOP: Final = ("register", "table", "attribute")
_REGISTER: Final = ("id", "name", "subject_table")
_TABLE: Final = ("name", "key", "current")
_ATTRIBUTE: Final = ("table", "column", "type", "category", "sensitivity")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_TABLE_NAME: Final = re.compile(rf"{IDENTIFIER.pattern}\.{IDENTIFIER.pattern}")
_MAX_NAME: Final = 200
_MAX_KEY_COLUMNS: Final = 8
_IDENTIFIER_MEND: Final = "Use a lower-case identifier: letters, digits, _; give the register a view if its own names differ"


def parse_register(text: str) -> RegisterMap:
    """Read the text of a ``register.toml``; raises ``RegisterMapInvalid`` with all faults, in the order of their lines."""
    try:
        data, lines = load_toml(text), TomlLines(text)
    except TomlSyntaxError as error:
        fault = Fault(line=error.line, where="register.toml", why=error.why, mend="Correct the TOML; nothing else was checked")
        raise RegisterMapInvalid((fault,)) from None
    reader = _Reader(lines)
    register = reader.read(data)
    if reader.faults:
        raise RegisterMapInvalid(tuple(sorted(reader.faults, key=lambda fault: fault.line)))
    return register


class _Reader:
    """Collects faults while it reads; what it returns is meant only if there are none."""

    def __init__(self, lines: TomlLines) -> None:
        self.lines = lines
        self.faults: list[Fault] = []

    def read(self, data: dict[str, Any]) -> RegisterMap:
        """Read the whole file."""
        self._known_keys((), data, _TOP)
        head = self._section(data, ("register",))
        self._known_keys(("register",), head, _REGISTER)
        register_id = self._text(head, ("register", "id"))
        if register_id and not is_name(register_id):
            self._fault(("register", "id"), "not a name", "Use 2 to 63 of a-z, 0-9, _ and -, a letter first")
        name = self._text(head, ("register", "name"))
        subject_table = self._text(head, ("register", "subject_table"))
        tables = self._tables(self._section(data, ("table",)))
        if subject_table and subject_table not in tables:
            self._unknown_word(("register", "subject_table"), subject_table, tuple(tables), "table")
        self._same_arity(tables, subject_table)
        attributes = self._attributes(self._section(data, ("attribute",)), tables)
        return RegisterMap(id=register_id, name=name, subject_table=subject_table, tables=tables, attributes=attributes)

    def _tables(self, section: dict[str, Any]) -> dict[str, Table]:
        """Read every ``[table.<alias>]``."""
        tables: dict[str, Table] = {}
        for alias in section:
            path: Path = ("table", alias)
            if not IDENTIFIER.fullmatch(alias):
                self._fault(path, "not an alias", _IDENTIFIER_MEND)
            entry = self._section(section, path)
            self._known_keys(path, entry, _TABLE)
            current = self._identifier(entry, (*path, "current")) if "current" in entry else None
            key = self._key(entry, (*path, "key"))
            if current is not None and current in key:
                self._fault((*path, "current"), "is a key column", "Name the boolean column that marks the current row")
            tables[alias] = Table(alias=alias, name=self._table_name(entry, (*path, "name")), key=key, current=current)
        return tables

    def _table_name(self, entry: dict[str, Any], path: Path) -> str:
        """Read ``schema.table``."""
        name = self._text(entry, path)
        if name and not _TABLE_NAME.fullmatch(name):
            self._fault(path, "not schema.table", 'Write both, in lower case, as in "registre.personne"')
        return name

    def _key(self, entry: dict[str, Any], path: Path) -> tuple[str, ...]:
        """Read the list of key columns."""
        columns = entry.get("key")
        if not isinstance(columns, list) or not columns:
            self._fault(path, "missing" if columns is None else "not a list of columns", 'Write it as in key = ["numero"]')
            return ()
        if len(columns) > _MAX_KEY_COLUMNS:
            self._fault(path, f"more than {_MAX_KEY_COLUMNS} columns", "Use the columns of the primary key")
        for index, column in enumerate(columns):
            if not isinstance(column, str) or not IDENTIFIER.fullmatch(column):
                self._fault((*path, index), "not a column name", _IDENTIFIER_MEND)
            elif column in columns[:index]:
                self._fault((*path, index), f'"{column}" is named twice', "Name each key column once")
        return tuple(str(column) for column in columns)

    def _same_arity(self, tables: dict[str, Table], subject_table: str) -> None:
        """Refuse a table whose key has another number of parts than the subject's."""
        subject = tables.get(subject_table)
        if subject is None or not subject.key:
            return
        for alias, table in tables.items():
            if table.key and len(table.key) != len(subject.key):
                why = f'has {len(table.key)} columns, the key of "{subject_table}" has {len(subject.key)}'
                self._fault(("table", alias, "key"), why, "Name the columns that hold the subject's key, in the same order")

    def _attributes(self, section: dict[str, Any], tables: dict[str, Table]) -> dict[str, Attribute]:
        """Read every ``[attribute.<name>]``."""
        if not section:
            self._fault(("attribute",), "no attribute", "Map at least one, as in [attribute.family_name]")
        attributes: dict[str, Attribute] = {}
        mapped: dict[tuple[str, str], str] = {}
        for name in section:
            path: Path = ("attribute", name)
            if not is_name(name):
                self._fault(path, "not a name", "Use 2 to 63 of a-z, 0-9, _ and -, a letter first")
            entry = self._section(section, path)
            self._known_keys(path, entry, _ATTRIBUTE)
            attributes[name] = self._attribute(entry, path, tables)
            table = tables.get(attributes[name].table)
            if table is not None and (first := mapped.setdefault((table.name, attributes[name].column), name)) != name:
                why = f'"{table.name}.{attributes[name].column}" is already attribute "{first}"'
                self._fault((*path, "column"), why, "Map a column once: one field, one name, one form in a contract")
        return attributes

    def _attribute(self, entry: dict[str, Any], path: Path, tables: dict[str, Table]) -> Attribute:
        """Read one attribute."""
        table = self._text(entry, (*path, "table"))
        if table and table not in tables:
            self._unknown_word((*path, "table"), table, tuple(tables), "table")
        return Attribute(
            name=str(path[-1]),
            type=self._word(entry, (*path, "type"), AttributeType.TEXT),
            category=self._word(entry, (*path, "category"), Category.OTHER),
            sensitivity=self._word(entry, (*path, "sensitivity"), Sensitivity.SPECIAL),
            table=table,
            column=self._identifier(entry, (*path, "column")),
        )

    def _section(self, parent: dict[str, Any], path: Path) -> dict[str, Any]:
        """Return the table at the last key of ``path``, empty with a fault if there is none."""
        entry = parent.get(str(path[-1]))
        if isinstance(entry, dict):
            return entry
        self._fault(path, "missing" if entry is None else "not a table", f"Write it as [{_dotted(path)}]")
        return {}

    def _text(self, entry: dict[str, Any], path: Path) -> str:
        """Return a non-empty text, or an empty one with a fault."""
        value = entry.get(str(path[-1]))
        if isinstance(value, str) and value.strip() and len(value) <= _MAX_NAME and not _CONTROL.search(value):
            return value
        if value is None:
            self._fault(path, "missing", f'Add {path[-1]} = "…"')
        else:
            self._fault(path, "not a plain text", f"Write 1 to {_MAX_NAME} printable characters in quotes")
        return ""

    def _identifier(self, entry: dict[str, Any], path: Path) -> str:
        """Return a column name."""
        name = self._text(entry, path)
        if name and not IDENTIFIER.fullmatch(name):
            self._fault(path, "not a column name", _IDENTIFIER_MEND)
        return name

    def _word(self, entry: dict[str, Any], path: Path, otherwise: _W) -> _W:
        """Return the word of the vocabulary that ``otherwise`` belongs to, or ``otherwise`` with a fault."""
        text = self._text(entry, path)
        vocabulary = type(otherwise)
        if text in set(vocabulary):
            return vocabulary(text)
        if text:
            self._unknown_word(path, text, tuple(vocabulary), str(path[-1]))
        return otherwise

    def _known_keys(self, path: Path, entry: dict[str, Any], known: tuple[str, ...]) -> None:
        """Refuse keys that mean nothing: a misspelt one would be silently without effect."""
        for key in entry:
            if key not in known:
                self._unknown_word((*path, key), key, known, "key")

    def _unknown_word(self, path: Path, word: str, known: tuple[str, ...], kind: str) -> None:
        """Refuse a word and offer the nearest known one."""
        near = get_close_matches(word, known, n=1)
        mend = f'Did you mean "{near[0]}"?' if near else f"Use one of: {', '.join(known) or 'none is defined'}"
        self._fault(path, f'unknown {kind} "{word}"', mend)

    def _fault(self, path: Path, why: str, mend: str) -> None:
        """Note a fault at the line of ``path``."""
        self.faults.append(Fault(line=self.lines.line(path), where=_dotted(path), why=why, mend=mend))


def _dotted(path: Path) -> str:
    """Write a path for a reader."""
    return ".".join(str(part) for part in path)
