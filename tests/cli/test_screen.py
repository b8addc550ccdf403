"""The screen: text that can do nothing to a terminal, and nothing but JSON on standard output where JSON was asked for."""

from __future__ import annotations

import json

import pytest

from ecluse.cli.screen import Screen, counted, plain

pytestmark = pytest.mark.unit


def test_text_when_it_holds_control_characters_then_they_are_replaced() -> None:
    """Escape sequences and reversed writing from a file are shown as what they are: nothing."""
    assert plain("a\x1b[2Jb\u202ec\r\n") == "a\ufffd[2Jb\ufffdc\ufffd\ufffd"


def test_text_when_in_another_script_then_it_stays() -> None:
    """Letters, marks and joiners of names stay."""
    assert plain("می‌خواهم Đặng") == "می‌خواهم Đặng"


def test_markup_when_in_a_text_then_it_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets of a file are not markup."""
    screen = Screen(as_json=False)
    screen.say("[limits] [bold]x[/bold]")
    screen.table(("where",), [("[purpose.sheet]",)])
    out = capsys.readouterr().out
    assert "[limits] [bold]x[/bold]" in out
    assert "[purpose.sheet]" in out


def test_words_when_json_was_asked_for_then_only_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Words and tables keep silent; a notice goes to standard error."""
    screen = Screen(as_json=True)
    screen.say("hello")
    screen.table(("a",), [(1,)], title="t")
    screen.pairs([("a", 1)])
    screen.note("beware")
    screen.answer({"a": 1})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"a": 1}
    assert captured.err == "beware\n"


def test_table_when_empty_then_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """No rows is a sentence, not an empty frame."""
    Screen(as_json=False).table(("a",), [], empty="Nothing is held.")
    assert capsys.readouterr().out == "Nothing is held.\n"


@pytest.mark.parametrize(("number", "text"), [(0, "0 entries"), (1, "1 entry"), (2_100, "2,100 entries")])
def test_count_when_said_then_in_its_number(number: int, text: str) -> None:
    """One entry, two entries."""
    assert counted(number, "entry", "entries") == text


def test_table_when_too_wide_for_the_screen_then_blocks_and_no_id_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """On a narrow screen a row becomes a block of lines, so that an id can still be copied; what is empty is left out."""
    ids = ["cli_" + "a" * 26, "agt_" + "b" * 26, "k" * 43, "apt_" + "c" * 26, "dsc_" + "d" * 26, "hld_" + "e" * 26]
    Screen(as_json=False).table(("one", "two", "three", "four", "five", "six", "why"), [[*ids, ""]])
    lines = [line.split() for line in capsys.readouterr().out.strip().splitlines()]
    assert lines == [[head, word] for head, word in zip(("one", "two", "three", "four", "five", "six"), ids, strict=True)]
