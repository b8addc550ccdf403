"""``ecluse doctor``: what is wrong is found where it is, with its mend; what is right is said, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ecluse.embedded import EmbeddedPostgres
from tests.cli.offices import Office

pytestmark = pytest.mark.db


def lines(office: Office, code: int = 0) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Run the doctor and return its lines by part and place."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for part in office.json("doctor", code=code)["parts"]:
        for line in part["lines"]:
            found.setdefault((part["title"], line["where"]), []).append(line)
    return found


@contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    """Change a text of a file for a while."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def administer(office: Office, database: str, statement: str) -> None:
    """Run a statement as the embedded superuser."""
    embedded = EmbeddedPostgres(office.installation.embedded, office.installation.keys)

    async def work() -> None:
        connection = await asyncpg.connect(embedded.superuser_dsn(database))
        await connection.execute(statement)
        await connection.close()

    asyncio.run(work())


def test_register_when_a_column_is_not_there_then_its_line_fails(office: Office) -> None:
    """The map is compared column by column."""
    with changed(office.folder / "register.toml", 'column = "prenom"\n', 'column = "prenoms"\n'):
        (line,) = lines(office, code=1)["Register", "attribute.given_name"]
    assert line == {
        "level": "fail",
        "where": "attribute.given_name",
        "found": "no column prenoms",
        "mend": "Correct the column's name",
    }


def test_register_when_the_map_has_faults_then_by_line(office: Office) -> None:
    """Faults of register.toml are shown with their lines, and the rest is looked at all the same."""
    with changed(office.folder / "register.toml", 'id = "ofii"', 'id = "Ofii!"'):
        found = lines(office, code=1)
    assert [line["level"] for place, of in found.items() if place[0] == "Register" for line in of] == ["fail"]
    assert next(place for place in found if place[0] == "Register")[1].startswith("register.toml, line ")
    assert ("Database", "ecluse_app") in found


def test_role_when_it_may_write_the_register_then_it_fails(office: Office) -> None:
    """A reader that could write is found."""
    administer(office, "register", "grant update on registre.personne to register_reader")
    try:
        found = lines(office, code=1)["Register", "table.person"]
    finally:
        administer(office, "register", "revoke update on registre.personne from register_reader")
    assert [line["found"] for line in found if line["level"] == "fail"] == ["this role may update"]


def test_role_when_it_could_act_as_the_owner_then_it_fails(office: Office) -> None:
    """The gate's role owns nothing and may become nobody."""
    administer(office, "ecluse", "grant ecluse_sealer to ecluse_app")
    try:
        (line,) = lines(office, code=1)["Database", "ecluse_app"]
    finally:
        administer(office, "ecluse", "revoke ecluse_sealer from ecluse_app")
    assert line["level"] == "fail"
    assert line["found"] == "it is a member of another role, and may act as it"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("log.key", None, "it can't be read"),
        ("token.key", "nonsense", "not PKCS#8 private keys in PEM"),
        ("fingerprint.key", "1:abc", "a line is not version:64 hex"),
        ("db-reader.password", "wrong", "the server does not let ecluse_reader in with keys/db-reader.password"),
    ],
)
def test_key_when_it_is_not_what_it_was_then_it_fails(office: Office, name: str, content: str | None, says: str) -> None:
    """A key that is missing, damaged or another's is found, and its content is not shown."""
    path = office.folder / "keys" / name
    kept = path.read_text(encoding="utf-8")
    if content is None:
        path.unlink()
    else:
        path.write_text(content, encoding="utf-8")
    try:
        found = lines(office, code=1)
    finally:
        path.write_text(kept, encoding="utf-8")
        path.chmod(0o600)
    assert [line["found"] for of in found.values() for line in of if line["level"] == "fail" and says in line["found"]]
    assert kept.strip() not in str(found)


def test_key_when_it_is_another_logs_then_it_fails(office: Office) -> None:
    """A log's key that signs for another log is found before it signs anything."""
    path = office.folder / "keys" / "log.key"
    kept = path.read_text(encoding="utf-8")
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        (line,) = lines(office, code=1)["Ledger", "keys/log.key"]
    finally:
        path.write_text(kept, encoding="utf-8")
    assert (line["level"], line["found"]) == ("fail", "it is not the key of this log")


def test_contract_when_the_map_no_longer_fits_then_it_fails(office: Office) -> None:
    """An attribute that is taken out of the map makes the contract that names it unreadable: everything is refused, and that is said."""
    processor = office.firm()
    with changed(office.folder / "register.toml", "[attribute.birth_date]", "[attribute.birth_day]"):
        found = lines(office, code=1)["Contracts", processor][0]
    assert found["level"] == "fail"
    assert "version 1 can't be read against register.toml" in found["found"]


def test_public_url_when_in_clear_then_it_fails(office: Office) -> None:
    """Personal data does not travel in clear."""
    with changed(office.folder / "ecluse.toml", 'public_url = "http://127.0.0.1:8080"', 'public_url = "http://gate.example"'):
        (line,) = lines(office, code=1)["Files", "public_url"]
    assert line["mend"] == "Serve behind TLS and write https://"


def test_office_when_all_is_well_then_zero_and_each_part_said(found: Callable[[str], Office]) -> None:
    """A sound office of its own, to which no other test bound a firm, has only warnings: it is for evaluation."""
    office = found("sound")
    said = lines(office)
    assert {place[0] for place in said} == {"Files", "Database", "Ledger", "Contracts", "Notices and duties", "Register"}
    warned = {
        line["where"] for of in said.values() for line in of if line["level"] == "warn" and "no contract" not in line["found"]
    }
    assert warned <= {"database.url", "contracts", "checkpoint", "mail.host"}
    assert said["Database", "schema"][0]["level"] == "ok"
    quiet = office.run("doctor", "--quiet").stdout
    assert "0 to mend" in quiet
    assert "attribute.family_name" not in quiet


def test_register_sql_when_asked_for_then_written_for_the_present_map(office: Office) -> None:
    """The register's administrator gets the rights to the mapped columns, and no others."""
    (file,) = office.json("doctor", "--register-sql")["sql_files"]
    text = Path(file).read_text(encoding="utf-8")
    Path(file).unlink()
    assert "grant select (numero, actuelle, courriel, telephone, commune) on registre.coordonnees to register_reader;" in text
    assert "niveau" not in text
