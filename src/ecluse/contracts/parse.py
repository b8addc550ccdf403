"""From the text of a contract file (design, section 8; TOML 1.0) to a ``Contract``, or to every error in it with its line.

The file is the policy, so nothing is guessed: an unknown key, a missing one, a second spelling of the same thing or a number that
contradicts another is an error. What is only unwise is a warning of ``check_contract``.

Worked example: line 41 of a file reads ``birth_date = "masked"``, below ``[purpose.attributes]`` of ``civic-training``. Found:
line 41, where ``purpose.civic-training.attributes.birth_date``, why ``is of type date, which has no form masked``, mend
``write one of full, year, age_band, withheld``.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar

from ecluse.contracts.errors import ContractInvalid
from ecluse.contracts.model import (
    FORMS_OF,
    HOUSE_CLAUSES,
    LEGAL_BASES,
    MAX_WINDOW,
    REQUIRED_CLAUSES,
    RESERVED_FORMS,
    Assurance,
    Containment,
    ContainmentAction,
    Contract,
    EvidenceRequired,
    Finding,
    Form,
    Limits,
    Processor,
    Purpose,
    Site,
    SubProcessor,
    is_weaker_or_equal,
)
from ecluse.contracts.read import Notes, Table
from ecluse.contracts.standing import EvidenceKind
from ecluse.ids import is_name
from ecluse.register.model import AttributeType
from ecluse.toml_lines import TomlLines, TomlSyntaxError, load_toml

MAX_FILE_CHARACTERS: Final = 262_144
MAX_LINE_CHARACTERS: Final = 1_000
MAX_DEPTH: Final = 6
MAX_SAID_CHARACTERS: Final = 500

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_SIREN: Final = re.compile(r"[0-9]{9}")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_CONTACT: Final = re.compile(rf"[A-Za-z0-9._%+'-]{{1,64}}@(?:{_LABEL}\.){{1,8}}[a-z][a-z0-9-]{{0,61}}[a-z0-9]")
_BASIS: Final = re.compile("|".join(re.escape(basis) for basis in LEGAL_BASES))
_Item = TypeVar("_Item", SubProcessor, Site, Purpose, EvidenceRequired)

_TOP: Final = ("processor", "contract", "sub_processor", "site", "limits", "purpose", "evidence_required", "containment")
_SAID_OF_PROCESSOR: Final = ("address", "contact", "representative", "dpo")
_PURPOSE: Final = (
    "id",
    "label",
    "legal_basis",
    "opens_before",
    "closes_after",
    "max_capacity",
    "reads_per_appointment",
    "persons_per_agent_per_hour",
    "attributes",
    "sheet",
)


def parse_contract(text: str, attributes: Mapping[str, AttributeType]) -> Contract:
    """Read a contract against the register's ``attributes``; raises ``ContractInvalid`` with all that is wrong, by line."""
    data = _load(text)
    notes = Notes(TomlLines(text))
    contract = _contract(Table(notes, (), "", data), attributes)
    findings = notes.sorted()
    if findings:
        raise ContractInvalid(findings)
    return contract


def contract_hash(text: str) -> str:
    """Return the SHA-256 of the text's UTF-8 bytes, in hex: what the ledger seals when a contract is applied."""
    return hashlib.sha256(_encoded(text)).hexdigest()


def _encoded(text: str) -> bytes:
    """Return the text in UTF-8; half a surrogate pair has no bytes, so no file holds it."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise _refused_file(line, "is not Unicode text", "save it in UTF-8") from None


def _load(text: str) -> dict[str, Any]:
    """Read the TOML, within the sizes that a contract can need: the bounds keep what follows linear."""
    _encoded(text)
    if len(text) > MAX_FILE_CHARACTERS:
        raise _refused_file(1, "is too long", f"write at most {MAX_FILE_CHARACTERS} characters")
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise _refused_file(number, "has too long a line", f"write at most {MAX_LINE_CHARACTERS} characters a line")
    try:
        data = load_toml(text)
    except TomlSyntaxError as error:
        raise _refused_file(error.line, f"is not TOML: {error.why}", "mend the line") from None
    if _depth(data) > MAX_DEPTH:
        raise _refused_file(1, "is nested too deeply", f"nest tables and lists at most {MAX_DEPTH} deep")
    return data


def _refused_file(line: int, why: str, mend: str) -> ContractInvalid:
    """Return the error for a file that can't be read further."""
    return ContractInvalid((Finding(line=line, where="file", why=why, mend=mend),))


