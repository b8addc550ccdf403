"""The worked examples run: each proves itself on the published vectors, then works against a real gate. What lacks its runtime is skipped by name."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.notes import format_vkey, verifier_of_key
from ecluse.ledger.sign import load_log_key
from tests.agency import ORIGIN, Agency, founded
from tests.e2e.desk import Desk, at_work
from tests.invented import MARK

pytestmark = pytest.mark.e2e

ROOT: Final = Path(__file__).resolve().parents[2]
VECTORS: Final = ROOT / "tests" / "vectors" / "integrators"
MOST_LINES: Final = 150
SECONDS: Final = 240
"""How long a run may take before it counts as hung: the machine may be busy."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A worked example. ``needs``: the commands without which it can't run; ``command``: how it is run from its folder."""

    folder: str
    needs: tuple[str, ...]
    command: tuple[str, ...]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, or skip the test where a command is missing."""
        missing = [name for name in self.needs if shutil.which(name) is None]
        if missing:
            pytest.skip(f"examples/{self.folder} not run: {', '.join(missing)} not on this machine")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "JAVA_HOME", "DOTNET_ROOT") if name in os.environ}
        kept["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # a short run pays for no optimiser
        command = [shutil.which(self.command[0]) or self.command[0], *self.command[1:], *arguments]
        return subprocess.run(
            command, cwd=ROOT / "examples" / self.folder, env=kept | environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )  # fmt: skip


EXAMPLES: Final = (
    Example(folder="shell", needs=("bash", "openssl", "curl", "awk", "od"), command=("bash", "ecluse.sh")),
    Example(folder="php", needs=("php",), command=("php", "ecluse.php")),
    Example(folder="java", needs=("java", "javac"), command=("sh", "run.sh")),
)
of_each = pytest.mark.parametrize("example", EXAMPLES, ids=[each.folder for each in EXAMPLES])


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


def settings_of(agency: Agency, desk: Desk, folder: Path, **changes: str) -> dict[str, str]:
    """Write down what the agency hands over, as an example reads it."""
    machine = desk.party.machines[0]
    key = folder / "client.pem"
    key.write_bytes(machine.key.as_pem(private=True))
    log_key = load_log_key(agency.installation.secret("log.key"))
    return {
        "ECLUSE_URL": agency.public_url, "ECLUSE_CLIENT": machine.id, "ECLUSE_KEY": str(key), "ECLUSE_AGENT": desk.party.agent,
        "ECLUSE_VKEY": format_vkey(verifier_of_key(ORIGIN, log_key)),
    } | changes  # fmt: skip


async def work(example: Example, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run an example beside the event loop."""
    return await asyncio.to_thread(example.run, **environment)


@of_each
def test_examples_when_read_then_short(example: Example) -> None:
    """No file of an example is longer than 150 lines."""
    for path in (ROOT / "examples" / example.folder).iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path.name


@of_each
def test_examples_when_a_vector_is_spoilt_then_the_self_test_says_so(example: Example, tmp_path: Path) -> None:
    """The self-test has teeth: with one digit of the accepted receipt's leaf changed, or with another thumbprint, it fails."""
    for name, sign in (("receipts.json", '"leaf_hash": "'), ("keys.json", '"thumbprint": "')):
        spoilt = tmp_path / name.partition(".")[0]
        shutil.copytree(VECTORS, spoilt, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        before, found, after = (spoilt / name).read_text(encoding="utf-8").partition(sign)
        changed = ("1" if after[0] == "0" else "0") + after[1:]
        (spoilt / name).write_text(before + found + changed, encoding="utf-8")
        ended = example.run("--self-test", str(spoilt))
        assert ended.returncode != 0, ended.stdout


@of_each
def test_examples_when_proving_themselves_then_every_vector_is_as_published(example: Example) -> None:
    """The self-test passes on the published vectors and says how many it judged."""
    ended = example.run("--self-test", str(VECTORS))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = re.fullmatch(r"self-test: (\d+) vectors are as published\n", ended.stdout)
    assert told, ended.stdout
    assert int(told[1]) >= 30


@of_each
async def test_examples_when_the_log_is_another_then_refused(example: Example, agency: Agency, tmp_path: Path) -> None:
    """With another log's key the person is disclosed and the receipt is not believed."""
    other = "agency.example/ecluse/main+8bcd6e8f+AeLBy5kEQnbLQfU2cBZCp1qvGqjjRwLmTeDWmLpHbqZ4"
    async with at_work(agency) as desk:
        ended = await work(example, settings_of(agency, desk, tmp_path, ECLUSE_VKEY=other))
    assert ended.returncode != 0
    assert "refused: checkpoint" in ended.stderr
    assert MARK not in ended.stdout + ended.stderr


@of_each
async def test_examples_when_refused_then_the_page_is_named(example: Example, agency: Agency, tmp_path: Path) -> None:
    """An attribute that the contract does not name ends the program with the address of the page that says whose move it is."""
    async with at_work(agency, attributes={"given_name": "initial"}) as desk:
        ended = await work(example, settings_of(agency, desk, tmp_path))
    assert ended.returncode != 0
    assert f"{agency.public_url}/problems/attribute-not-contracted" in ended.stderr


@of_each
async def test_examples_when_working_then_one_person_once_and_proven(example: Example, agency: Agency, tmp_path: Path) -> None:
    """Token, sessions, one disclosure, the same again without spending anything, and the entry proven in the log; no value is printed."""
    before = await agency.size()
    async with at_work(agency) as desk:
        before = await agency.size()
        ended = await work(example, settings_of(agency, desk, tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    disclosed, again, proven = ended.stdout.splitlines()
    sealed = [each for each in await agency.openings(since=before) if str(each["event"]).startswith("disclosure:")]
    assert [each["event"] for each in sealed] == ["disclosure:person:granted"]
    index = sealed[0]["index"]
    assert disclosed == f'disclosed {sealed[0]["disclosure"]}: {{"family_name":"full","given_name":"initial"}}'
    assert again == f"asked again with the same key: the same receipt, entry {index}"
    assert proven == f"entry {index} is in the log {ORIGIN}"
    assert MARK not in ended.stdout + ended.stderr
