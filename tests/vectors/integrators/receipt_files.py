"""Writes the receipts' files of this folder (.tlog-proof): a processor's, a person's and a refused one's, with policies; and what must be refused.

Written from C2SP tlog-proof, tlog-cosignature and tlog-policy, RFC 6962 §2.1 and docs/decisions/0001-formats.md and 0005-witnessed-ledger.md alone,
without the server's or the client's code: a test lets both judge them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import rfc8785

from tests.vectors.integrators import receipts as r
from tests.vectors.integrators.jose import Key, Row

OTHER_LOG_KEY: Final = Key("another log", "Ed25519")
ONE, TWO, THREE = r.WITNESSES
SEEN: Final = {ONE: 1_767_605_401, TWO: 1_767_605_402, THREE: 1_767_605_403}
Fields = list[tuple[str, Any]]

SUBJECTS: Final = frozenset(
    {"at", "event", "processor", "assurance", "subject", "purpose", "legal_basis", "contract", "attributes", "forms"}
)
PROCESSORS: Final = frozenset(name for name, _ in r.fields()) - r.HIDDEN
REFUSED: Final = frozenset({"at", "event", "disclosure", "processor", "client", "appointment", "attributes", "reason"})


def policies() -> dict[str, str]:
    """Return the policies by name."""
    log, after, other = (f"log {r.vkey(key)}\n" for key in (r.LOG_KEY, r.NEXT_LOG_KEY, OTHER_LOG_KEY))
    two = f"witness one {r.witness_vkey(ONE)}\nwitness two {r.witness_vkey(TWO)}\n"
    return {
        "the log alone": f"{log}quorum none\n",
        "the log's next key alone": f"{after}quorum none\n",
        "both keys of the log": f"{log}{after}quorum none\n",
        "another log": f"{other}quorum none\n",
        "two of two witnesses": f"# of the agency\n{log}{two}group both all one two\nquorum both\n",
        "one of two witnesses": f"{log}{two}group either any one two\nquorum either\n",
        "the third witness": f"{log}witness three {r.witness_vkey(THREE)}\nquorum three\n",
    }


def refusal() -> Fields:
    """Return the fields of a refused entry."""
    given = dict(r.fields())
    names = (
        "at",
        "event",
        "disclosure",
        "processor",
        "client",
        "agent",
        "assurance",
        "appointment",
        "subject",
        "purpose",
        "contract",
    )
    return [
        *((name, "disclosure:person:refused" if name == "event" else given[name]) for name in names),
        ("attributes", ["family_name", "phone"]), ("reason", "outside-window"), ("reasons", ["window:closed"]),
    ]  # fmt: skip


def look() -> Fields:
    """Return the fields of a look at a person's record of who was given their data."""
    span = {"before": None, "from": None, "most": 50, "to": "2026-01-05T09:30:00.250000Z"}
    given = dict(r.fields())
    return [
        ("at", given["at"]), ("event", "usage:person:shown"), ("client", given["client"]), ("subject", given["subject"]), ("detail", span), ("count", 3),
    ]  # fmt: skip


def changed(fields: Fields, **values: Any) -> Fields:
    """Return fields with other values."""
    return [(name, values.get(name, value)) for name, value in fields]


def entry(fields: Fields, shown: Collection[str], hour: str = "2026-01-05T09Z") -> tuple[Row, bytes]:
    """Return what an opening shows of fields, and the entry's leaf hash. A field is told from another of its name by its place."""
    salts = [r.salt(f"field {name} {place}") for place, (name, _) in enumerate(fields)]
    digests = [
        hashlib.sha256(b"ecluse/1/" + name.encode() + b"\0" + salt + rfc8785.dumps(value)).digest()
        for (name, value), salt in zip(fields, salts, strict=True)
    ]
    leaf = b'{"c":"' + r.root(digests).hex().encode() + b'","h":"' + hour.encode() + b'","k":"decision","v":1}'
    opened = [
        [name, salt.hex(), value] if name in shown or f"{name} {place}" in shown else digest.hex()
        for place, ((name, value), salt, digest) in enumerate(zip(fields, salts, digests, strict=True))
    ]
    return {"fields": opened, "h": hour, "k": "decision", "v": 1}, hashlib.sha256(b"\0" + leaf).digest()


