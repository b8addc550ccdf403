"""``ecluse processor``: processors, agents, machines and their keys, holds: refusals first, no person's name or reference on the screen."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from ecluse.identity import generate_private, load_private
from tests.cli.offices import Office

pytestmark = pytest.mark.db

LABEL = "Mme Quelqu'une"
PERSON = "ofii:20000000066"


def test_processor_when_its_id_is_no_name_or_taken_then_refused(office: Office) -> None:
    """An id is a plain name, once."""
    wrong = office.run("processor", "add", "Lyon Formation", "--name", "x")
    assert (wrong.exit_code, wrong.stderr.startswith("processor id: it is not a name.")) == (1, True)
    processor = office.firm()
    taken = office.run("processor", "add", processor, "--name", "x")
    assert taken.exit_code == 1
    assert taken.stderr == f"name-taken: the id '{processor}' is in use. Choose another.\n"


def test_processor_when_listed_then_with_its_contract_and_gate(office: Office) -> None:
    """The list says at a glance who may do what."""
    processor = office.firm()
    office.json("processor", "agent", "add", processor, "--label", LABEL)
    (row,) = [one for one in office.json("processor", "list")["processors"] if one["id"] == processor]
    assert (row["version"], row["reference"], row["gate"], row["agents"], row["clients"], row["holds"]) == (
        1,
        "2026-CIR-017",
        "open",
        1,
        0,
        0,
    )
    assert [site["id"] for site in office.json("processor", "site", processor)["sites"]] == ["lyon-3", "villeurbanne"]


def test_site_when_there_is_no_contract_then_refused(office: Office) -> None:
    """Sites are of the contract."""
    office.json("processor", "add", "firm-bare", "--name", "x")
    assert office.run("processor", "site", "firm-bare").stderr.startswith("firm-bare: it has no contract in force")


def test_agent_when_added_then_its_label_is_shown_only_on_demand(office: Office) -> None:
    """A label may be a name of the processor's staff: it is never shown unasked."""
    assert office.run("processor", "agent", "add", "firm-none", "--label", LABEL).exit_code == 1
    processor = office.firm()
    added = office.run("processor", "agent", "add", processor, "--label", LABEL)
    assert LABEL not in added.output
    assert LABEL not in office.run("processor", "agent", "list", processor).output
    (agent,) = office.json("processor", "agent", "list", processor)["agents"]
    assert set(agent) == {"agent", "added_at"}
    assert office.json("processor", "agent", "list", processor, "--labels")["agents"][0]["label"] == LABEL


def test_agents_when_the_processor_is_unknown_then_refused(office: Office) -> None:
    """An empty list would say that there is such a processor."""
    assert office.run("processor", "agent", "list", "firm-none").stderr.startswith("processor-unknown: ")


@pytest.mark.parametrize("words", [(), ("--key", "a.pem", "--generate", "b.pem")])
def test_client_when_not_one_key_then_wrong_usage(office: Office, words: tuple[str, ...]) -> None:
    """A machine has exactly one first key."""
    assert office.run("processor", "client", "add", "firm-none", "--label", "x", *words).exit_code == 2


@pytest.mark.parametrize("words", [(), ("firm-x", "--scheduler")])
def test_client_when_nobodys_or_twos_then_wrong_usage(office: Office, words: tuple[str, ...]) -> None:
    """A machine is a processor's or the controller's own."""
    assert office.run("processor", "client", "add", *words, "--label", "x", "--generate", "x.pem").exit_code == 2


def unusable_keys() -> dict[str, bytes]:
    """Return files that are no public key for a machine, by what they are."""
    big = ec.generate_private_key(ec.SECP384R1()).public_key()
    return {
        "it is a private key, which belongs to the processor alone": generate_private("ES256"),
        "it is not a public key that can be used": json.dumps(ECKey.import_key(ec.generate_private_key(ec.SECP256R1())).as_dict(private=True)).encode(),
        "it is neither P-256 nor Ed25519": big.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "it is neither a JWK nor a PEM file": b"nonsense",
        "it is neither P-256 nor Ed25519 ": rsa.generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }  # fmt: skip


@pytest.mark.parametrize("why", ["private", "used", "P-256", "JWK", "Ed25519 "])
def test_client_when_its_key_can_not_be_one_then_refused(office: Office, tmp_path: Path, why: str) -> None:
    """A private key is not taken, nor another kind, nor a file that is none; its content is not repeated."""
    says, content = next((says, content) for says, content in unusable_keys().items() if why in says)
    path = tmp_path / "key"
    path.write_bytes(content)
    result = office.run("processor", "client", "add", "firm-none", "--label", "x", "--key", path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}: {says.strip()}")
    assert content.decode() not in result.output


def test_client_when_the_processor_is_unknown_then_no_private_key_is_left(office: Office, tmp_path: Path) -> None:
    """A pair whose public half nobody registered is not kept."""
    result = office.run("processor", "client", "add", "firm-none", "--label", "x", "--generate", tmp_path / "key.pem")
    assert result.stderr.startswith("processor-unknown: no processor 'firm-none' is registered.")
    assert list(tmp_path.iterdir()) == []