def _depth(data: dict[str, Any]) -> int:
    """Return how many tables and lists stand inside one another, without recursion."""
    level: list[Any] = [data]
    depth = 0
    while level and depth <= MAX_DEPTH:
        inner: list[Any] = []
        for item in level:
            inner += item.values() if isinstance(item, dict) else item
        level = [item for item in inner if isinstance(item, dict | list)]
        depth += 1
    return depth


def _contract(top: Table, attributes: Mapping[str, AttributeType]) -> Contract:
    """Read the whole file, table by table."""
    top.allow_only(_TOP)
    processor = _processor(top.table("processor", ("id", "name", "country", "siren", "security_contact", *_SAID_OF_PROCESSOR)))
    head = top.table(
        "contract", ("reference", "starts_on", "ends_on", "breach_notice_hours", "clauses", "subject_matter", "nature")
    )
    starts_on, ends_on = head.day("starts_on"), head.day("ends_on")
    if head.sound("starts_on", "ends_on") and ends_on < starts_on:
        head.refuse("ends_on", "is before starts_on", "write a day that is not before starts_on")
    sub_processors = _distinct(
        top.tables("sub_processor", ("name", "country", "role", "address", "contact")), "name", _sub_processor
    )
    sites = _distinct(top.tables("site", ("id", "timezone", "rooms", "max_sessions_per_day"), required=True), "id", _site)
    purposes = _distinct(top.tables("purpose", _PURPOSE, required=True), "id", lambda table: _purpose(table, attributes))
    evidence = _distinct(top.tables("evidence_required", ("kind", "max_age")), "kind", _evidence)
    return Contract(
        processor=processor,
        reference=head.text("reference", limit=100),
        starts_on=starts_on,
        ends_on=ends_on,
        breach_notice_hours=head.count("breach_notice_hours"),
        clauses=head.words("clauses", REQUIRED_CLAUSES + HOUSE_CLAUSES),
        sub_processors=tuple(sub_processors),
        sites={site.id: site for site in sites},
        limits=_limits(top),
        purposes={purpose.id: purpose for purpose in purposes},
        evidence_required=tuple(evidence),
        containment=_containment(top),
        subject_matter=_said(head, "subject_matter"),
        nature=_said(head, "nature"),
    )


def _said(table: Table, key: str) -> str | None:
    """Read a text that papers want and no decision needs."""
    return table.text(key, limit=MAX_SAID_CHARACTERS) if table.holds(key) else None


def _distinct(tables: Iterable[Table], key: str, read: Callable[[Table], _Item]) -> list[_Item]:
    """Read each table and refuse a second one with the same ``key``."""
    items: list[_Item] = []
    seen: set[str] = set()
    for table in tables:
        item = read(table)
        name = getattr(item, key)
        if table.sound(key) and name in seen:
            table.refuse(key, "is used twice", "give each its own, or remove one")
        seen.add(name)
        items.append(item)
    return items


def _processor(table: Table) -> Processor:
    """Read ``[processor]``."""
    siren = None
    if table.holds("siren"):
        siren = table.matching("siren", _SIREN, "is not a SIREN", "write its nine digits without spaces")
        if table.sound("siren") and not _is_siren(siren):
            table.refuse("siren", "is not a SIREN: its check digit is wrong", "compare it with the register of companies")
    return Processor(
        id=table.name("id"),
        name=table.text("name"),
        country=_country(table),
        siren=siren,
        security_contact=table.matching(
            "security_contact",
            _CONTACT,
            "is not an e-mail address",
            "write one address, its domain in lower-case ASCII",
        ),
        **{key: _said(table, key) for key in _SAID_OF_PROCESSOR},
    )


def _country(table: Table) -> str:
    """Read the ``country`` of a processor or sub-processor."""
    return table.matching("country", _COUNTRY, "is not a country code", "write two capital letters (ISO 3166-1), like FR")


def _is_siren(digits: str) -> bool:
    """Tell whether nine digits pass the check of Luhn; nine zeros pass it and are nobody's."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return digits != "000000000" and sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _sub_processor(table: Table) -> SubProcessor:
    """Read one ``[[sub_processor]]``."""
    said = {key: _said(table, key) for key in ("address", "contact")}
    return SubProcessor(name=table.text("name"), country=_country(table), role=table.name("role"), **said)


def _site(table: Table) -> Site:
    """Read one ``[[site]]``."""
    return Site(
        id=table.name("id"),
        timezone=table.timezone("timezone"),
        rooms=table.count("rooms"),
        max_sessions_per_day=table.count("max_sessions_per_day"),
    )


def _limits(top: Table) -> Limits:
    """Read ``[limits]``; a month can't hold fewer persons than a day."""
    keys = ("persons_per_day", "persons_per_month", "persons_per_client_per_hour", "agent_assurance")
    table = top.table("limits", keys)
    limits = Limits(
        persons_per_day=table.count("persons_per_day"),
        persons_per_month=table.count("persons_per_month"),
        persons_per_client_per_hour=table.count("persons_per_client_per_hour"),
        agent_assurance=table.word("agent_assurance", Assurance),
    )
    if table.sound("persons_per_day", "persons_per_month") and limits.persons_per_month < limits.persons_per_day:
        table.refuse("persons_per_month", "is below persons_per_day", "raise it, or lower persons_per_day")
    return limits