class File:
    """One receipt's file before it is written; a case changes what it wants."""

    def __init__(
        self,
        fields: Fields | None = None,
        shown: Collection[str] = PROCESSORS,
        *,
        seen_by: Sequence[str] = (ONE, TWO),
        hour: str = "2026-01-05T09Z",
    ) -> None:
        """Seal the fields, build the tree above, sign its head."""
        opening, self.leaf_hash = entry(r.fields() if fields is None else fields, shown, hour)
        self.leaves = [
            self.leaf_hash if n == r.INDEX else hashlib.sha256(b"\0an entry of somebody else: %d" % n).digest()
            for n in range(r.SIZE)
        ]
        self.index: int | str = r.INDEX
        self.path = r.path(r.INDEX, self.leaves)
        self.text = f"{r.ORIGIN}\n{r.SIZE}\n{base64.b64encode(r.root(self.leaves)).decode()}\n"
        self.note = r.note(self.text, r.LOG_KEY) + "".join(r.cosigned(self.text, name, SEEN[name]) for name in seen_by)
        self.extra: Row = {"opening": opening, "v": 1}
        if "values" in shown:
            self.extra["value_salts"] = {name: r.salt(f"value {name}").hex() for name in r.SUBJECT}

    def with_values(self, **changes: Any) -> File:
        """Show the values, some of them changed."""
        self.extra["values"] = {**r.SUBJECT, **changes}
        return self

    def written(self, extra: bytes | None = None) -> str:
        """Write the file; ``extra``: other bytes than the canonical ones."""
        raw = base64.b64encode(rfc8785.dumps(self.extra) if extra is None else extra).decode()
        steps = "".join(base64.b64encode(step).decode() + "\n" for step in self.path)
        return f"c2sp.org/tlog-proof@v1\nextra {raw}\nindex {self.index}\n{steps}\n{self.note}"


def _says(**more: Any) -> Row:
    given = dict(r.fields())
    return {"kind": "given", **{name: given[name] for name in ("at", "processor", "purpose", "legal_basis")}, **more}


