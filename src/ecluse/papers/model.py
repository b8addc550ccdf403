"""What the papers say: every fact of an installation at one instant, as frozen values. Words, layout and formats are elsewhere.

`Facts` is assembled once (``facts.py``), from live configuration and the ledger, and every paper and machine format is made from it alone: what the sheet,
the PDF and the JSON-LD say can't differ. ``facts_hash`` names the facts of a paper; the same facts give the same bytes.

An empty text (``""``) means that nobody has said it: a paper prints an empty, marked box there and ``missing.py`` reports it, with the place where it is said.
``None`` means that there is none. Days are days of the controller's time zone, instants are UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256

import msgspec

from ecluse.contracts import Change, Contract, GateState
from ecluse.register.model import AttributeType, Category, Sensitivity


class PaperKind(StrEnum):
    """The papers that are printed."""

    ANNEXES = "annexes"
    RECORD = "record"
    PROCESSOR_RECORD = "processor-record"
    DOSSIER = "dossier"


class Language(StrEnum):
    """The languages of papers."""

    FR = "fr"
    EN = "en"


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A party as papers name it. ``contact``: a person's name and function; ``reach``: e-mail, telephone; ``""``: nobody said."""

    name: str
    country: str  # ISO 3166-1 alpha-2
    address: str = ""
    registration: str = ""  # SIREN, where there is one
    contact: str = ""
    reach: str = ""
    representative: str = ""  # Art. 27: only a body outside the Union has one
    dpo: str = ""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """How long one category of data is kept in the controller's register, in the controller's own words."""

    category: Category
    limit: str


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What the controller says of its processing that no contract decides (``[record]`` of ecluse.toml)."""

    reference: str
    service: str  # in charge of it
    created_on: date | None
    updated_on: date | None
    persons: tuple[str, ...]  # categories of data subjects, in the controller's words
    source: str  # where the data come from
    erasure: tuple[Erasure, ...]
    rights: str  # how persons use their rights
    impact_assessment: str
    automated_decisions: str
    internal_recipients: tuple[str, ...]
    safeguards: str  # of transfers to third countries


class Datum(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute of the register."""

    name: str
    type: AttributeType
    category: Category
    sensitivity: Sensitivity


class SubProcessorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A sub-processor. ``declared``: the contract names it; ``listed``: the list of sub-processors that counts names it."""

    name: str
    country: str
    role: str
    address: str
    contact: str
    declared: bool
    listed: bool


class EvidenceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A document that had been accepted by the instant of the paper.

    ``counts``: it was good then; ``good_through``: the last day on which it is, None: without end; ``required``: the contract asks for its kind.
    """

    id: str
    kind: str
    title: str
    issuer: str
    scope: str
    sites: tuple[str, ...]  # none: all
    period: tuple[date, date] | None
    reviewed_on: date
    ends_on: date | None
    bridges: str | None
    sha256: str
    accepted_by: str
    accepted_at: datetime
    withdrawn_at: datetime | None  # None: not by the instant of the paper
    required: bool
    counts: bool
    good_through: date | None


class FindingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Something found, opened by the instant of the paper. ``overdue``: open then, and its due day was over."""

    id: str
    source: str
    severity: str
    title: str
    due_on: date
    opened_at: datetime
    closed_at: datetime | None
    closing: str | None
    overdue: bool


class OverrideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Reasons that two persons lifted for a while, approved by the instant of the paper."""

    id: str
    reasons: tuple[str, ...]
    why: str
    hours: int
    asked_by: str
    approved_by: str
    approved_at: datetime
    revoked_at: datetime | None


class GateChange(msgspec.Struct, frozen=True, kw_only=True):
    """From this instant on the gate had this state, for these reasons."""

    at: datetime
    state: GateState
    reasons: tuple[str, ...]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the contract, as applied. ``index``: of its entry in the ledger, None where the opening that says so was erased."""

    version: int
    reference: str
    hash: str  # SHA-256 of the file
    applied_at: datetime
    applied_by: str
    index: int | None
    readable: bool = True  # against the register as it is mapped now


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What suspended or froze the processor or its contract, placed by the instant of the paper."""

    id: str
    scope: str
    effect: str
    reason: str
    placed_by: str
    from_at: datetime
    until_at: datetime | None  # None: until it is released
    released_at: datetime | None


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """The signed act: a document of kind ``signed-contract``, and the version that was in force at the end of its day; the first, if none was yet."""

    evidence: str
    signed_on: date
    version: int
    readable: bool  # else nothing can be said of changes
    changes: tuple[Change, ...]  # from that version to the one in force


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger saw given of one attribute for one purpose. ``forms``: distinct persons by form.

    ``erased``: persons by day that were erased since; the number of all lies between ``persons`` and the two together.
    """

    purpose: str
    attribute: str
    forms: dict[str, int]
    disclosures: int
    persons: int
    erased: int
    first_at: datetime
    last_at: datetime


class PurposeUse(msgspec.Struct, frozen=True, kw_only=True):
    """Disclosures for one purpose, and the distinct persons that they were of; ``erased`` as in `Use`."""

    purpose: str
    disclosures: int
    persons: int
    erased: int
    first_at: datetime
    last_at: datetime


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Disclosures to one processor in the days (UTC) ``[since, until)``, counted in the ledger (`ecluse.flows`). ``persons``: distinct, of all purposes.

    ``refusals``: by reason, as long as their openings are kept.
    """

    since: date
    until: date
    persons: int
    purposes: tuple[PurposeUse, ...]
    uses: tuple[Use, ...]
    refusals: dict[str, int]

    @property
    def disclosures(self) -> int:
        """Return how many there were."""
        return sum(each.disclosures for each in self.purposes)


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """That the entry of the contract in force is in a signed tree: hashes as hex, leaf side first; ``opening``: as docs/decisions/0001-formats.md has it."""

    origin: str
    index: int
    size: int
    root: str
    leaf: str
    leaf_hash: str
    path: tuple[str, ...]
    opening: str  # JSON text


class LedgerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The last checkpoint signed by the instant of the paper; ``size`` 0 and ``root`` empty before the first."""

    origin: str
    vkeys: tuple[str, ...]
    size: int
    root: str  # hex
    signed_at: datetime | None
    note: str


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of one log below ``upto`` were counted, of ``size``; ``lost``: erased before they were, or unreadable."""

    log_id: int
    upto: int
    size: int
    lost: int


class Control(StrEnum):
    """Measures that Écluse itself enforces; their words stand in ``words.toml``, their figures in `Measure`. Append-only."""

    TRANSIT = "transit"
    WINDOW = "window"
    FORMS = "forms"
    KEY_BOUND = "key-bound"
    ASSURANCE = "assurance"
    BUDGETS = "budgets"
    BULK = "bulk"
    SEALED = "sealed"
    WITNESSED = "witnessed"
    STAMPED = "stamped"
    GATE = "gate"
    STOP = "stop"
    PSEUDONYMS = "pseudonyms"
    ENCRYPTED = "encrypted"
    RETENTION = "retention"
    NOTICE = "notice"
    RIGHTS = "rights"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One measure in force, with the figures that its sentence names."""

    control: Control
    figures: dict[str, str | int]


class ProcessorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one processor at the instant of the paper. ``contract`` is the version then in force, parsed (`ecluse.contracts.Contract`)."""

    id: str
    body: Body
    contract: Contract
    version: Version
    versions: tuple[Version, ...]  # oldest first
    nature: str  # of the processing, "" where the contract does not say it
    subject_matter: str
    sub_processors: tuple[SubProcessorFacts, ...]
    evidence: tuple[EvidenceFacts, ...]  # by kind, newest first
    findings: tuple[FindingFacts, ...]
    overrides: tuple[OverrideFacts, ...]
    holds: tuple[Hold, ...]
    gate: GateChange  # at the instant of the paper
    gate_history: tuple[GateChange, ...]  # oldest first, of the twelve months before
    gate_ahead: tuple[GateChange, ...]  # what time alone will change within the twelve months after
    signature: Signature | None
    categories: tuple[Category, ...]  # of the attributes that the contract names, withheld ones aside
    third_countries: tuple[str, ...]  # outside the EEA, of the processor and its sub-processors
    measures: tuple[Measure, ...]
    observed: Observed
    proof: Proof | None  # None: no checkpoint covers the entry, or its opening was erased

    special: tuple[str, ...]  # attributes of Art. 9 or 10 that the contract gives

    @property
    def signed(self) -> str:
        """Return the id of the signed act, empty where there is none."""
        return "" if self.signature is None else self.signature.evidence


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``at``: the instant that the papers speak of; ``timezone``: of the controller, in which their days are read."""

    at: datetime
    timezone: str
    controller: Body
    joint: tuple[Body, ...]
    activity: Activity
    register_id: str
    register_name: str
    data: tuple[Datum, ...]  # what the register maps, in its order
    processors: tuple[ProcessorFacts, ...]  # those with a contract in force, by id
    openings_months: int  # how long the ledger's openings are kept
    ledger: LedgerFacts
    counted: tuple[Counted, ...]  # how far each log was counted for what was observed

    def processor(self, name: str) -> ProcessorFacts | None:
        """Return one processor's facts."""
        return next((each for each in self.processors if each.id == name), None)

    @property
    def third_countries(self) -> tuple[str, ...]:
        """Return where data go outside the EEA."""
        return tuple(sorted({country for each in self.processors for country in each.third_countries}))

    @property
    def erasure_limits(self) -> tuple[Erasure, ...]:
        """Return each category of data that a contract gives, with its time limit; an empty one where nobody said it."""
        limits = {each.category: each.limit for each in self.activity.erasure}
        given = {category for each in self.processors for category in each.categories}
        return tuple(Erasure(category=each, limit=limits.get(each, "")) for each in Category if each in given)


def facts_hash(facts: object) -> str:
    """Return the SHA-256, as hex, of facts as sorted JSON."""
    return sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()
