"""The auditor's example in Go: a log library that shares no code with Écluse reads a working gate's log and receipts, and refuses what was bent.

Skipped by name where Go or its library (Debian: golang-go, golang-golang-x-mod-dev) is not on the machine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.model import Checkpoint
from ecluse.ledger.notes import COSIGNATURE, cosign, format_vkey, sign_checkpoint, verifier_of_key
from ecluse.ledger.sign import load_log_key
from tests.agency import ORIGIN, Agency, founded
from tests.e2e.desk import Desk, at_work, code_of
from tests.e2e.outsider import read_checkpoint
from tests.invented import MARK

pytestmark = pytest.mark.e2e

FOLDER: Final = Path(__file__).resolve().parents[2] / "examples" / "go"
GOPATH: Final = Path("/usr/share/gocode")
"""Where Debian lays Go's libraries."""
WITNESS: Final = Ed25519PrivateKey.from_private_bytes(b"\x21" * 32)
WITNESS_VKEY: Final = format_vkey(verifier_of_key("witness.example/w", WITNESS, COSIGNATURE))


@dataclass(frozen=True, kw_only=True)
class Auditor:
    """The program, built."""

    program: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    """Build the program from its folder, with nothing fetched from anywhere."""
    go = shutil.which("go")
    if go is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("examples/go not run: go or golang.org/x/mod (golang-golang-x-mod-dev) is not on this machine")
    place = tmp_path_factory.mktemp("go")
    settings = {
        "GOPATH": str(GOPATH),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
        "GOCACHE": str(place / "cache"),
        "HOME": str(place),
    }
    program = place / "verify"
    subprocess.run(
        [go, "build", "-o", program, "."], cwd=FOLDER, env={"PATH": os.environ["PATH"], "TMPDIR": str(place), **settings}, check=True, timeout=280
    )  # fmt: skip
    return Auditor(program=program)


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


def log_key(agency: Agency) -> Ed25519PrivateKey:
    """Return the key that signs the agency's log."""
    return load_log_key(agency.installation.secret("log.key"))