def _purpose(table: Table, attributes: Mapping[str, AttributeType]) -> Purpose:
    """Read one ``[[purpose]]``."""
    opens_before, closes_after = _window(table)
    granted = _forms(table.table("attributes"), attributes)
    if table.sound("attributes") and not granted:
        table.refuse("attributes", "names no attribute", 'add one, like `family_name = "full"`')
    sheet = table.table("sheet", required=False)
    return Purpose(
        id=table.name("id"),
        label=table.text("label"),
        legal_basis=table.matching(
            "legal_basis",
            _BASIS,
            "is not a point of Art. 6(1)",
            f"write one of {', '.join(LEGAL_BASES)}",
        ),
        opens_before=opens_before,
        closes_after=closes_after,
        max_capacity=table.count("max_capacity"),
        reads_per_appointment=table.count("reads_per_appointment"),
        persons_per_agent_per_hour=table.count("persons_per_agent_per_hour"),
        attributes=granted,
        sheet=_sheet(sheet, granted, attributes),
    )


def _window(table: Table) -> tuple[timedelta, timedelta]:
    """Read the two ends of a window: together, too, they stay within ``MAX_WINDOW``."""
    opens_before, closes_after = table.window("opens_before"), table.window("closes_after")
    if table.sound("opens_before", "closes_after") and opens_before + closes_after > MAX_WINDOW:
        table.refuse("closes_after", "makes the window longer than 14 days with opens_before", "shorten one of the two")
    return opens_before, closes_after


def _forms(table: Table, attributes: Mapping[str, AttributeType]) -> dict[str, Form]:
    """Read a table of attribute = form, each known to the register and each form one that its type has."""
    forms: dict[str, Form] = {}
    for name in table.names():
        form = table.form(name)
        kind = attributes.get(name)
        if kind is None:
            near = difflib.get_close_matches(name[:64], attributes, n=1) if is_name(name) else []
            mend = f"write `{near[0]}`" if near else "map it in register.toml, or remove the line"
            table.refuse(name, "is not an attribute of the register", mend)
        elif form is not None and (form in RESERVED_FORMS or form not in FORMS_OF[kind]):
            table.refuse(name, _why_impossible(kind, form), f"write one of {', '.join(FORMS_OF[kind])}")
        elif form is not None:
            forms[name] = form
    return forms


def _why_impossible(kind: AttributeType, form: Form) -> str:
    """Say why an attribute of this type can't be given in this form."""
    if form in RESERVED_FORMS:
        return f"is given as {form}, a word kept for later"
    return f"is of type {kind}, which has no form {form}"


def _sheet(table: Table, granted: Mapping[str, Form], attributes: Mapping[str, AttributeType]) -> dict[str, Form]:
    """Read ``[purpose.sheet]``: a roll-call shows nothing that the purpose does not name, and nothing stronger."""
    forms = _forms(table, attributes)
    for name, form in forms.items():
        if name not in granted:
            table.refuse(name, "is not among the attributes of this purpose", "add it there, or remove the line here")
        elif not is_weaker_or_equal(attributes[name], form, granted[name]):
            why = f"is given as {form}, which the attributes of this purpose ({granted[name]}) do not cover"
            table.refuse(name, why, f"write {granted[name]} or a weaker form")
    return forms


def _evidence(table: Table) -> EvidenceRequired:
    """Read one ``[[evidence_required]]``."""
    written, age = table.age("max_age")
    return EvidenceRequired(kind=table.word("kind", EvidenceKind).value, max_age=written, age=age)


def _containment(top: Table) -> Containment:
    """Read ``[containment]``; what it does not name only alerts."""
    table = top.table("containment", ("on_decoy", "on_departure"), required=False)
    return Containment(
        on_decoy=table.word("on_decoy", ContainmentAction, ContainmentAction.ALERT),
        on_departure=table.word("on_departure", ContainmentAction, ContainmentAction.ALERT),
    )
