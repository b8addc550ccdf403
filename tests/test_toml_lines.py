"""The lines of TOML keys: for every kind of statement, and for whatever ``tomllib`` reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecluse.toml_lines import Path, TomlLines, TomlSyntaxError, load_toml

pytestmark = pytest.mark.unit

FILE = '''\
# a comment with [brackets] and "quotes
title = "x # no comment"
owner.name = "A"          # dotted
owner."e mail" = 'b\\'
text = """
[not a table]
key = 1
"""
raw = \'\'\'
[[nor this]]\'\'\'\'\'
list = [
  1, # [
  [2,
   3],
  { a = 1, b.c = 2 },
]
day = 1979-05-27 07:32:00

[server.alpha]
port = 1
[ server . "be ta" ]
ports = { http = 80, "ht tps" = [
  1,
  2,
] }
[[product]]
name = "one"
[product.size]
w = 1
[[product.part]]
id = "a"
[[product.part]]
id = "b"
[[product]]
[[product.part]]
id = "c"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("owner",), 3),
        (("owner", "e mail"), 4),
        (("text",), 5),
        (("raw",), 9),
        (("list",), 11),
        (("list", 0), 12),
        (("list", 1), 13),
        (("list", 1, 1), 14),
        (("list", 2, "b", "c"), 15),
        (("day",), 17),
        (("server",), 19),
        (("server", "alpha", "port"), 20),
        (("server", "be ta"), 21),
        (("server", "be ta", "ports", "ht tps", 1), 24),
        (("product",), 26),
        (("product", 0, "name"), 27),
        (("product", 0, "size", "w"), 29),
        (("product", 0, "part", 1), 32),
        (("product", 0, "part", 1, "id"), 33),
        (("product", 1), 34),
        (("product", 1, "part", 0, "id"), 36),
    ],
)
def test_line_when_path_is_there_then_its_own(path: Path, line: int) -> None:
    """Every kind of path has the line on which it is written."""
    assert TomlLines(FILE).line(path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [((), 1), (("nothing",), 1), (("server", "alpha", "colour"), 19), (("product", 1, "name"), 34), (("product", 7), 26)],
)
def test_line_when_path_is_not_there_then_the_nearest_parents(path: Path, line: int) -> None:
    """A missing key is reported where its table is."""
    assert TomlLines(FILE).line(path) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\n[b", 2),
        ("a = 1\na = 2\n", 2),
        ("a = " + "9" * 5000, 1),
        ("a = " + "[" * 100_000, 1),
        ('a = """\nx\n', 3),
        ("\x00", 1),
    ],
)
def test_load_when_not_toml_then_refused_with_the_line(text: str, line: int) -> None:
    """What ``tomllib`` trips over, in whatever way, is one error with a line."""
    with pytest.raises(TomlSyntaxError) as refused:
        load_toml(text)
    assert refused.value.line == line
    with pytest.raises(TomlSyntaxError):
        TomlLines(text)


@pytest.mark.parametrize(
    "text",
    [
        '["jo@example.org"]\n["jo@example.org"]', 'a = {"jo@example.org" = 1, "jo@example.org" = 2}', '"jo@example.org" = 1\n["jo@example.org".b]',
        "a.'jo@example.org'.c = 1\n[a.'jo@example.org']", "[[\"l'été, jo@example.org\"]]\n[\"l'été, jo@example.org\"]",
    ],
)  # fmt: skip
def test_load_when_a_quoted_key_is_wrong_then_it_is_not_repeated(text: str) -> None:
    """A key that had to be quoted may be anything, an address for instance: no message has it."""
    with pytest.raises(TomlSyntaxError) as raised:
        load_toml(text)
    assert "jo@" not in str(raised.value)


def test_load_when_a_plain_key_is_there_twice_then_it_is_named() -> None:
    """A plain key is of our own words, and helps to find the place."""
    with pytest.raises(TomlSyntaxError, match="'rooms'"):
        load_toml("a = {rooms = 1, rooms = 2}")


def test_load_when_toml_then_its_data() -> None:
    """A TOML text is read."""
    assert load_toml("a.b = [1]\r\n") == {"a": {"b": [1]}}


def test_line_when_file_is_empty_then_one() -> None:
    """An empty file has one line."""
    assert TomlLines("").line(("a", "b")) == 1


def paths_of(value: Any, path: Path = ()) -> list[Path]:
    """List the paths of everything in a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(below for key, inner in pairs for below in paths_of(inner, (*path, key)))]


KEYS = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", '"g\\"h"', "a.b", 'x . "y"', '""'])
SCALARS = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "inf",
        "true",
        '"t"',
        "'l'",
        '"""m\n"" \\""""',
        "'''\nn'''",
        "07:32:00",
        "1979-05-27 07:32:00Z",
        '"#[{"',
        '""',
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ # c\n" + ",\n".join(items) + "\n]"),
        st.lists(inner, max_size=3).map(lambda items: "{" + ", ".join(f"k{n} = {item}" for n, item in enumerate(items)) + "}"),
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    KEYS.map(lambda key: f"[{key}]"),
    KEYS.map(lambda key: f"[[ {key} ]] # c"),
    st.sampled_from(["", "  # [x]", "\t"]),
)


@example(["[a.b]", "[a]"], "\n")
@given(st.lists(STATEMENTS, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_lines_when_any_toml_then_every_path_is_found(statements: list[str], end: str) -> None:
    """Every path that ``tomllib`` finds in a text has a line of its own in the file."""
    text = end.join(statements)
    try:
        data = load_toml(text)
    except TomlSyntaxError:
        return
    lines = TomlLines(text)
    for path in paths_of(data):
        assert path in lines._lines
        assert 1 <= lines.line(path) <= text.count("\n") + 1
        first = lines.line(path[:1])
        # a parent stands before its parts, unless its own header comes after theirs, as TOML lets it
        assert first <= lines.line(path) or load_toml(text.split("\n")[first - 1].rstrip("\r")) == {path[0]: {}}


@given(st.text(max_size=60))
def test_load_when_any_text_then_data_or_its_own_error(text: str) -> None:
    """No text gets out with another error."""
    try:
        line = TomlLines(text).line(("a",))
    except TomlSyntaxError as refused:
        line = refused.line
    assert 1 <= line <= text.count("\n") + 1
