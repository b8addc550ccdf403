"""The settings of one installation: one frozen object, built once by ``main`` from options, environment and ``ecluse.toml``.

Precedence: command-line option, then ``ECLUSE_<NAME>``, then ``ecluse.toml``, then the default here. Unknown keys refuse to start; secrets are
read from files, never from the environment. Importing this module does nothing.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ecluse.errors import ConfigurationError
from ecluse.toml_lines import TomlSyntaxError, load_toml


class Controller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who runs the register. ``timezone``: IANA name in which contract days are counted.

    What follows it is printed on papers, as it stands; empty: nobody said it, and papers show an empty box. ``contact``: a person's name and function;
    ``reach``: how to reach the controller; ``representative``: Art. 27 GDPR; ``dpo``: the data-protection officer and how to reach them.

    ``phone``: whom a processor's staff call while a session runs, printed at the desk as it stands; empty: the desk says that there is none.
    ``authority``: whom persons may complain to, shown on their own page; empty: the authority of ``country``.
    """

    name: str = "Controller"
    timezone: str = "Europe/Paris"
    country: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")] = "FR"
    registration: str = ""
    address: str = ""
    contact: str = ""
    reach: str = ""
    representative: str = ""
    dpo: str = ""
    phone: Annotated[str, msgspec.Meta(max_length=40)] = ""
    authority: str = ""


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the ledger's PostgreSQL is. ``url``: ``postgresql://host:port/name`` without user or password; empty: the embedded one.

    Passwords are read from ``keys/db-app.password``, ``keys/db-jobs.password``, ``keys/db-reader.password`` and ``keys/db-usage.password``.
    """

    url: str = ""
    pool: int = 5


class RegisterSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the controller's register is. ``url`` as in `Database`; user ``register_reader``, password in ``keys/db-register.password``."""

    url: str = ""
    pool: int = 3
    timeout_seconds: float = 2.0


class Ledger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log. ``sign``: this process may hold the log's key and sign (one host only).

    ``max_uncosigned``, ``max_uncosigned_frozen``: how long entries may wait for the quorum of their witnesses before the gate warns, and before nothing is
    disclosed. ``anchor_url``: an authority for time stamps (RFC 3161), asked once a day, empty: none; ``anchor_roots``: PEM file of its roots, in the
    installation's folder; ``anchor_policy``: the OID that its stamps have to bear, empty: any.
    """

    name: str = "main"
    sign: bool = True
    max_uncosigned: timedelta = timedelta(hours=1)
    max_uncosigned_frozen: timedelta = timedelta(hours=24)
    anchor_url: str = ""
    anchor_roots: str = ""
    anchor_policy: str = ""


class Door(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The main job.

    ``batch``: most requests one seal takes; ``queue``: most that wait in all before ``busy``, ``queue_each``: of one processor;
    ``flights``: batches under way at once; ``refusals_per_minute``: of one client, sealed one by one before they are counted and answered 429.
    """

    batch: int = 64
    queue: int = 2000
    queue_each: int = 500
    flights: int = 3
    refusals_per_minute: int = 60


class Outcomes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where outcomes are sent. ``webhook``: one https address of the controller's own (http on this machine only); empty: they are fetched."""

    webhook: str = ""


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Portals that ask for a person's record. ``pool``: connections of a gate for it; ``looks_per_minute``: of one portal."""

    pool: int = 2
    looks_per_minute: int = 120


class MailSecurity(StrEnum):
    """How mail travels to the server; `NONE` on this very machine only."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class Language(StrEnum):
    """What notices to the controller are written in."""

    FRENCH = "fr"
    ENGLISH = "en"


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Notices by mail. ``host``: the server that takes them, empty: nobody is told anything; ``sender``: the address that they are from.

    ``user``: to sign in with, its password in ``keys/mail.password``; empty: without; ``ca``: PEM file of the server's authority, in the installation's folder,
    empty: those of this machine; ``controller``: addresses of those who may act; ``dpo``: the data-protection officer's. A processor's address stands in its
    contract. ``every_seconds``: between two rounds of telling.
    """

    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    security: MailSecurity = MailSecurity.STARTTLS
    user: str = ""
    ca: str = ""
    sender: str = ""
    controller: tuple[str, ...] = ()
    dpo: str = ""
    language: Language = Language.FRENCH
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 20.0
    every_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0

    @property
    def of_controller(self) -> tuple[str, ...]:
        """Return all addresses of the controller, each once."""
        return tuple(dict.fromkeys((*self.controller, *([self.dpo] if self.dpo else []))))


