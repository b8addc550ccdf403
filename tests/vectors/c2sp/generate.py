"""Make `policies`, `cosignatures`, `tlog-proofs` and `add-checkpoint.json` from the texts of C2SP and ``cryptography``; nothing of Écluse is used.

``python -m tests.vectors.c2sp.generate`` writes them anew, the same bytes each time. SOURCES.md says which keys and cases are published ones.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors.c2sp.policies import ACCEPTED, REFUSED

HERE: Final = Path(__file__).parent
ORIGIN: Final = "log.example/one"
TIME: Final = 1_679_315_147
WITNESS_SKEYS: Final = {
    "Wit1": "AeadRiG7XM4XiieCHzD8lxysXMwcViy5nYsoXURWGrlE",
    "Wit2": "AfPTvxw5eUcqSgivo2vaiC7JPOMUZ/9baHPSDrWqgdGm",
    "Wit3": "AR2Kg8k6ccBr5QXz5SHtnkOS4UGQGEQaWi6Gfr6Mm3X5",
}
"""Of transparency-dev/formats: the type and the seed."""
PETER: Final = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH: Final = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
REAL: Final = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

\u2014 arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
\u2014 arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
\u2014 transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
\u2014 witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
\u2014 remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
\u2014 witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
"""  # noqa: E501 - a published note
REAL_LOG: Final = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
REMORA: Final = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
REMORA_AT: Final = 0x6A122120


def vkey(name: str, public: bytes) -> tuple[bytes, str]:
    """Return the id and the verifier key of a type and a public key."""
    key_id = sha256(name.encode() + b"\n" + public).digest()[:4]
    return key_id, f"{name}+{key_id.hex()}+{b64encode(public).decode()}"


class Key:
    """An Ed25519 key of one type under one name."""

    def __init__(self, name: str, seed: bytes, kind: int) -> None:
        """Derive the public half and the key's id."""
        self.name, self.private = name, Ed25519PrivateKey.from_private_bytes(seed)
        public = bytes([kind]) + self.private.public_key().public_bytes_raw()
        self.id, self.vkey = vkey(name, public)

    def line(self, raw: bytes, *, name: str | None = None) -> str:
        """Write a signature line of what comes after the key's id."""
        return f"\u2014 {name or self.name} {b64encode(self.id + raw).decode()}\n"

    def sign(self, text: str) -> str:
        """Sign as a log does."""
        return self.line(self.private.sign(text.encode()))

    def stamp(self, text: str, at: int = TIME, header: str = "cosignature/v1\ntime {at}\n") -> bytes:
        """Return a cosignature's bytes after the key's id."""
        return at.to_bytes(8, "big") + self.private.sign((header.format(at=at) + text).encode())

    def cosign(self, text: str, at: int = TIME) -> str:
        """Sign as a witness does."""
        return self.line(self.stamp(text, at))


LOG: Final = Key(ORIGIN, b"\x11" * 32, 1)
NEXT: Final = Key(ORIGIN, b"\x12" * 32, 1)
OTHER: Final = Key("log.example/two", b"\x13" * 32, 1)
WITNESSES: Final = {name: Key(name, b64decode(skey)[1:], 4) for name, skey in WITNESS_SKEYS.items()}
W1, W2, W3 = WITNESSES.values()


