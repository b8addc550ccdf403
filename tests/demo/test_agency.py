"""The demo as a whole: it ends well, its files say what happened, its hints work, and no person's value lies around."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from rich.console import Console

from ecluse.client import AsyncClient, ClientError
from ecluse.demo.agency import run_demo
from ecluse.demo.expected import STEPS
from ecluse.demo.firms import firms_for
from ecluse.demo.options import DemoOptions
from ecluse.demo.people import marked_values
from ecluse.demo.scheduler import Scheduler, ScheduleRefused
from ecluse.embedded import EmbeddedPostgres
from ecluse.ids import new_id
from ecluse.ledger.notes import format_vkey, open_cosigned
from ecluse.ledger.quorum import parse_policy
from ecluse.witness.service import Witness
from tests.papers.pdf_text import text_of

pytestmark = pytest.mark.e2e

PEOPLE = 300
_RUN = """
import sys
from pathlib import Path
from ecluse.demo.agency import DemoOptions, run_demo
sys.exit(run_demo(DemoOptions(people=int(sys.argv[1]), folder=Path(sys.argv[2]), port=int(sys.argv[3]))))
"""


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    """A demo's folder and what its files say; ``told``: everything that it printed."""

    def __init__(self, folder: Path, told: str) -> None:
        """Read the two files."""
        self.folder, self.told = folder, told
        self.file: dict[str, Any] = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
        self.account: dict[str, Any] = json.loads((folder / "account.json").read_text(encoding="utf-8"))

    def processor(self, name: str) -> dict[str, Any]:
        """Return a processor's lines of demo.json."""
        return next(one for one in self.file["processors"] if one["id"] == name)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Make a folder that the embedded database's account can pass."""
    with tempfile.TemporaryDirectory(prefix="ecluse-demo-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def finished(place: Path) -> Demo:
    """Run one demo to its end."""
    told = io.StringIO()
    options = DemoOptions(people=PEOPLE, folder=place / "finished", port=free_port(), then_exit=True, console=Console(file=told))
    assert run_demo(options) == 0, told.getvalue()
    return Demo(place / "finished", told.getvalue())


@pytest.fixture(scope="module")
def serving(place: Path) -> Iterator[Demo]:
    """Run one demo that keeps serving, as a process of its own; at the end it is interrupted and has to end well."""
    folder, output = place / "serving", place / "serving.txt"
    with output.open("wb") as file:
        command = [sys.executable, "-c", _RUN, str(PEOPLE), str(folder), str(free_port())]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 120
        while "Serving." not in output.read_text(encoding="utf-8"):
            assert process.poll() is None, output.read_text(encoding="utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield Demo(folder, output.read_text(encoding="utf-8"))
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
    assert code == 0, output.read_text(encoding="utf-8")


def test_demo_when_it_ends_then_nothing_runs_and_nothing_surprised(finished: Demo):
    """The day went as the table says, and neither gate nor database is left behind."""
    assert finished.account["surprises"] == []
    assert "As expected" in finished.told
    assert EmbeddedPostgres(finished.folder / "db", finished.folder / "keys").pid is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{finished.file['base_url']}/healthz")
    assert not (finished.folder / "demo.unfinished").exists()


def test_account_when_read_then_every_kind_of_step_was_made(finished: Demo):
    """Each line of the table of expected outcomes was tried at least once."""
    assert {one["step"]: one["count"] > 0 for one in finished.account["steps"]} == dict.fromkeys(STEPS, True)


def test_account_when_read_then_the_refusals_are_those_of_the_day(finished: Demo):
    """Refusals whose number nothing but the script decides are exactly as many as it says."""
    refusals = finished.account["tally"]["refusals"]
    exact = {"attribute-not-contracted": 1, "gate-frozen": 20, "not-disclosable": 2, "step-up-required": 4, "suspended": 6}
    assert {name: refusals[name] for name in exact} == exact
    assert set(refusals) == {*exact, "budget-spent", "outside-window"}


def test_account_when_read_then_the_ledger_vouches_for_it(finished: Demo):
    """As many receipts as grants, a sound ledger under its signed head, nothing for the suspended client."""
    account, tally = finished.account, finished.account["tally"]
    assert account["receipts"] == tally["grants"] > 200
    assert account["ledger"]["problems"] == []
    assert account["checkpoint"].split("\n")[:3] == [
        finished.file["origin"],
        str(account["ledger"]["size"]),
        account["ledger"]["root_base64"],
    ]
    assert (tally["redelivered"], tally["unlisted"], tally["while_held"], account["proofs"]) == (1, 1, 0, 5)
    assert 100 < tally["persons"] < PEOPLE


def test_demo_json_when_read_then_it_lists_all_that_scripts_need(finished: Demo):
    """The file is as documented, its keys are there, and only its owner reads them."""
    file = finished.file
    assert set(file) == {
        "kind", "base_url", "log_url", "origin", "log_vkey", "policy_file", "witnesses", "mail_folder", "papers_folder", "database_url", "register_url",
        "processors", "tour",
    }  # fmt: skip
    assert file["log_url"] == f"{file['base_url']}/ledger/main"
    assert [one["id"] for one in file["processors"]] == [firm.id for firm in firms_for(PEOPLE)]
    for one in file["processors"]:
        assert set(one) == {"id", "client_id", "private_key_file", "token_url", "agents", "sessions_today"}
        assert 3 <= len(one["agents"]) <= 6
        assert one["sessions_today"] >= 2
    port = file["base_url"].rpartition(":")[2]
    assert [one["url"] for one in file["tour"]] == [f"http://localhost:{port}/{room}" for room in ("console", "desk", "my-data")]
    assert all(set(one) == {"room", "url", "says"} for one in file["tour"])
    secrets = [
        finished.folder / "demo.json",
        finished.folder / "gate.log",
        *finished.folder.glob("witnesses/*.log"),
        *finished.folder.glob("witnesses/*/witness.*"),
        *finished.folder.glob("mail/*"),
        *finished.folder.glob("papers/*"),
        *(Path(one["private_key_file"]) for one in file["processors"]),
    ]
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


SHUT = {
    "aix-langues": ("contract:clause:missing:28.3.h", "clause 28.3.h is missing", "controller", 4),
    "metz-insertion": ("evidence:lapsed:pentest", "penetration test report: too old, past its end, or withdrawn", "processor", 4),
    "nantes-passerelle": ("finding:overdue:fnd_", "a grave finding is past its due day", "processor", 8),
    "bordeaux-avenir": (
        "sub-processor:undeclared:evd_",
        "names a sub-processor that the contract does not name",
        "controller",
        4,
    ),
}


@pytest.mark.parametrize("name", SHUT)
def test_gate_when_shut_then_the_account_says_why_the_mend_and_who_was_told(finished: Demo, name: str):
    """Each of the four has one reason, its mend, the refusals that the ledger holds, and two mails that arrived: the processor's and the agency's."""
    (shut,) = [one for one in finished.account["governed"]["shut"] if one["processor"] == name]
    (reason,), (code, what, move, refused) = shut["reasons"], SHUT[name]
    assert (shut["state"], shut["refused"], reason["move"]) == ("frozen", refused, move)
    assert reason["code"].startswith(code)
    assert what in reason["what"]
    assert reason["mend"]
    assert [one["addresses"] for one in shut["notified"]] == [
        [f"securite@{name}.example"], ["acces@agency.example", "dpo@agency.example"],
    ]  # fmt: skip
    for one in shut["notified"]:
        mail = said_in(finished.folder / one["mail"])
        assert all(address in mail for address in one["addresses"])
        assert "suspendu" in mail
        assert reason["code"] in "".join(mail.split())


def test_gates_when_told_then_each_is_on_the_screen_with_its_mend(finished: Demo):
    """What is printed names the four, and no other gate is shut."""
    assert {one["processor"] for one in finished.account["governed"]["shut"]} == set(SHUT)
    assert "Gates that let nothing through: 4" in finished.told
    for name in SHUT:
        assert f"securite@{name}.example" in finished.told


def test_papers_when_the_day_is_over_then_printed_whole(finished: Demo):
    """The record, one processor's annexes and dossier, and the map: nothing that the law asks for is missing, and each says what it is about."""
    papers = {Path(one["file"]).name: one for one in finished.account["governed"]["papers"]}
    assert {name: one["missing"] for name, one in papers.items()} == dict.fromkeys(PAPERS, 0)
    for name, words in PAPERS.items():
        said = said_in(finished.folder / "papers" / name)
        assert [word for word in words if word not in said] == []
    assert finished.account["governed"]["flows"]["counted"] == finished.account["ledger"]["size"]


def test_flows_when_the_day_is_over_then_what_nobody_asked_for_is_proposed_to_be_withheld(finished: Demo):
    """Two attributes of one contract were never asked for: the account names them, and the one flow that is otherwise than declared."""
    flows = finished.account["governed"]["flows"]
    proposed = [(one["purpose"], one["attribute"], one["after"]) for one in flows["proposed"]]
    assert (flows["proposal_of"], proposed) == (
        "lyon-formation", [("civic-training", "email", "withheld"), ("civic-training", "phone", "withheld")],
    )  # fmt: skip
    assert {(one["processor"], one["outcome"]) for one in flows["flagged"]} == {("bordeaux-avenir", "sub-processor-mismatch")}


PAPERS = {
    "registre-article-30.pdf": ("Agence de démonstration", "Lyon Formation SAS", "Metz Insertion SAS"),
    "annexes-nantes-passerelle.pdf": ("Nantes Passerelle SAS", "Hébergeur Loire SAS"),
    "dossier-nantes-passerelle.pdf": ("Nantes Passerelle SAS", "Un seul compte pour tout l'accueil"),
    "flux.svg": ("Sous-traitants", "Nantes Passerelle SAS"),
}


def test_witnesses_when_the_day_is_over_then_both_signed_its_head(finished: Demo):
    """By the policy of the folder the head is believed, and each witness remembers the very tree; neither runs on."""
    believed = parse_policy(Path(finished.file["policy_file"]).read_bytes())
    found = open_cosigned(
        finished.account["checkpoint"], [peer.verifier for peer in believed.logs], finished.file["origin"], [peer.verifier for peer in believed.witnesses]
    )  # fmt: skip
    assert believed.reached(found.cosigned_at)
    assert not believed.reached(list(found.cosigned_at)[:1])
    assert finished.account["witnesses"] == ["the data-protection officer's office", "Lyon Formation SAS"]
    assert [(peer.name.decode(), format_vkey(peer.verifier), peer.url) for peer in believed.witnesses] == [
        (one["name"], one["vkey"], one["url"]) for one in finished.file["witnesses"]
    ]
    for one in finished.file["witnesses"]:
        (watched,) = Witness(finished.folder / "witnesses" / one["name"]).logs()
        assert watched.seen is not None
        assert (watched.seen.size, watched.refused) == (found.checkpoint.size, ())
        with pytest.raises(httpx.ConnectError):
            httpx.get(one["url"])


def test_witnesses_when_one_is_asked_for_what_it_saw_then_the_note_that_the_gate_serves(serving: Demo):
    """What a monitor gets from a witness is a head of the same log, signed by it."""
    path = f"/{sha256(serving.file['origin'].encode()).hexdigest()}/checkpoint"
    for one in serving.file["witnesses"]:
        note = httpx.get(one["url"] + path).text
        assert note.startswith(serving.file["origin"])
        assert f"\u2014 {one['vkey'].partition('+')[0]} " in note


def test_demo_when_one_is_running_in_the_folder_then_refused(serving: Demo):
    """A running demo is not made anew under its clients' feet."""
    command = [sys.executable, "-c", _RUN, str(PEOPLE), str(serving.folder), str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "a demo is running there" in done.stderr
    assert httpx.get(f"{serving.file['base_url']}/healthz").status_code == 200


def test_hints_when_copied_then_they_work(serving: Demo):
    """Each command under "What to try next" does what its comment says."""
    lines = serving.told[serving.told.index("What to try next") :].partition("The pages, in a browser")[0].split("\n")
    commands = [command for comment, command in pairwise(lines) if comment.startswith("# ")]
    curl, trainer, foreign, hold, verify, witness, gate, notices, less, cat = (shlex.split(command) for command in commands)
    assert (curl[0], cat[0]) == ("curl", "cat")
    assert httpx.get(curl[-1]).text.startswith(serving.file["origin"])
    assert Path(cat[-1]).resolve() == (serving.folder / "demo.json").resolve()
    assert [run(trainer).returncode, run(foreign).returncode, run(verify).returncode] == [0, 1, 0]
    assert serving.file["origin"] in run(witness).stdout
    assert "The gate is frozen" in run(gate).stdout
    assert "access stopped" in run(notices).stdout
    assert "withheld" in run(less).stdout
    held = run([*hold, "--json"])
    assert held.returncode == 0
    assert "suspended" in run(trainer).stdout
    release = [*hold[: hold.index("processor") + 1], "release", json.loads(held.stdout)["hold"], *hold[hold.index("--dir") :]]
    assert run(release).returncode == 0
    assert run(trainer).returncode == 0


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would, from here."""
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


async def test_values_when_searched_then_nowhere_but_in_answers(serving: Demo):
    """No name, address, number or staff label stands in a log, error, metric, entry, tile or file of the demo."""
    register = await asyncpg.connect(EmbeddedPostgres(serving.folder / "db", serving.folder / "keys").superuser_dsn("register"))
    marks = await marked_values(register, 5_000)
    keys = [str(row["numero"]) for row in await register.fetch("select numero from registre.personne")]
    await register.close()
    marks += [label for firm in firms_for(PEOPLE) for label in firm.trainers]
    assert len(marks) > PEOPLE
    answers, errors = await _ask_for_trouble(serving, marks[0])
    assert len(errors) >= 8
    assert any(mark.encode() in answers for mark in marks)  # the search finds what is there
    for place, content in {**await _written(serving), **errors}.items():
        assert [mark for mark in marks if mark.encode() in content] == [], place
        assert [key for key in keys if f"ofii:{key}".encode() in content] == [], place


def said_in(path: Path) -> str:
    """Return what a mail or a paper says to who opens it: the text, not how it is coded."""
    if path.suffix == ".pdf":
        return text_of(path.read_bytes())
    if path.suffix == ".svg":
        return path.read_text(encoding="utf-8")
    mail = message_from_bytes(path.read_bytes(), policy=policy.SMTP)
    return "\n".join([*(f"{name}: {text}" for name, text in mail.items()), mail.get_content()])


async def _written(serving: Demo) -> dict[str, bytes]:
    """Read everything that was written down: logs, files, what was printed, entries, tiles."""
    database = EmbeddedPostgres(serving.folder / "db", serving.folder / "keys")
    found = {path.name: path.read_bytes() for path in (serving.folder / "gate.log", database.log)}
    found |= {
        name: (serving.folder / name).read_bytes()
        for name in ("demo.json", "account.json", "ecluse.toml", "papers.toml", "log.policy")
    }
    found |= {str(path): path.read_bytes() for path in (serving.folder / "witnesses").rglob("*") if path.is_file()}
    found |= {path.name: said_in(path).encode() for name in ("mail", "papers") for path in (serving.folder / name).iterdir()}
    assert sum(name.endswith((".eml", ".pdf", ".svg")) for name in found) >= 40
    found["printed"] = serving.told.encode()
    async with httpx.AsyncClient() as http:
        found["checkpoint"] = (await http.get(f"{serving.file['log_url']}/checkpoint")).content
    owner = await asyncpg.connect(serving.file["database_url"])
    for table, column in (("ledger_entry", "leaf"), ("ledger_tile", "hashes")):
        rows = await owner.fetch(f"select {column} as bytes from ecluse.{table}")  # noqa: S608 - two constants
        assert rows
        found[table] = b"\n".join(row["bytes"] for row in rows)
    await owner.close()
    return found


async def _session_of(serving: Demo, example: dict[str, Any]) -> list[str]:
    """Return the places of the example's session: one learner alone may have a name too short to be searched for."""
    one = serving.processor(example["processor"])
    now = datetime.now(UTC)
    async with AsyncClient(serving.file["base_url"], one["client_id"], one["private_key_file"]) as client:
        for session in await client.sessions(now - timedelta(days=1), now + timedelta(days=2)):
            places = [place.id for place in session.appointments]
            if example["appointment"] in places:
                return places
    raise AssertionError("the example's session is not listed")


async def _ask_for_trouble(serving: Demo, mark: str) -> tuple[bytes, dict[str, bytes]]:
    """Ask for what is granted once and refused often; return the granted bodies and each error's."""
    granted: list[bytes] = []
    errors: dict[str, bytes] = {}

    class Listening(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            body = await response.aread()
            if request.url.path.startswith("/v1/disclosures") and response.status_code == 200:
                granted.append(body)
            if response.status_code >= 400:
                errors[f"error {len(errors)}: {response.status_code} {request.url.path}"] = body
            return response

    example = serving.account["example"]
    fields = list(example["attributes"])
    asks = [
        *[(example["processor"], place, fields) for place in await _session_of(serving, example)],
        (example["processor"], example["foreign"], fields),
        (example["processor"], new_id("apt"), fields),
        (example["processor"], example["appointment"], [*fields, "nationality"]),
        (example["processor"], mark, fields),
        (example["processor"], example["appointment"], [mark]),
        ("aix-langues", example["appointment"], ["family_name"]),
        ("metz-insertion", example["appointment"], ["family_name"]),
    ]
    for name, appointment, wanted in asks:
        one = serving.processor(name)
        agent = example["agent"] if name == example["processor"] else one["agents"][0]
        client = AsyncClient(serving.file["base_url"], one["client_id"], one["private_key_file"], transport=Listening())
        async with client:
            try:
                await client.disclose(appointment, agent, wanted)
            except ClientError as error:
                errors[f"message {len(errors)}"] = f"{error!s} {error!r}".encode()
    errors["schedule"] = await _refused_schedule(serving, mark)
    return b"".join(granted), errors


async def _refused_schedule(serving: Demo, mark: str) -> bytes:
    """Send a schedule that holds a person's value where it does not belong; return the refusal."""
    owner = await asyncpg.connect(serving.file["database_url"])
    client = await owner.fetchval("select id from ecluse.client where role = 'scheduler'")
    await owner.close()
    scheduler = Scheduler(serving.file["base_url"], client, serving.folder / "clients" / "scheduler.pem")
    head = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"
    try:
        with pytest.raises(ScheduleRefused) as refused:
            await scheduler.send(f"{head}\n{','.join([mark] * 12)}\n".encode())
    finally:
        await scheduler.close()
    return str(refused.value).encode()


def test_tour_when_the_demo_serves_then_three_links_that_open_and_stand_nowhere_else(serving: Demo):
    """Each room has its link, with a secret behind the fragment; neither demo.json nor a log knows one of them."""
    links = re.findall(r"^(http://localhost:\d+/\S+)$", serving.told, flags=re.MULTILINE)
    assert [link.partition("#")[0].rpartition("/")[2] for link in links] == ["enrol", "enrol", "my-data"]
    kept = [path.read_text() for path in (serving.folder / "demo.json", serving.folder / "gate.log")]
    for link in links:
        page, _, secret = link.partition("#")
        assert len(secret) == 43
        assert not any(secret in text for text in kept)
        assert httpx.get(page.replace("localhost", "127.0.0.1")).status_code == 200