def accepted() -> list[Row]:
    """Return the good files: name, policy, text, and what they say."""
    two, both = "two of two witnesses", {name: SEEN[name] for name in (ONE, TWO)}
    holder = _says(
        agent=r.REQUEST["agent"], appointment=r.REQUEST["appointment"], subject=None, forms=r.FORMS, committed=sorted(r.SUBJECT)
    )
    person = _says(
        agent=None, appointment=None, subject="register:1042", forms=r.FORMS, committed=None, values=None, witnesses=both
    )
    no_salts, rotated = File(), File(seen_by=())
    del no_salts.extra["value_salts"]
    rotated.note += r.note(rotated.text, r.NEXT_LOG_KEY).removeprefix(rotated.text + "\n")
    withheld = changed(r.fields(), forms=dict.fromkeys(r.FORMS, "withheld"), values={})
    nothing = File(withheld)
    nothing.extra |= {"value_salts": {}, "values": {}}
    refused = _says(
        kind="refused",
        agent=None,
        subject=None,
        appointment=r.REQUEST["appointment"],
        reason="outside-window",
        forms={},
        witnesses=both,
    )
    del refused["purpose"], refused["legal_basis"]
    looked = {
        "kind": "looked",
        "at": dict(r.fields())["at"],
        "processor": None,
        "subject": "register:1042",
        "forms": {},
        "witnesses": both,
    }
    cases: list[tuple[str, str, File, Row]] = [
        ("a processor's", two, File(), holder | {"values": None, "witnesses": both}),
        ("a processor's, with values", two, File().with_values(), holder | {"values": r.SUBJECT, "witnesses": both}),
        ("a processor's, without salts", two, no_salts, holder | {"values": None, "witnesses": both}),
        ("everything withheld", two, nothing, holder | {"forms": dict(withheld)["forms"], "committed": [], "values": {}, "witnesses": both}),
        ("a person's", two, File(shown=SUBJECTS), person),
        ("a refused one's", two, File(refusal(), REFUSED), refused),
        ("a look at a person's own record", two, File(look(), SUBJECTS), looked),
        ("witnesses that nobody asked for", "the log alone", File(), holder | {"values": None, "witnesses": {}}),
        ("one witness is enough", "one of two witnesses", File(seen_by=(TWO,)), holder | {"values": None, "witnesses": {TWO: SEEN[TWO]}}),
        ("a third witness is carried", two, File(seen_by=(THREE, TWO, ONE)), holder | {"values": None, "witnesses": both}),
        ("signed by the log's old and next key", "both keys of the log", rotated, holder | {"values": None, "witnesses": {}}),
        ("signed by both, the next one known", "the log's next key alone", rotated, holder | {"values": None, "witnesses": {}}),
        ("a later version's field at the end", two, File([*r.fields(), ("later", 1)], PROCESSORS | {"later"}), holder | {"values": None, "witnesses": both}),
    ]  # fmt: skip
    return [{"name": name, "policy": policy, "file": file.written(), "says": says} for name, policy, file, says in cases]


Change = Callable[[File], object]


def _extra(**members: Any) -> Change:
    return lambda file: file.extra.update(members)


def _opening(change: Callable[[Row], object]) -> Change:
    return lambda file: change(file.extra["opening"])


def _without(*names: str) -> Change:
    return lambda file: [file.extra.pop(name) for name in names]


def _is(name: str, value: Any) -> Change:
    return lambda file: setattr(file, name, value)


def _edit(name: str, change: Callable[[Any], Any]) -> Change:
    return lambda file: setattr(file, name, change(getattr(file, name)))


def _note(change: Callable[[File], str]) -> Change:
    return lambda file: setattr(file, "note", change(file))