class Emergency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Break-glass. ``per_day``: how many in a UTC day, of everybody together; 0: none."""

    per_day: Annotated[int, msgspec.Meta(ge=0, le=50)] = 5


class Desk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pages of processors' staff. ``display_seconds``: how long a person stays on the screen while nobody touches it."""

    display_seconds: Annotated[int, msgspec.Meta(ge=30, le=900)] = 120


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long what is known of persons is kept.

    ``openings_months``: openings and the places they were given under; ``backups_days``: the oldest backup there is; ``hour``: of the controller's day, from
    which on what is due is erased.
    """

    openings_months: Annotated[int, msgspec.Meta(ge=6, le=36)] = 12
    backups_days: Annotated[int, msgspec.Meta(ge=0, le=3660)] = 35
    hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One installation.

    ``public_url``: what clients call (token audience and DPoP ``htu``); ``pages_url``: what people open, empty: the same; ``metrics``: where they are
    served, ``host:port``, empty: nowhere.
    """

    public_url: str = "http://127.0.0.1:8080"
    pages_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    metrics: str = ""
    controller: Controller = Controller()
    database: Database = Database()
    register: RegisterSource = RegisterSource()
    ledger: Ledger = Ledger()
    door: Door = Door()
    outcomes: Outcomes = Outcomes()
    usage: Usage = Usage()
    mail: Mail = Mail()
    emergency: Emergency = Emergency()
    desk: Desk = Desk()
    retention: Retention = Retention()

    @property
    def zone(self) -> ZoneInfo:
        """Return the controller's time zone."""
        return ZoneInfo(self.controller.timezone)

    @property
    def pages(self) -> str:
        """Return the pages' own address: scheme, host and port. This machine is called by its name there: a passkey knows no numbers."""
        parts = urlsplit(self.pages_url or self.public_url)
        place = parts.netloc if self.pages_url else parts.netloc.replace("127.0.0.1", "localhost").replace("[::1]", "localhost")
        return f"{parts.scheme}://{place}"


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The folder of an installation and what it says."""

    folder: Path
    settings: Settings

    @property
    def keys(self) -> Path:
        """Return the folder of secrets (0700, files 0600)."""
        return self.folder / "keys"

    @property
    def state(self) -> Path:
        """Return the folder of what the signer keeps outside the database."""
        return self.folder / "state"

    @property
    def embedded(self) -> Path:
        """Return the embedded database's folder."""
        return self.folder / "db"

    def secret(self, name: str) -> str:
        """Read one secret file of ``keys/``. Raises `ConfigurationError` where it is absent, a link, another account's, or for others to read."""
        return read_secret(self.keys / name, f"keys/{name}", "Run `ecluse init`, or restore it from your safe")

    def versioned(self, name: str) -> dict[int, bytes]:
        """Read a key that has versions: lines of ``version:64 hex``, the highest version being in use. Raises `ConfigurationError`."""
        keys: dict[int, bytes] = {}
        where, mend = f"keys/{name}", "Restore it from your safe: a line is never edited"
        for line in self.secret(name).split("\n"):
            written = _VERSIONED.fullmatch(line)  # int() and fromhex() would take other spellings, too
            if written is None:
                raise ConfigurationError(where, "a line is not version:64 hex", mend)
            version = int(written[1])
            if version in keys:
                raise ConfigurationError(where, f"version {version} stands twice", mend)
            keys[version] = bytes.fromhex(written[2])
        return keys

    def passwords(self, role: str) -> Callable[[], list[str]]:
        """Return what reads a role's password anew, and after it the next one where a change of it is under way (docs/keys.md)."""
        next_one = f"db-{role}.next.password"

        def read() -> list[str]:
            return [self.secret(f"db-{role}.password"), *([self.secret(next_one)] if (self.keys / next_one).exists() else [])]

        return read

    def loose_files(self) -> Iterator[ConfigurationError]:
        """Yield what others than the owner could read or change: the folder, its settings, keys and the signer's memory."""
        places = [(self.folder, str(self.folder), False), (self.keys, "keys", True)]
        places += [(self.folder / name, name, False) for name in ("ecluse.toml", "register.toml")]
        if self.settings.ledger.sign:
            places.append((self.state, "state", True))
        for folder in (self.keys, self.state):
            if folder.is_dir() and not folder.is_symlink():
                places += [(path, f"{folder.name}/{path.name}", True) for path in sorted(folder.iterdir())]
        for path, where, secret in places:
            try:
                refuse_loose(path.lstat(), where, secret=secret)
            except FileNotFoundError:
                continue  # whoever needs it says so
            except ConfigurationError as loose:
                yield loose

    def refuse_loose_files(self) -> None:
        """Refuse to go on with the first of `loose_files`."""
        for loose in self.loose_files():
            raise loose


_MOST_SECRET_BYTES: Final = 65_536
_VERSIONED: Final = re.compile(r"([1-9][0-9]{0,8}):([0-9a-f]{64})")
_LINK: Final = ("it is a symbolic link, so whoever owns its end decides", "Put the file itself in its place")


