"""The demo's folder: whatever no demo made is left alone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ecluse.demo import premises
from ecluse.demo.agency import run_demo
from ecluse.demo.options import DemoOptions
from ecluse.errors import ConfigurationError

pytestmark = pytest.mark.e2e


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("contents", ["", "{}", '{"kind": "other"}', "[1]"])
def test_demo_when_the_folder_is_somebodys_then_refused_and_untouched(tmp_path, contents):
    """A folder that holds anything and is not marked as a demo's is refused, whatever its demo.json says."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "demo.json").write_text(contents)
    with pytest.raises(ConfigurationError, match="no demo made it"):
        run_demo(DemoOptions(people=300, folder=tmp_path, port=free_port(), then_exit=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.json", "keys"]


def test_demo_when_the_port_is_taken_then_refused_before_anything_is_made(tmp_path):
    """A port that another program has is refused at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match="taken"):
            run_demo(DemoOptions(people=300, folder=tmp_path / "demo", port=taken.getsockname()[1], then_exit=True))
    assert list(tmp_path.iterdir()) == []


def test_demo_when_there_are_too_few_people_then_refused(tmp_path):
    """Fewer people than a day needs are refused."""
    with pytest.raises(ConfigurationError, match="100"):
        run_demo(DemoOptions(people=99, folder=tmp_path / "demo", port=free_port(), then_exit=True))


def test_clear_when_a_demo_was_cut_short_then_its_own_files_go_and_others_stay(tmp_path):
    """Of an unfinished demo's folder only what a demo makes is deleted."""
    (tmp_path / "demo.unfinished").touch()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "log.key").touch()
    (tmp_path / "notes.txt").touch()
    premises.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_clear_when_the_folder_is_empty_or_absent_then_nothing_happens(tmp_path):
    """Nothing is to be cleared where nothing is."""
    premises.clear(tmp_path)
    premises.clear(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


def test_finish_when_written_then_only_its_owner_reads_it(tmp_path: Path):
    """The file of addresses holds passwords: it is 0600, and marks the folder as a whole demo's."""
    contents = premises.DemoFile(
        base_url="http://127.0.0.1:1",
        log_url="x",
        origin="o",
        log_vkey="v",
        policy_file="p",
        witnesses=[],
        mail_folder="m",
        papers_folder="a",
        database_url="d",
        register_url="r",
        processors=[],
        tour=[],
    )
    (tmp_path / "demo.unfinished").touch()
    premises.finish(tmp_path, contents)
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    premises.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
