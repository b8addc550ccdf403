"""What tests invent: a register of two hundred people with its mapping, and the text of a contract.

Every text of the register carries `MARK` (a phone `PHONE_MARK`), so that a value that got out can be found wherever it went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

MARK: Final = "zq089x"
PHONE_MARK: Final = "01 99 00 "
PEOPLE: Final = 200
ONE_LETTER, NOTHING_KNOWN, UNREADABLE, ABSENT = 1, 2, 3, 9_999
"""Persons of the register who are not like the others; `ABSENT` is scheduled and not in it."""

ALL_CLAUSES: Final = ("28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h", "audit", "no-copy")
ATTRIBUTES: Final = {
    "family_name": ("person", "nom", "text"),
    "given_name": ("person", "prenom", "text"),
    "birth_date": ("person", "naissance", "date"),
    "entry_date": ("person", "entree", "date"),
    "preferred_language": ("person", "langue", "code"),
    "file_number": ("person", "dossier", "identifier"),
    "email": ("contact", "courriel", "email"),
    "phone": ("contact", "telephone", "phone"),
}
GIVEN: Final = {
    "family_name": "full",
    "given_name": "initial",
    "birth_date": "year",
    "entry_date": "full",
    "preferred_language": "full",
    "file_number": "masked",
    "email": "masked",
    "phone": "masked",
}
"""The attributes and forms of a contract unless a test says otherwise: all that the register maps."""

TABLES: Final = f"""\
create schema registre;
create table registre.personne (numero bigint primary key, nom text, prenom text, naissance date, entree text, langue text, dossier text);
create table registre.coordonnees (numero bigint primary key, courriel text, telephone text);
insert into registre.personne
select n, '{MARK}nom' || lpad(n::text, 4, '0'), '{MARK}prenom' || n, date '1980-01-01' + n::integer, '2024-03-01', 'fr',
       '{MARK.upper()}' || lpad(n::text, 7, '0')
from generate_series(1, {PEOPLE}) n;
insert into registre.coordonnees select n, '{MARK}mail' || n || '@example.org', '{PHONE_MARK}' || lpad(n::text, 4, '0') from generate_series(1, {PEOPLE}) n;
update registre.personne set nom = 'Ł', prenom = 'Ø' where numero = {ONE_LETTER};
update registre.personne set nom = null, prenom = null, naissance = null, entree = null, langue = null, dossier = null where numero = {NOTHING_KNOWN};
update registre.coordonnees set courriel = null, telephone = null where numero = {NOTHING_KNOWN};
update registre.personne set entree = '2024-02-31' where numero = {UNREADABLE};
grant usage on schema registre to register_reader;
grant select on all tables in schema registre to register_reader;
"""  # noqa: S608 - our own constants


_CONTRACT: Final = """\
[processor]
id = "{processor}"
name = "{name}"
country = "FR"
security_contact = "rssi@{processor}.example"
[contract]
reference = "2026-T-001"
starts_on = {starts_on}
ends_on = {ends_on}
breach_notice_hours = 24
clauses = [{clauses}]
[[site]]
id = "large"
timezone = "Europe/Paris"
rooms = 500
max_sessions_per_day = 5000
[limits]
persons_per_day = {per_day}
persons_per_month = {per_month}
persons_per_client_per_hour = {per_client_hour}
agent_assurance = "{assurance}"
[[purpose]]
id = "{purpose}"
label = "Formation"
legal_basis = "6.1.e"
opens_before = "{opens_before}"
closes_after = "{closes_after}"
max_capacity = {capacity}
reads_per_appointment = {reads}
persons_per_agent_per_hour = {per_agent_hour}
[purpose.attributes]
{given}
{roll}
"""


def register_toml() -> str:
    """Return the mapping of the invented register."""
    tables = '[table.person]\nname = "registre.personne"\nkey = ["numero"]\n[table.contact]\nname = "registre.coordonnees"\nkey = ["numero"]\n'
    rows = "".join(
        f'[attribute.{name}]\ntable = "{table}"\ncolumn = "{column}"\ntype = "{kind}"\ncategory = "identity"\nsensitivity = "ordinary"\n'
        for name, (table, column, kind) in ATTRIBUTES.items()
    )
    return f'[register]\nid = "ofii"\nname = "Registre inventé"\nsubject_table = "person"\n{tables}{rows}'


def contract_text(
    processor: str, *, clauses: Sequence[str] = ALL_CLAUSES, starts_on: str = "2020-01-01", ends_on: str = "2099-12-31", assurance: str = "asserted",
    per_day: int = 5000, per_month: int = 50000, per_client_hour: int = 5000, per_agent_hour: int = 5000, reads: int = 4, opens_before: str = "PT24H",
    closes_after: str = "PT2H", capacity: int = 250, attributes: Mapping[str, str] = GIVEN, sheet: Mapping[str, str] | None = None,
    purpose: str = "civic-training", evidence: Mapping[str, str] = MappingProxyType({}),
) -> str:  # fmt: skip
    """Write a contract with one purpose and one large site. ``evidence``: the greatest age of each kind required."""
    named = ", ".join(f'"{clause}"' for clause in clauses)
    given = "\n".join(f'{name} = "{form}"' for name, form in attributes.items())
    roll = "\n".join(["[purpose.sheet]", *(f'{name} = "{form}"' for name, form in sheet.items())]) if sheet else ""
    return _CONTRACT.format(
        processor=processor, name=processor.title(), clauses=named, starts_on=starts_on, ends_on=ends_on, assurance=assurance, per_day=per_day,
        per_month=per_month, per_client_hour=per_client_hour, per_agent_hour=per_agent_hour, reads=reads, opens_before=opens_before,
        closes_after=closes_after, capacity=capacity, purpose=purpose, given=given, roll=roll,
    ) + "".join(f'[[evidence_required]]\nkind = "{kind}"\nmax_age = "{age}"\n' for kind, age in evidence.items())  # fmt: skip