def read_secret(path: Path, where: str, mend: str) -> str:
    """Read one secret file, called ``where`` in messages; ``mend``: what to do if it is absent. Raises `ConfigurationError` as `refuse_loose` does."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as missing:
        if missing.errno == errno.ELOOP:
            raise ConfigurationError(where, *_LINK) from missing
        raise ConfigurationError(where, "it can't be read", mend) from missing
    with os.fdopen(handle, "rb") as file:
        refuse_loose(os.fstat(handle), where, secret=True)
        raw = file.read(_MOST_SECRET_BYTES)
    try:
        return raw.decode("ascii").strip()
    except UnicodeDecodeError:
        raise ConfigurationError(where, "it is not plain text", "Restore it from your safe") from None


def refuse_loose(facts: os.stat_result, where: str, *, secret: bool) -> None:
    """Refuse what is a link, neither file nor folder, another account's, or open to others: a secret to their reading, anything to their writing."""
    folder = stat.S_ISDIR(facts.st_mode)
    if stat.S_ISLNK(facts.st_mode):
        raise ConfigurationError(where, *_LINK)
    if not folder and not stat.S_ISREG(facts.st_mode):
        raise ConfigurationError(where, "it is no ordinary file", "Put the file itself in its place")
    if facts.st_uid != os.geteuid():
        why = f"it is another account's (number {facts.st_uid}; this process is {os.geteuid()})"
        raise ConfigurationError(where, why, "Run as the account that owns the installation, or give it the file with chown")
    if secret and facts.st_mode & 0o077:
        mode = 700 if folder else 600
        verb = "enter the folder" if folder else "read it"
        raise ConfigurationError(where, f"others than its owner may {verb}", f"Run `chmod {mode} {where}`")
    if facts.st_mode & 0o022:
        raise ConfigurationError(where, "others than its owner may change it", f"Run `chmod go-w {where}`")


_OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,17})){1,31}")
_METRICS: Final = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[1-9][0-9]{0,4}")
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,45}")
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?"
_MAIL_ADDRESS: Final = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{_LABEL}(\.{_LABEL})*")
_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "ECLUSE_PUBLIC_URL": ("public_url",),
    "ECLUSE_PAGES_URL": ("pages_url",),
    "ECLUSE_HOST": ("host",),
    "ECLUSE_PORT": ("port",),
    "ECLUSE_DATABASE_URL": ("database", "url"),
    "ECLUSE_REGISTER_URL": ("register", "url"),
}


def load(folder: Path, options: Mapping[str, object], environment: Mapping[str, str]) -> Installation:
    """Read an installation. ``options``: dotted setting names to values that win over all else; None means not given."""
    path = folder / "ecluse.toml"
    try:
        tree: dict[str, object] = load_toml(path.read_text(encoding="utf-8"))
    except OSError as missing:
        raise ConfigurationError(
            str(path), "there is no installation here", "Run `ecluse init`, or name it with --dir"
        ) from missing
    except UnicodeDecodeError:
        raise ConfigurationError(str(path), "not UTF-8", "Save the file as UTF-8") from None
    except TomlSyntaxError as bad:
        raise ConfigurationError(str(path), f"not TOML: {bad}", "Mend that line") from bad
    given: dict[tuple[str, ...], object] = {way: environment[name] for name, way in _ENVIRONMENT.items() if name in environment}
    given |= {tuple(name.split(".")): value for name, value in options.items() if value is not None}
    for way, value in given.items():
        branch = tree
        for step in way[:-1]:
            inner = branch.setdefault(step, {})
            if not isinstance(inner, dict):
                raise ConfigurationError(step, "it is not a table", f"Write it as [{step}]")
            branch = inner
        branch[way[-1]] = value
    try:
        settings = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as bad:
        raise ConfigurationError(str(path), str(bad), "See docs/operator-guide.md for every setting") from bad
    try:
        _ = settings.zone
    except (ZoneInfoNotFoundError, ValueError, OSError) as bad:  # a folder of zones is an OSError
        raise ConfigurationError("controller.timezone", "no such time zone", "Use an IANA name such as Europe/Paris") from bad
    if not _is_address(settings.public_url) or settings.public_url.endswith("/"):
        raise ConfigurationError("public_url", "it must begin with http:// or https:// and end without a slash", "Mend it")
    _refuse_pages(settings.pages_url)
    _refuse_anchor(settings.ledger)
    _refuse_limits(settings.ledger)
    _refuse_odd_places(settings)
    _refuse_mail(settings.mail)
    return Installation(folder=folder, settings=settings)