def spoilt() -> list[tuple[str, str, File, Change]]:
    """Return what is done to a good file: name, the part that fails, the file, the change."""
    given, twice = r.fields(), [*r.fields()]
    twice.insert(13, ("forms", {"family_name": "initial"}))
    other = File(changed(given, disclosure="dsc_" + "a" * 26))
    tree = f"{r.ORIGIN}\n12\n{base64.b64encode(bytes(32)).decode()}\n"

    def both(text: str) -> str:
        return r.cosigned(text, ONE, 1) + r.cosigned(text, TWO, 1)

    hidden = {name: File(shown=PROCESSORS - {name}) for name in ("at", "event", "processor", "forms", "appointment")}
    unlike: dict[str, Fields] = {
        "the instant is none": changed(given, at="2026-01-05T09:30:00Z"),
        "the instant is of a minute that there is not": changed(given, at="2026-01-05T09:61:00.000000Z"),
        "the hour is not that of the instant": changed(given, at="2026-01-05T10:30:00.250000Z"), "a form is no text": changed(given, forms={"family_name": 1}),
        "the forms are a list": changed(given, forms=["family_name"]), "the processor is a number": changed(given, processor=7),
        "the processor is empty": changed(given, processor=""), "the values are of other attributes": changed(given, values={"iban": "00" * 32}),
        "the event is of the controller": changed(given, event="control:hold:placed"),
        "the event is a word of nobody": changed(given, event="disclosure:person:sold"),
        "a field before its place": [given[0], *given[2:3], given[1], *given[3:]], "a field is left out": [*given[:4], *given[5:]],
    }  # fmt: skip
    return [
        # what the entry says
        *((f"{name} is hidden", "opening", file, _extra()) for name, file in hidden.items()),
        *((name, "opening", File(fields), _without("value_salts")) for name, fields in unlike.items()),
        ("a look at nobody's record", "opening", File(look(), SUBJECTS - {"subject"}), _extra()),
        ("shown to nobody: neither person nor appointment", "opening", File(shown=SUBJECTS - {"subject"}), _extra()),
        ("two fields of a name, the second one shown", "opening", File(twice, (PROCESSORS - {"forms"}) | {"forms 13"}), _extra()),
        ("the opening is of another entry", "proof", File(), _extra(opening=other.extra["opening"])),
        ("a shown field was edited", "proof", File(), _opening(lambda o: o["fields"][9].__setitem__(2, "marketing"))),
        ("a field's salt was edited", "proof", File(), _opening(lambda o: o["fields"][0].__setitem__(1, "00" * 32))),
        ("a hidden field is missing", "proof", File(), _opening(lambda o: o["fields"].pop())),
        ("the opening has another version", "opening", File(), _opening(lambda o: o.update(v=2))),
        ("the opening is of a control entry", "opening", File(), _opening(lambda o: o.update(k="control"))),
        ("the opening has a member too many", "opening", File(), _opening(lambda o: o.update(note="x"))),
        ("the opening has no fields", "opening", File(), _opening(lambda o: o.update(fields=[]))),
        # values
        ("a value is another than the one sealed", "values", File().with_values(birth_date=1991), _extra()),
        ("a value has another type", "values", File().with_values(birth_date="1990"), _extra()),
        ("a missing value is filled in", "values", File().with_values(phone=""), _extra()),
        ("a withheld attribute has a value", "values", File().with_values(email="e***@example.org"), _extra()),
        ("a value is left out", "values", File().with_values(), lambda file: file.extra["values"].pop("phone")),
        ("the salts are missing", "values", File().with_values(), _without("value_salts")),
        ("a salt is missing", "values", File().with_values(), lambda file: file.extra["value_salts"].pop("phone")),
        ("a salt is missing, and no value is shown", "values", File(), lambda file: file.extra["value_salts"].pop("phone")),
        ("a salt is another", "values", File().with_values(), lambda file: file.extra["value_salts"].update(phone="00" * 32)),
        ("a salt is in capitals", "form", File(), lambda file: file.extra["value_salts"].update(phone="AB" * 32)),
        ("empty salts where no value is committed to", "values", File(shown=SUBJECTS), _extra(value_salts={})),
        ("salts for hidden values", "values", File(shown=SUBJECTS), _extra(value_salts=dict.fromkeys(r.SUBJECT, "00" * 32))),
        # the log
        ("the index is another", "proof", File(), _is("index", 5)),
        ("the index is beyond the head", "proof", File(), _is("index", 11)),
        ("the proof lacks a hash", "proof", File(), _edit("path", lambda path: path[:-1])),
        ("the proof has one hash too many", "proof", File(), _edit("path", lambda path: [*path, bytes(32)])),
        ("two hashes of the proof are swapped", "proof", File(), _edit("path", lambda path: path[::-1])),
        ("the checkpoint is signed, and of another tree", "proof", File(), _note(lambda _: r.note(tree, r.LOG_KEY) + both(tree))),
        ("the checkpoint's size was edited", "checkpoint", File(), _edit("note", lambda note: note.replace("\n11\n", "\n12\n"))),
        ("the checkpoint is signed by another log's key", "checkpoint", File(), _note(lambda file: r.note(file.text, OTHER_LOG_KEY) + both(file.text))),
        ("the checkpoint has no signature of the log", "checkpoint", File(), _note(lambda file: file.text + "\n" + both(file.text))),
        # the witnesses
        ("one of two witnesses is missing", "quorum", File(seen_by=(ONE,)), _extra()),
        ("another witness stands for one", "quorum", File(seen_by=(ONE, THREE)), _extra()),
        ("one witness twice", "quorum", File(seen_by=(ONE, ONE)), _extra()),
        ("a witness claims another time", "checkpoint", File(seen_by=(ONE,)), _note(lambda file: file.note + r.cosigned(file.text, TWO, 2, claimed=3))),
        ("a witness claims no time", "checkpoint", File(seen_by=(ONE,)), _note(lambda file: file.note + r.cosigned(file.text, TWO, 0))),
        ("a witness signed another head", "checkpoint", File(seen_by=(ONE,)), _note(lambda file: file.note + r.cosigned(tree, TWO, 2))),
        # the file
        ("extra has a member too many", "form", File(), _extra(name="x")),
        ("extra lacks its version", "form", File(), _without("v")),
        ("extra lacks the opening", "form", File(), _without("opening")),
        ("extra is of version 2", "form", File(), _extra(v=2)),
        ("extra's version is true", "form", File(), _extra(v=True)),
        ("the salts are a number", "form", File(), _extra(value_salts=1)),
        ("the salts are null", "form", File(), _extra(value_salts=None)),
        ("the values are a list", "form", File(), _extra(values=[])),
        ("the index has a zero before", "form", File(), _is("index", "06")),
        ("the index is in another script", "form", File(), _is("index", "\u0666")),
        ("a hash is short", "form", File(), _edit("path", lambda path: [path[0][:31], *path[1:]])),
        ("the note is missing", "form", File(), _is("note", "")),
    ]  # fmt: skip


