"""Where in a TOML file a key stands, so that an error about its meaning can name the line.

``tomllib`` reads the file and forgets the lines; ``TomlLines`` walks the same text once more and keeps them. It does not judge: a
text that ``tomllib`` refuses is refused first, with its line, and the walk relies on the grammar of TOML 1.0 from there on.

A path is a tuple of keys and, for arrays, indexes from 0: ``("purpose", 1, "attributes", "email")`` is the ``email`` of the
second ``[[purpose]]``. Lines count from 1. A path that the file lacks has the line of its nearest parent that it has, else 1.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ecluse.errors import EcluseError

if TYPE_CHECKING:
    from collections.abc import Sequence

Path: TypeAlias = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")  # between statements and inside arrays
_SPACE: Final = re.compile(r"[ \t]*")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_TEXT: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\r\n]+")
_TOO_DEEP: Final = "Nested too deeply"
_AT_LINE: Final = re.compile(r" ?\(at (?:line (\d+), column \d+|end of document)\)$")
_QUOTED: Final = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_SHOWN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}|.{0,2}", re.DOTALL)  # a plain key, a sign that is expected


class TomlSyntaxError(EcluseError):
    """The file is not TOML."""

    code = "toml-syntax"

    def __init__(self, line: int, why: str) -> None:
        """Say on which ``line`` (from 1) the file stops being TOML, and ``why``."""
        super().__init__(f"line {line}: {why}")
        self.line, self.why = line, why


def load_toml(text: str) -> dict[str, Any]:
    """Read a TOML text; raises ``TomlSyntaxError`` for everything that is not TOML, whatever the reader trips over.

    What it says repeats plain keys alone: a quoted one may be anything, an address for instance.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TomlSyntaxError(1, _TOO_DEEP) from None
    except ValueError as error:  # TOMLDecodeError, or a bare ValueError for an integer of thousands of digits
        why = hide_quoted(str(error))
        found = _AT_LINE.search(why)
        if found is None:
            raise TomlSyntaxError(1, why) from None
        line = int(found.group(1)) if found.group(1) else text.count("\n") + 1
        raise TomlSyntaxError(line, why[: found.start()]) from None


def hide_quoted(why: str) -> str:
    """Return a reader's message without the keys that had to be quoted."""
    return _QUOTED.sub(lambda found: found[0] if _SHOWN.fullmatch(found[1] or found[2] or "") else '"…"', why)


class TomlLines:
    """The line of every key, table and array element of one TOML text."""

    def __init__(self, text: str) -> None:
        """Walk ``text``; raises ``TomlSyntaxError`` if it is not TOML. Cost: linear in its length."""
        load_toml(text)
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # path of an array of tables -> index of its last element
        try:
            self._walk()
        except RecursionError:
            raise TomlSyntaxError(1, _TOO_DEEP) from None

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of ``path``, or of its nearest parent that is in the file, or 1."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(tuple(path[:length]))
            if line is not None:
                return line
        return 1

    def _walk(self) -> None:
        """Go through the statements: ``[[table]]``, ``[table]`` or ``key = value``."""
        table: Path = ()
        at = self._skip(0)
        while at < len(self._text):
            if self._text.startswith("[[", at):
                keys, end = self._keys(at + 2)
                table = self._open_element(keys, at)
                at = end + 2
            elif self._text[at] == "[":
                keys, end = self._keys(at + 1)
                table = self._resolve(keys)
                self._note(table, at, exact=True)
                at = end + 1
            else:
                at = self._pair(table, at)
            at = self._skip(at)

    def _open_element(self, keys: list[str], at: int) -> Path:
        """Count one more element of an array of tables and return its path."""
        array = (*self._resolve(keys[:-1]), keys[-1])
        self._tables[array] = self._tables.get(array, -1) + 1
        element = (*array, self._tables[array])
        self._note(element, at, exact=True)
        return element

    def _resolve(self, keys: list[str]) -> Path:
        """Turn the keys of a header into a path: a name of an array of tables means its last element."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._tables:
                path = (*path, self._tables[path])
        return path

    def _note(self, path: Path, at: int, *, exact: bool) -> None:
        """Keep the line of ``path``; parents that were never written get the line of their first child."""
        line = bisect_right(self._starts, at)
        for length in range(1, len(path)):
            self._lines.setdefault(path[:length], line)
        if exact:
            self._lines[path] = line
        else:
            self._lines.setdefault(path, line)

    def _skip(self, at: int) -> int:
        """Pass white space, line ends and comments."""
        return _end(_BLANK, self._text, at)

    def _keys(self, at: int) -> tuple[list[str], int]:
        """Read a dotted key; return its parts and the offset of what follows it."""
        keys: list[str] = []
        while True:
            start = _end(_SPACE, self._text, at)
            at = _end(_KEY, self._text, start)
            keys.append(_plain(self._text[start:at]))
            at = _end(_SPACE, self._text, at)
            if not self._text.startswith(".", at):
                return keys, at
            at += 1

    def _pair(self, table: Path, at: int) -> int:
        """Read ``key = value`` of ``table``; return the offset after the value."""
        keys, equals = self._keys(at)
        path = (*table, *keys)
        self._note(path, at, exact=False)
        return self._value(path, _end(_SPACE, self._text, equals + 1))

    def _value(self, path: Path, at: int) -> int:
        """Pass one value, noting the elements of an array and the keys of an inline table; return the offset after it."""
        opening = self._text[at]
        if opening == "[":
            return self._array(path, at + 1)
        if opening == "{":
            return self._inline(path, at + 1)
        return _end(_TEXT if opening in "\"'" else _SCALAR, self._text, at)

    def _array(self, path: Path, at: int) -> int:
        """Pass the elements of an array up to and with its bracket."""
        at, index = self._skip(at), 0
        while self._text[at] != "]":
            self._note((*path, index), at, exact=False)
            at = self._skip(self._value((*path, index), at))
            if self._text[at] == ",":
                at = self._skip(at + 1)
            index += 1
        return at + 1

    def _inline(self, path: Path, at: int) -> int:
        """Pass the pairs of an inline table up to and with its brace."""
        at = self._skip(at)
        while self._text[at] != "}":
            at = self._skip(self._pair(path, at))
            if self._text[at] == ",":
                at = self._skip(at + 1)
        return at + 1


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where ``pattern`` ends that begins at ``at``; the text is TOML, so it does begin there."""
    match = pattern.match(text, at)
    if match is None:
        raise AssertionError("impossible: TOML that tomllib reads and the walk does not")
    return match.end()


def _plain(key: str) -> str:
    """Return what a bare or quoted key means."""
    if key[0] not in "\"'":
        return key
    return str(tomllib.loads(f"key = {key}")["key"])