def _refuse_pages(url: str) -> None:
    """Refuse an address of the pages that browsers keep no passkey for: a path, or plain http elsewhere than on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    plain = url.isascii() and url.isprintable() and not any(sign in url for sign in " ?#@\\")
    safe = bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _THIS_MACHINE))
    if url and not (plain and safe and parts.path == ""):
        why = "it is not https://host[:port] (http for this machine only)"
        raise ConfigurationError("pages_url", why, 'Write "https://ecluse.agency.example" or leave it out: it is public_url then')


def _refuse_anchor(ledger: Ledger) -> None:
    """Refuse an authority for time stamps that nothing could be checked by."""
    if ledger.anchor_url and not _is_address(ledger.anchor_url):
        raise ConfigurationError(
            "ledger.anchor_url", "it must begin with http:// or https://", "Write the address of an RFC 3161 authority"
        )
    if ledger.anchor_url and not ledger.anchor_roots:
        why = "it is empty, and ledger.anchor_url is not"
        raise ConfigurationError("ledger.anchor_roots", why, "Name a PEM file with the authority's root certificates")
    if ledger.anchor_policy and not _OID.fullmatch(ledger.anchor_policy):
        raise ConfigurationError(
            "ledger.anchor_policy", "it is not an object identifier", 'Write numbers and points, such as "1.2.3.4.1"'
        )


def _refuse_limits(ledger: Ledger) -> None:
    """Refuse limits that make no sense together."""
    if not timedelta(minutes=1) <= ledger.max_uncosigned <= ledger.max_uncosigned_frozen:
        why = "it is under a minute, or over ledger.max_uncosigned_frozen"
        raise ConfigurationError("ledger.max_uncosigned", why, 'Write durations such as "PT1H" and "PT24H", the shorter first')


def _refuse_odd_places(settings: Settings) -> None:
    """Refuse an address of the metrics or of the webhook that is none."""
    if settings.metrics and (not _METRICS.fullmatch(settings.metrics) or int(settings.metrics.rpartition(":")[2]) > 0xFFFF):
        raise ConfigurationError("metrics", "it is not host:port", 'Write an address of the inside, such as "127.0.0.1:9464"')
    if settings.outcomes.webhook and not _is_webhook(settings.outcomes.webhook):
        raise ConfigurationError(
            "outcomes.webhook", "it is not a plain https:// address", "Write https://host/path without user or #"
        )


def _refuse_mail(mail: Mail) -> None:
    """Refuse mail that would travel in clear, come from nobody, or go to what is no address."""
    if mail.host and not _HOST.fullmatch(mail.host):
        raise ConfigurationError("mail.host", "it is no name of a host", "Write it alone, without port or user")
    if mail.host and mail.security is MailSecurity.NONE and mail.host not in _THIS_MACHINE:
        why = "mail would travel in clear, and with it who is frozen and why"
        raise ConfigurationError("mail.security", why, 'Write "starttls" or "tls"; "none" is for a server on this machine')
    if mail.user and mail.security is MailSecurity.NONE:
        raise ConfigurationError("mail.user", "a password would travel in clear", 'Write mail.security "starttls" or "tls"')
    if mail.host and not mail.sender:
        raise ConfigurationError("mail.sender", "it is empty, and mail.host is not", "Write the address that notices are from")
    for name, addresses in (("sender", [mail.sender]), ("controller", mail.controller), ("dpo", [mail.dpo])):
        if any(each and not is_mail_address(each) for each in addresses):
            raise ConfigurationError(f"mail.{name}", "it holds what is no plain e-mail address", "Write name@host and no more")


def is_mail_address(text: str) -> bool:
    """Tell whether mail can be sent there: one plain address in ASCII, without a display name, comments, quotes or any blank."""
    return len(text) <= 254 and _MAIL_ADDRESS.fullmatch(text) is not None


def _is_address(url: str) -> bool:
    """Tell whether this is an http address."""
    try:
        return urlsplit(url).scheme in {"http", "https"}
    except ValueError:  # a bracket without its twin
        return False


def _is_webhook(url: str) -> bool:
    """Tell whether outcomes may be sent there: https, or http on this very machine; no user, blank or fragment."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not any(sign in url for sign in " #@\\")
    return (
        plain
        and bool(host)
        and (parts.scheme == "https" or (parts.scheme == "http" and host in {"127.0.0.1", "::1", "localhost"}))
    )


def folder_of(option: Path | None) -> Path:
    """Return the installation's folder: the option, else ``ECLUSE_DIR``, else ``./ecluse-data``."""
    return (option or Path(os.environ.get("ECLUSE_DIR", "ecluse-data"))).absolute()


def with_user(url: str, user: str, password: str = "") -> str:
    """Put a role, and its password if it is not given apart, into a ``postgresql://`` address that has none."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"} or "@" in parts.netloc:
        raise ConfigurationError(
            "database url", "it must be postgresql://host:port/name without user or password", "Put passwords in keys/"
        )
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{parts.netloc}").geturl()