def test_client_when_its_key_is_made_then_in_a_new_file_for_its_owner(office: Office, tmp_path: Path) -> None:
    """The private half goes to a file of mode 0600, never over another, and is not shown."""
    path, processor = tmp_path / "key.pem", office.firm()
    made = office.json("processor", "client", "add", processor, "--label", "server", "--generate", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_private(path.read_bytes()).thumbprint == made["thumbprint"]
    assert made["log_vkey"].startswith("evaluation.invalid/ecluse/main+")
    again = office.run("processor", "client", "add", processor, "--label", "server", "--generate", path)
    assert (again.exit_code, "can't be written (File exists)" in again.stderr) == (2, True)
    assert load_private(path.read_bytes()).thumbprint == made["thumbprint"]


def test_key_when_added_and_revoked_then_listed_so(office: Office, tmp_path: Path) -> None:
    """A key is changed without a gap: add the second (PEM or JWK), revoke the first; a key is revoked once."""
    processor = office.firm()
    made = office.json("processor", "client", "add", processor, "--label", "server", "--generate", tmp_path / "1.pem")
    second, third = ed25519.Ed25519PrivateKey.generate().public_key(), load_private(generate_private("ES256")).public
    (tmp_path / "2.pem").write_bytes(second.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "3.jwk").write_text(json.dumps(third.jwk), encoding="utf-8")
    client = made["client"]
    office.json("processor", "key", "add", client, "--key", tmp_path / "2.pem")
    office.json("processor", "key", "add", client, "--key", tmp_path / "3.jwk")
    assert office.run("processor", "key", "add", client, "--key", tmp_path / "3.jwk").exit_code == 1
    assert office.run("processor", "key", "revoke", client, made["thumbprint"], stdin="n\n").exit_code == 1
    assert office.json("processor", "key", "revoke", client, made["thumbprint"], "--yes")["keys_left"] == 2
    assert office.run("processor", "key", "revoke", client, made["thumbprint"], "--yes").stderr.startswith(
        "client-unknown: no such key in use"
    )
    (listed,) = office.json("processor", "client", "list", processor)["clients"]
    assert {key["alg"]: bool(key["revoked_at"]) for key in listed["keys"] if key["thumbprint"] != third.thumbprint} == {
        "ES256": True,
        "EdDSA": False,
    }


def test_thumbprint_when_it_begins_with_a_dash_then_no_option(office: Office) -> None:
    """One thumbprint in 64 looks like an option: it is taken as what it is, in an incident above all."""
    result = office.run("processor", "key", "revoke", "cli_" + "a" * 26, "-h" + "A" * 41, "--yes")
    assert (result.exit_code, result.stderr.startswith("client-unknown: no such client.")) == (1, True)


@pytest.mark.parametrize(
    ("scope", "target", "says"),
    [
        ("processor", "firm-none", "processor firm-none: nothing is registered under that id. `ecluse processor list`"),
        ("agent", "agt_x", "agent agt_x: nothing is registered under that id."),
        ("person", "Jeanne Quelqu'une", "person: it is not a subject_ref of this register. Write ofii:KEY."),
    ],
)
def test_hold_when_it_would_hold_nothing_then_refused(office: Office, scope: str, target: str, says: str) -> None:
    """A hold on something that is not there would be believed and do nothing."""
    result = office.run("processor", "hold", scope, target, "--reason", "incident 12")
    assert result.exit_code == 1
    assert result.stderr.startswith(says)
    assert "Jeanne" not in result.output


@pytest.mark.parametrize(
    "words",
    [("--from", "tomorrow"), ("--until", "2026-01-05T09:00"), ("--from", "2026-02-01T00:00Z", "--until", "2026-01-01T00:00Z")],
)
def test_hold_when_its_time_is_not_one_then_wrong_usage(office: Office, words: tuple[str, ...]) -> None:
    """A time has an offset, and an end comes after its begin."""
    assert office.run("processor", "hold", "processor", "firm-none", "--reason", "x", *words).exit_code == 2


def test_hold_when_placed_then_listed_and_released_once(office: Office) -> None:
    """A hold is in force until it is released, and its entries are in the ledger."""
    processor = office.firm()
    placed = office.json("processor", "hold", "processor", processor, "--reason", "incident 12")
    (held,) = [one for one in office.json("processor", "holds")["holds"] if one["id"] == placed["hold"]]
    assert (held["state"], held["effect"], held["target"], held["reason"]) == ("in force", "suspend", processor, "incident 12")
    assert [one["holds"] for one in office.json("processor", "list")["processors"] if one["id"] == processor] == [1]
    assert office.json("processor", "release", placed["hold"])["index"] == placed["index"] + 1
    assert office.run("processor", "release", placed["hold"]).stderr.startswith("hold-unknown: ")
    assert placed["hold"] not in {one["id"] for one in office.json("processor", "holds")["holds"]}
    assert placed["hold"] in {one["id"] for one in office.json("processor", "holds", "--all")["holds"]}


def test_hold_when_on_a_person_then_the_reference_is_never_shown(office: Office) -> None:
    """A person's reference is read from standard input and appears in no answer."""
    outputs = [
        office.run("processor", "hold", "person", "-", "--reason", "order 7", "--effect", "keep", stdin=f"{PERSON}\n").output
    ]
    outputs += [office.run("processor", "holds", *words).output for words in ((), ("--json",))]
    assert "order 7" in outputs[1]
    assert [output for output in outputs if PERSON.partition(":")[2] in output] == []