async def receipt(desk: Desk, person: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Disclose a person and wait for the proof; return what goes into the file's extra, and the proof."""
    answer = await desk.disclose(person, ["family_name", "birth_date"])
    assert code_of(answer) == "ok", answer.text
    given = answer.json()
    for _ in range(60):
        proof = await desk.machine.call("GET", f"/v1/disclosures/{given['disclosure']}/proof")
        if code_of(proof) == "ok":
            break
        await asyncio.sleep(0.2)
    held = given["receipt"]
    extra = {"opening": held["opening"], "v": 1, "value_salts": held["value_salts"], "values": given["subject"]}
    return extra, proof.json()


def written(extra: dict[str, Any], proof: dict[str, Any], **changes: Any) -> str:
    """Write a receipt's file (decision 0005), ``changes`` in place of the proof's members."""
    said = proof | changes
    path = "".join(b64encode(bytes.fromhex(one)).decode() + "\n" for one in said["inclusion"])
    return f"c2sp.org/tlog-proof@v1\nextra {b64encode(rfc8785.dumps(extra)).decode()}\nindex {said['index']}\n{path}\n{said['checkpoint']}"


def test_example_when_read_then_short() -> None:
    """No file of it is longer than 150 lines."""
    files = sorted(FOLDER.iterdir())
    assert [path.name for path in files] == ["log.go", "main.go", "receipt.go", "witness.go"]
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 150


async def test_receipt_when_checked_in_go_then_it_holds_and_nothing_bent_does(
    auditor: Auditor, agency: Agency, tmp_path: Path
) -> None:
    """A gate's receipt verifies with the log's key and a witness's; with any part of it changed, or a key or cosignature missing, it does not."""
    vkey = format_vkey(verifier_of_key(ORIGIN, log_key(agency)))
    file = tmp_path / "receipt.tlog-proof"
    async with at_work(agency, [10, 11]) as desk:
        extra, proof = await receipt(desk, 10)
        other, other_proof = await receipt(desk, 11)
    text = proof["checkpoint"].partition("\n\n")[0] + "\n"
    cosigned = proof["checkpoint"] + cosign(text, "witness.example/w", WITNESS, 1_700_000_000)
    fields = extra["opening"]["fields"]
    forms = next(number for number, one in enumerate(fields) if one[0] == "forms")
    milder = [*fields[:forms], ["forms", fields[forms][1], {"family_name": "initial"}], *fields[forms + 1 :]]
    bent = {
        "a value": written(extra | {"values": extra["values"] | {"birth_date": 1901}}, proof, checkpoint=cosigned),
        "a salt": written(extra | {"value_salts": other["value_salts"]}, proof, checkpoint=cosigned),
        "forms": written(extra | {"opening": extra["opening"] | {"fields": milder}}, proof, checkpoint=cosigned),
        "the hour": written(extra | {"opening": extra["opening"] | {"h": "2001-01-01T00Z"}}, proof, checkpoint=cosigned),
        "another entry's opening": written(other, proof, checkpoint=cosigned),
        "another entry's proof": written(extra, other_proof, checkpoint=cosigned),
        "the index": written(extra, proof, index=proof["index"] + 1, checkpoint=cosigned),
        "a proof cut": written(extra, proof, inclusion=proof["inclusion"][:-1], checkpoint=cosigned),
        "no cosignature": written(extra, proof),
        "a cosignature of another text": written(
            extra, proof, checkpoint=proof["checkpoint"] + cosign("x\n1\nx\n", "witness.example/w", WITNESS, 1)
        ),
    }
    keys = ("-log", vkey, "-witness", WITNESS_VKEY, "-quorum", "1", "receipt", str(file))
    file.write_text(written(extra, proof, checkpoint=cosigned), encoding="utf-8")
    good = auditor.run(*keys)
    assert (good.returncode, good.stderr) == (0, "")
    assert "2 values proven" in good.stdout
    assert desk.party.name in good.stdout
    assert MARK not in good.stdout.replace(desk.party.agent, "")
    stranger = format_vkey(verifier_of_key(ORIGIN, WITNESS))
    assert auditor.run("-log", stranger, "receipt", str(file)).returncode == 1
    for what, content in bent.items():
        file.write_text(content, encoding="utf-8")
        ended = auditor.run(*keys)
        assert (ended.returncode, ended.stdout) == (1, ""), what
        assert ended.stderr.startswith("refused: "), what


async def test_log_when_read_in_go_then_consistent_with_what_was_seen_and_no_fork_is(
    auditor: Auditor, agency: Agency, tmp_path: Path
) -> None:
    """Go's library rebuilds the tree from a gate's tiles and finds an older checkpoint in it; another history of the same key, or a bent tile, it refuses."""
    key, old = log_key(agency), tmp_path / "old"
    vkey = format_vkey(verifier_of_key(ORIGIN, key))
    address = f"{agency.public_url}/ledger/main"
    async with at_work(agency, [20, 21]) as desk, httpx.AsyncClient() as http:
        await receipt(desk, 20)
        before = (await http.get(f"{address}/checkpoint")).text
        await receipt(desk, 21)
    _, size, _ = read_checkpoint(before, vkey)
    old.write_text(before, encoding="utf-8")
    good = await asyncio.to_thread(auditor.run, "-log", vkey, "log", address, str(old))
    assert (good.returncode, good.stderr) == (0, "")
    assert f"extends the older checkpoint of {size} entries" in good.stdout
    old.write_text(sign_checkpoint(Checkpoint(origin=ORIGIN, size=size, root=b64decode("A" * 43 + "=")), key), encoding="utf-8")
    forked = await asyncio.to_thread(auditor.run, "-log", vkey, "log", address, str(old))
    assert (forked.returncode, forked.stderr.startswith("refused: ")) == (1, True)
    assert (
        await asyncio.to_thread(auditor.run, "-log", vkey, "-witness", WITNESS_VKEY, "-quorum", "1", "log", address)
    ).returncode == 1
    whole = (await agency.fetch("select hashes from ecluse.ledger_tile where level = 0 and tile = 0"))[0]["hashes"]
    change = "update ecluse.ledger_tile set hashes = $1 where level = 0 and tile = 0"
    await agency.execute(change, whole[:2] + bytes([whole[2] ^ 1]) + whole[3:])
    bent = await asyncio.to_thread(auditor.run, "-log", vkey, "log", address)
    await agency.execute(change, whole)
    assert (bent.returncode, bent.stderr.startswith("refused: ")) == (1, True)