# ── trees ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def root(leaves: list[bytes]) -> bytes:
    """Hash leaves as RFC 9162 §2.1.1 defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def inclusion(index: int, leaves: list[bytes]) -> list[bytes]:
    """Prove a leaf as RFC 9162 §2.1.3.1 defines it."""
    if len(leaves) < 2:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*inclusion(index, leaves[:split]), root(leaves[split:])]
    return [*inclusion(index - split, leaves[split:]), root(leaves[:split])]


def base64(raw: bytes) -> str:
    """Write standard base64."""
    return b64encode(raw).decode()


LEAVES: Final = [sha256(b"\x00" + b"entry %d" % number).digest() for number in range(13)]
TEXT: Final = f"{ORIGIN}\n13\n{base64(root(LEAVES))}\n"
SIGNED: Final = f"{TEXT}\n{LOG.sign(TEXT)}"


# ── cosignatures ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _case(name: str, note: str, **other: Any) -> dict[str, Any]:
    known = {"origin": ORIGIN, "logs": [LOG.vkey], "witnesses": [W1.vkey, W2.vkey]}
    return {"name": name, "note": note, **known, **other}


def _remora(name: str, note: str, **other: Any) -> dict[str, Any]:
    return _case(name, note, **{"origin": REAL.split("\n")[0], "logs": [REAL_LOG], "witnesses": [REMORA], **other})


def cosignatures() -> dict[str, list[dict[str, Any]]]:
    """Write the notes to accept, with who cosigned and when, and those to refuse."""
    extended = TEXT + "extension\n"
    ml_dsa = Key("Wit1", b"\x14" * 32, 6)
    accepted = [
        _remora("a public log, cosigned by a public witness", REAL, cosigned_at={"remora.n621.de": REMORA_AT}),
        _remora("the same, its witnesses unknown", REAL, witnesses=[], cosigned_at={}),
        _case("no cosignature", SIGNED, cosigned_at={}),
        _case("one", SIGNED + W1.cosign(TEXT), cosigned_at={"Wit1": TIME}),
        _case("two, before the log's", f"{TEXT}\n{W2.cosign(TEXT, 1)}{W1.cosign(TEXT)}{LOG.sign(TEXT)}", cosigned_at={"Wit1": TIME, "Wit2": 1}),
        _case("the last second of 63 bits", SIGNED + W1.cosign(TEXT, 2**63 - 1), cosigned_at={"Wit1": 2**63 - 1}),
        _case("twice: the later counts", SIGNED + W1.cosign(TEXT, 9) + W1.cosign(TEXT, 8), cosigned_at={"Wit1": 9}),
        _case("by an unknown witness, also a bad one", SIGNED + W3.cosign(TEXT) + W3.line(bytes(72)), cosigned_at={}),
        _case("a known name with the id of another", SIGNED + W3.line(bytes(72), name="Wit1"), cosigned_at={}),
        _case("a known id under another name", SIGNED + W1.line(bytes(72), name="Wit9"), cosigned_at={}),
        _case("ML-DSA-44 beside it is carried", SIGNED + ml_dsa.line(bytes(8 + 2420)) + W1.cosign(TEXT), cosigned_at={"Wit1": TIME}),
        _case("extension lines are cosigned too", f"{extended}\n{LOG.sign(extended)}{W1.cosign(extended)}", cosigned_at={"Wit1": TIME}),
        _case("two keys of the log", f"{SIGNED}{NEXT.sign(TEXT)}{W1.cosign(TEXT)}", logs=[LOG.vkey, NEXT.vkey], cosigned_at={"Wit1": TIME}),
        _case("one hundred signatures", SIGNED + W3.cosign(TEXT) * 98 + W1.cosign(TEXT), cosigned_at={"Wit1": TIME}),
    ]  # fmt: skip
    return {"accepted": accepted, "refused": _refused_cosignatures()}


def _refused_cosignatures() -> list[dict[str, Any]]:
    other = TEXT.replace("\n13\n", "\n12\n")
    good, line = W1.stamp(TEXT), W1.cosign(TEXT)
    bad_lines = {
        "by the log's rule": W1.line(W1.private.sign(TEXT.encode())), "by the log's rule, after a time": W1.line(good[:8] + W1.private.sign(TEXT.encode())),
        "another time than the signed one": W1.line((TIME + 1).to_bytes(8, "big") + good[8:]), "no time": W1.cosign(TEXT, 0),
        "a time of 64 bits": W1.cosign(TEXT, 2**63), "the largest time": W1.cosign(TEXT, 2**64 - 1),
        "a time in other digits": W1.line(W1.stamp(TEXT, header="cosignature/v1\ntime 0{at}\n")),
        "a header of another version": W1.line(W1.stamp(TEXT, header="cosignature/v2\ntime {at}\n")),
        "a header that ends in a carriage return": W1.line(W1.stamp(TEXT, header="cosignature/v1\r\ntime {at}\r\n")),
        "no header": W1.line(W1.stamp(TEXT, header="")), "the time as little end first": W1.line(good[7::-1] + good[8:]),
        "of another checkpoint": W1.cosign(other), "of the whole note": W1.line(W1.stamp(SIGNED)),
        "of the text without its newline": W1.line(W1.stamp(TEXT[:-1])),
        "of the checkpoint with an extension": W1.line(W1.stamp(TEXT + "extension\n")), "by another witness's key": W1.line(W2.stamp(TEXT)),
        "cut to the time": W1.line(good[:8]), "cut in the time": W1.line(good[:7]), "one byte": W1.line(b"\x00"), "the id alone": W1.line(b""),
        "cut by one byte": W1.line(good[:-1]), "one byte more": W1.line(good + b"\x00"), "one bit flipped": W1.line(good[:-1] + bytes([good[-1] ^ 1])),
        "zeros": W1.line(bytes(72)), "a good one, then a bad one": line + W1.line(bytes(72)), "a bad one, then a good one": W1.line(bytes(72)) + line,
        "one bad of two witnesses": line + W2.line(good), "without its newline": line[:-1], "a carriage return": line.replace("\n", "\r\n"),
        "a hyphen for the dash": line.replace("\u2014", "-"), "two blanks": line.replace(" ", "  ", 1), "a blank after it": line.replace("\n", " \n"),
        "no padding": line.replace("=", ""), "an empty line after it": line + "\n", "a name with a plus": line.replace("Wit1", "Wit+1"),
        "a name with a no-break space": line.replace("Wit1", "Wit\u00a01"), "base64 of the web": line.replace("+", "-").replace("/", "_"),
        "a hundred more": line * 100,
    }  # fmt: skip
    return [
        *(_case(f"cosignature: {name}", SIGNED + each) for name, each in bad_lines.items()),
        _case("cosigned and not signed by the log", f"{TEXT}\n{line}"),
        _case("cosigned, and the log's signature bad", f"{TEXT}\n{LOG.line(bytes(64))}{line}"),
        _case("signed by a key of another log alone", f"{TEXT}\n{OTHER.sign(TEXT)}{line}", logs=[LOG.vkey, OTHER.vkey]),
        _case("of another log of the policy", SIGNED.replace(ORIGIN, OTHER.name), logs=[LOG.vkey, OTHER.vkey]),
        _case("of another origin than asked for", SIGNED + line, origin=OTHER.name),
        _case("the size changed", (SIGNED + line).replace("\n13\n", "\n14\n")),
        _case("an extension added", (SIGNED + line).replace("\n\n", "\nmore\n\n")),
        _case("two keys of the log, one bad", SIGNED + NEXT.line(bytes(64)), logs=[LOG.vkey, NEXT.vkey]),
        _remora("a public log's checkpoint of another size", REAL.replace("\n1432088532\n", "\n42\n")),
        _remora("its witness's time changed", REAL.replace("qEiEgPlfF", "qEiEhPlfF")),
        _remora("its witness's bit flipped", REAL.replace("DrAWfBw==", "DrAWfBg==")),
    ]  # fmt: skip


# ── tlog-proof and add-checkpoint ────────────────────────────────────────────────────────────────────────────────────────────
def _proof(index: int, extra: bytes | None = None, leaves: list[bytes] = LEAVES, note: str = SIGNED) -> str:
    first = "" if extra is None else f"extra {base64(extra)}\n"
    path = "".join(f"{base64(one)}\n" for one in inclusion(index, leaves))
    return f"c2sp.org/tlog-proof@v1\n{first}index {index}\n{path}\n{note}"


def tlog_proofs() -> dict[str, Any]:
    """Write proofs that parse, with what is in them, and those to refuse by their form alone."""
    single = f"{ORIGIN}\n1\n{base64(LEAVES[0])}\n"
    lone = f"{single}\n{LOG.sign(single)}"
    good = [("with extra", 5, b"{}", LEAVES, SIGNED), ("without extra", 12, None, LEAVES, SIGNED), ("first of thirteen", 0, b"\x00\xff", LEAVES, SIGNED),
            ("of a log of one entry", 0, None, LEAVES[:1], lone)]  # fmt: skip
    accepted = [
        {"name": name, "proof": _proof(index, extra, leaves, note), "index": index, "extra": None if extra is None else base64(extra),
         "path": [base64(one) for one in inclusion(index, leaves)], "leaf_hash": base64(leaves[index]), "checkpoint": note}
        for name, index, extra, leaves, note in good
    ]  # fmt: skip
    return {"log": LOG.vkey, "accepted": accepted, "refused": _refused_proofs()}


def _refused_proofs() -> list[dict[str, str]]:
    text = _proof(5, b"{}")
    lines = text.split("\n")
    swapped = "\n".join([lines[0], lines[2], lines[1], *lines[3:]])
    bad = {
        "nothing": "", "the first line alone": "c2sp.org/tlog-proof@v1\n", "another first line": text.replace("c2sp.org", "c2sp.com"),
        "version 2": text.replace("@v1", "@v2"), "a blank before": " " + text, "a mark before": "\ufeff" + text, "an empty line before": "\n" + text,
        "lines that end in a carriage return": text.replace("\n", "\r\n"), "extra after index": swapped, "extra twice": text.replace(lines[1],
        f"{lines[1]}\n{lines[1]}"),
        "extra that is no base64": text.replace("extra e30=", "extra !!notbase64!!"), "extra without padding": text.replace("extra e30=", "extra e30"),
        "extra with stray bits": text.replace("extra e30=", "extra e31="), "extra of the web's base64": text.replace("extra e30=", "extra -_8="),
        "extra in capitals": text.replace("extra ", "EXTRA "), "two blanks after extra": text.replace("extra ", "extra  "),
        "a tab after extra": text.replace("extra ", "extra\t"),
        "no index": text.replace("index 5\n", ""), "index without a number": text.replace("index 5", "index"), "index empty": text.replace("index 5", "index "),
        "index that is no number": text.replace("index 5", "index notanumber"), "index below zero": text.replace("index 5", "index -5"),
        "index with a sign": text.replace("index 5", "index +5"), "index with a zero before": text.replace("index 5", "index 05"),
        "index in another script": text.replace("index 5", "index \u0665"), "index with an underscore": text.replace("index 5", "index 1_0"),
        "index of 64 bits": text.replace("index 5", f"index {2**63}"), "index twice": text.replace("index 5\n", "index 5\nindex 5\n"),
        "index with a blank after": text.replace("index 5", "index 5 "), "a hash that is no base64": text.replace(lines[3], "!!notbase64!!"),
        "a hash of 16 bytes": text.replace(lines[3], base64(bytes(16))), "a hash of 64 bytes": text.replace(lines[3], base64(bytes(64))),
        "a hash with a blank": text.replace(lines[3], lines[3] + " "), "a hash with stray bits": text.replace(lines[3], base64(bytes(32))[:-2] + "B="),
        "too many hashes": text.replace(lines[3], "\n".join([lines[3]] * 64)), "no empty line": text.replace("\n\n", "\n", 1),
        "an empty line too many": text.replace("\n\n", "\n\n\n", 1), "an empty line among the hashes": text.replace(lines[3], lines[3] + "\n"),
        "no checkpoint": text[: text.index("\n\n") + 2], "a checkpoint without signatures": text[: text.rindex("\n\n") + 1], "no newline at the end": text[:-1],
        "a line after the end": text + "more\n", "a zero byte": text.replace("index 5", "index 5\0"),
    }  # fmt: skip
    return [{"name": name, "proof": each} for name, each in bad.items()]


_SIGSUM: Final = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
_SIGSUM_BODIES: Final = (
    ("of size 1", 0, [], "1\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY="),
    ("of size 3", 1, ["KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],
     "3\nRcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=\n", "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go="),
    ("of size 5", 1, ["KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=",
    "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],
     "5\nQrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=\n", "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww="),
)  # fmt: skip
_SIGSUM_KEY: Final = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"


def add_checkpoint() -> dict[str, Any]:
    """Write request bodies for a witness: those that parse, with what is in them, and those to refuse by their form alone."""
    accepted = []
    for name, old, proof, rest, signature in _SIGSUM_BODIES:
        note = f"{_SIGSUM}\n{rest}\n\u2014 {_SIGSUM} {signature}\n"
        body = f"old {old}\n" + "".join(f"{one}\n" for one in proof) + "\n" + note
        accepted.append({"name": name, "body": body, "old": old, "proof": proof, "note": note})
    body = accepted[2]["body"]
    first = accepted[2]["proof"][0]
    bad = {
        "nothing": "", "a newline": "\n", "no old line": body.partition("\n")[2], "old in capitals": "O" + body[1:],
        "another word": body.replace("old", "size", 1),
        "two blanks": body.replace("old 1", "old  1"), "a tab": body.replace("old 1", "old\t1"), "a blank after": body.replace("old 1", "old 1 "),
        "a zero before": body.replace("old 1", "old 01"), "a sign": body.replace("old 1", "old +1"), "below zero": body.replace("old 1", "old -1"),
        "an underscore": body.replace("old 1", "old 1_0"), "another script's digit": body.replace("old 1", "old \u0661"),
        "no number": body.replace("old 1", "old "),
        "64 bits": body.replace("old 1", f"old {2**63}"), "a carriage return": body.replace("\n", "\r\n"), "a mark before": "\ufeff" + body,
        "64 hashes": body.replace(first, "\n".join([first] * 62)), "a hash of 31 bytes": body.replace(first, base64(bytes(31))),
        "a hash of 33 bytes": body.replace(first, base64(bytes(33))), "a hash with stray bits": body.replace(first, first[:-2] + "B="),
        "a hash without padding": body.replace(first, first[:-1]), "a hash with a blank": body.replace(first, first + " "),
        "an empty line among the hashes": body.replace(first, first + "\n"), "no empty line": body.replace("\n\n", "\n", 1),
        "an empty line too many": body.replace("\n\n", "\n\n\n", 1), "no checkpoint": body[: body.index("\n\n") + 2],
        "a checkpoint without signatures": body[: body.rindex("\n\n") + 1], "no newline at the end": body[:-1], "a line after the end": body + "more\n",
        "a size of another spelling": body.replace("\n5\n", "\n05\n"),
        "a root of 31 bytes": body.replace("QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=", base64(bytes(31))),
        "a zero byte": body.replace("old 1", "old 1\0"),
    }  # fmt: skip
    _, log = vkey(_SIGSUM, b"\x01" + bytes.fromhex(_SIGSUM_KEY))
    return {"log": log, "accepted": accepted, "refused": [{"name": name, "body": each} for name, each in bad.items()]}


# ── policies ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def policies() -> dict[str, list[dict[str, Any]]]:
    """Write the policies of `policies.py` with the keys in the places of their names."""
    keys = {"PETER": PETER, "ENOCH": ENOCH, **{name.upper(): key.vkey for name, key in WITNESSES.items()}}
    keys |= {
        "LOG1": Key("Wit1", b64decode(WITNESS_SKEYS["Wit1"])[1:], 1).vkey,
        "TWIN1": Key("impostor.example", b64decode(WITNESS_SKEYS["Wit1"])[1:], 4).vkey,
    }
    keys |= {f"W{n}": Key(f"witness.example/{n}", bytes([n]) * 32, 4).vkey for n in range(1, 41)}
    keys |= {"MLDSA": vkey("m.example", b"\x06" + bytes(1312))[1], "ECDSA": vkey("e.example", b"\x02\x01\x02\x03")[1]}
    keys |= {"UNKNOWN": vkey("u.example", b"\x63" + bytes(32))[1], "SHORT": vkey("s.example", b"\x04" + bytes(31))[1]}

    def filled(text: str) -> str:
        for name in sorted(keys, key=len, reverse=True):
            text = text.replace("{" + name + "}", keys[name])
        return text

    return {
        kind: [case | {"policy": filled(case["policy"])} for case in cases]
        for kind, cases in (("accepted", ACCEPTED), ("refused", REFUSED))
    }


def main() -> None:
    """Write the four files."""
    for name, made in {
        "policies": policies(),
        "cosignatures": cosignatures(),
        "tlog-proofs": tlog_proofs(),
        "add-checkpoint": add_checkpoint(),
    }.items():
        (HERE / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