def respelt() -> list[tuple[str, str, str]]:
    """Return good files written otherwise, and the part that fails: each means the same, and none is the one spelling."""
    file = File().with_values()
    text, raw = file.written(), rfc8785.dumps(file.extra)
    line = text.split("\n")[1]
    loose = json.dumps(file.extra, ensure_ascii=False).encode()
    v = b'"v":1,"value_salts"'
    return [
        ("a line after the end", "checkpoint", text + "x\n"),
        ("no newline at the end", "checkpoint", text[:-1]),
        *(
            (name, "form", each)
            for name, each in {
                "lines end in carriage returns": text.replace("\n", "\r\n"),
                "a mark before": "\ufeff" + text,
                "extra after the index": text.replace(f"{line}\nindex 6\n", f"index 6\n{line}\n"),
                "no extra": text.replace(f"{line}\n", ""),
                "extra twice": text.replace(line, f"{line}\n{line}"),
                "base64 without padding": text.replace("=\n\n", "\n\n", 1),
                "extra with blanks in its JSON": file.written(loose),
                "extra with escapes that need not be": file.written(raw.replace("É".encode(), b"\\u00c9")),
                "extra with 1.0 for 1": file.written(raw.replace(v, v.replace(b"1", b"1.0"))),
                "extra with a member twice": file.written(raw[:-1] + b',"v":1}'),
                "extra with NaN": file.written(raw.replace(b"1990", b"NaN")),
                "extra with a newline after": file.written(raw + b"\n"),
                "extra that is a list": file.written(b"[" + raw + b"]"),
                "extra in another encoding": file.written(raw.decode().encode("utf-16")),
            }.items()
        ),
    ]


def vectors() -> Row:
    """Return the file."""
    refused = []
    for name, fails, file, change in spoilt():
        change(file)
        refused.append({"name": name, "fails": fails, "policy": "two of two witnesses", "file": file.written()})
    refused += [{"name": name, "fails": fails, "policy": "two of two witnesses", "file": text} for name, fails, text in respelt()]
    whole = File().written()
    refused += [
        {"name": f"the policy is {name}", "fails": fails, "policy": name, "file": whole}
        for name, fails in (
            ("another log", "checkpoint"),
            ("the third witness", "quorum"),
            ("the log's next key alone", "checkpoint"),
        )
    ]
    return {"policies": policies(), "accepted": accepted(), "refused": refused}
