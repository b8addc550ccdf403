"""The policies from which ``generate.py`` writes ``policies.json``: ``{NAME}`` stands for a verifier key, each character for one octet.

``logs``: how many; ``witnesses``: their names; ``quorum``: None where none is asked for; ``cosigned``: sets of witnesses' names, and whether they are enough.
``line``: of the fault, from 1; 0: the file as a whole.
"""

from __future__ import annotations

from typing import Any, Final

_TWO_LEVELS: Final = """\
log {PETER}

witness X1 {W1}
witness X2 {W2}
witness X3 {W3}
group X-witnesses 2 X1 X2 X3

witness Y1 {W4}
witness Y2 {W5}
witness Y3 {W6}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
_MANY: Final = (
    "".join(f"log {key}\n" for key in ("{PETER}", "{ENOCH}"))
    + "".join(f"witness w{n} {{W{n}}} https://w{n}.example/\n" for n in range(1, 33))
    + "".join(f"group g{n} any w{n}\n" for n in range(1, 32))
    + "group all-of-them 31 " + " ".join(f"g{n}" for n in range(1, 32)) + " w32\nquorum all-of-them\n"
)  # fmt: skip


def _good(
    name: str, policy: str, witnesses: list[str], quorum: str | None, cosigned: list[tuple[list[str], bool]], *, logs: int = 0
) -> dict[str, Any]:
    said = {"logs": logs, "witnesses": witnesses, "quorum": quorum, "cosigned": cosigned}
    return {"name": name, "policy": policy, **said}


ACCEPTED: Final = [
    _good("no quorum", "quorum none\n", [], None, [([], True)]),
    _good("a log and no quorum", "log {PETER}\nquorum none\n", [], None, [([], True)], logs=1),
    _good("two keys of one log and a witness that is not asked for", "log {LOG1}\nlog {PETER} https://log.example/\nwitness a {W1}\nquorum none\n", ["a"], None,
          [([], True), (["a"], True)], logs=2),
    _good("the example of the standard", _TWO_LEVELS, ["X1", "X2", "X3", "Y1", "Y2", "Y3"], "X-and-Y",
          [([], False), (["X1", "X2"], False), (["X1", "X2", "X3"], False), (["X1", "Y1"], False), (["Y1", "Y2", "Y3"], False), (["X1", "X3", "Y2"], True),
           (["X2", "X3", "Y1", "Y3"], True)], logs=1),
    _good("one witness", "witness a {WIT1}\nquorum a\n", ["a"], "a", [([], False), (["a"], True)]),
    _good("a quorum of one witness, others beside it", "witness a {WIT1}\nwitness b {WIT2}\ngroup g any a b\nquorum b\n", ["a", "b"], "b",
          [(["a"], False), (["b"], True)]),
    _good("an inner group", "witness w1 {WIT1}\nwitness w2 {WIT2}\nwitness w3 {WIT3}\ngroup inner any w2 w3\ngroup outer all w1 inner\nquorum outer\n",
          ["w1", "w2", "w3"], "outer", [(["w1", "w2", "w3"], True), (["w1", "w3"], True), (["w1"], False), (["w2", "w3"], False), ([], False)]),
    _good("blanks, tabs, comments, empty lines", "\n# comment\n\t # another\n\twitness \t w1  {WIT1}   https://w1.example/  \n \t \n\n  quorum\tw1\n",
          ["w1"], "w1", [(["w1"], True)]),
    _good("words of the format as names", "witness all {WIT1}\nwitness any {WIT2}\ngroup group 2 all any\nquorum group\n", ["all", "any"], "group",
          [(["all"], False), (["all", "any"], True)]),
    _good("names that begin with a number sign", "witness #a {W1}\ngroup #g 1 #a\nquorum #g\n", ["#a"], "#g", [(["#a"], True)]),
    _good("names in octets that are no UTF-8", "witness K\x80 {W1} http://\xff.example/\nquorum K\x80\n", ["K\x80"], "K\x80", [(["K\x80"], True)]),
    _good("a letter K and a Kelvin sign are two names", "witness K {W1}\nwitness \xe2\x84\xaa {W2}\nquorum K\n", ["K", "\xe2\x84\xaa"], "K",
          [(["K"], True), (["\xe2\x84\xaa"], False)]),
    _good("a no-break space is no blank", "witness a\xc2\xa0b {W1}\nquorum a\xc2\xa0b\n", ["a\xc2\xa0b"], "a\xc2\xa0b", [(["a\xc2\xa0b"], True)]),
    _good("definitions after the quorum", "witness a {W1}\nquorum a\nwitness b {W2}\nlog {PETER}\n", ["a", "b"], "a", [(["b"], False), (["a"], True)], logs=1),
    _good("one key as a log and as a witness: undesirable, not an error", "log {LOG1}\nwitness a {WIT1}\nquorum a\n", ["a"], "a", [(["a"], True)], logs=1),
    _good("32 witnesses and 32 groups", _MANY, [f"w{n}" for n in range(1, 33)], "all-of-them",
          [([f"w{n}" for n in range(1, 33)], True), ([f"w{n}" for n in range(2, 33)], True), ([f"w{n}" for n in range(3, 33)], False)], logs=2),
]  # fmt: skip


_A: Final = "witness a {W1}\n"
_AB: Final = _A + "witness b {W2}\n"
REFUSED: Final = [
    {"name": name, "policy": policy, "line": line}
    for name, policy, line in [
        ("nothing", "", 0),
        ("no quorum line", "log {PETER}\n" + _A, 2),
        ("comments alone", "# quorum none\n", 1),
        ("two quorum lines", _A + "quorum a\nquorum a\n", 3),
        ("quorum twice on one line", _AB + "quorum a b\n", 3),
        ("quorum without a name", "quorum\n", 1),
        ("quorum of a name that is not there", "quorum unknown\n", 1),
        ("quorum of a name that comes later", "quorum a\n" + _A, 1),
        ("quorum of a log", "log {PETER}\nquorum PeterNeumann\n", 2),
        ("quorum in capitals", "QUORUM none\n", 1),
        ("None in another case", "quorum None\n", 1),
        ("no newline at the end", _A + "quorum a", 2),
        ("a carriage return at the end of a line", "quorum none\r\n", 1),
        ("a carriage return alone", "quorum none\r", 1),
        ("a control character", "quorum none\n\x01\n", 2),
        ("a zero byte", "quorum none\x00\n", 1),
        ("a form feed in a comment", "# \x0c\nquorum none\n", 1),
        ("a vertical tab as a blank", "quorum\x0bnone\n", 1),
        ("DEL in a comment", "# \x7f\nquorum none\n", 1),
        ("a byte order mark", "\xef\xbb\xbfquorum none\n", 1),
        ("a no-break space as a blank", "quorum\xc2\xa0none\n", 1),
        ("an unknown word", "quibble a\nquorum none\n", 1),
        ("a word in capitals", "Witness a {W1}\nquorum none\n", 1),
        ("a comment at the end of a line", "witness a {W1} https://a.example/ # comment\nquorum a\n", 1),
        ("a log without a key", "log\nquorum none\n", 1),
        ("a log with a key that is none", "log garbage\nquorum none\n", 1),
        ("a log with two addresses", "log {PETER} https://a.example https://b.example\nquorum none\n", 1),
        ("a log with a witness's key", "log {W1}\nquorum none\n", 1),
        ("a log with an unknown type of key", "log {UNKNOWN}\nquorum none\n", 1),
        ("a log twice", "log {PETER}\nlog {PETER} https://log.example/\nquorum none\n", 2),
        ("a witness without a key", "witness a\nquorum none\n", 1),
        ("a witness without a name", "witness {W1}\nquorum none\n", 1),
        ("a witness with two addresses", "witness a {W1} https://a.example https://b.example\nquorum a\n", 1),
        ("a witness with a log's key", "witness a {PETER}\nquorum a\n", 1),
        ("a witness with an ECDSA key", "witness a {ECDSA}\nquorum a\n", 1),
        ("a witness with an ML-DSA-44 key, which is not judged here", "witness a {MLDSA}\nquorum a\n", 1),
        ("a witness with a key of 31 bytes", "witness a {SHORT}\nquorum a\n", 1),
        ("a witness whose key id is another's", "witness a witness.example/1+00000000+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nquorum a\n", 1),
        ("a key that is no UTF-8", "witness a \xff{W1}\nquorum a\n", 1),
        ("a key that is cut", "witness a Wit1+55ee4561\nquorum a\n", 1),
        ("a witness called none", "witness none {W1}\nquorum none\n", 1),
        ("two witnesses of one name", _A + "witness a {W2}\nquorum a\n", 2),
        ("two witnesses of one key", _A + "witness b {W1}\nquorum a\n", 2),
        ("two witnesses of one key under two key names", "witness a {WIT1}\nwitness b {TWIN1}\nquorum a\n", 2),
        ("a group with the name of a witness", _A + "group a any a\nquorum a\n", 2),
        ("a witness with the name of a group", _A + "group g any a\nwitness g {W2}\nquorum g\n", 3),
        ("two groups of one name", _AB + "group g any a\ngroup g any b\nquorum g\n", 4),
        ("a group called none", _A + "group none any a\nquorum none\n", 2),
        ("a group without members", _A + "group g 1\nquorum a\n", 2),
        ("a group without anything", _A + "group\nquorum a\n", 2),
        ("a group in itself", _A + "group g any a g\nquorum g\n", 2),
        ("two groups in each other", _A + "group g any a h\ngroup h any g\nquorum h\n", 2),
        ("a threshold of none", _A + "group g 0 a\nquorum g\n", 2),
        ("a threshold below zero", _A + "group g -1 a\nquorum g\n", 2),
        ("a threshold above the members", _A + "group g 2 a\nquorum g\n", 2),
        ("a threshold with a zero before", _AB + "group g 02 a b\nquorum g\n", 3),
        ("a threshold with a sign", _A + "group g +1 a\nquorum g\n", 2),
        ("a threshold with decimals", _A + "group g 1.0 a\nquorum g\n", 2),
        ("a threshold in another script's digit", _A + "group g \xd9\xa1 a\nquorum g\n", 2),
        ("a threshold in hex", _A + "group g 0x1 a\nquorum g\n", 2),
        ("a threshold of 64 bits", _A + "group g 18446744073709551617 a\nquorum g\n", 2),
        ("a threshold in capitals", _A + "group g ANY a\nquorum g\n", 2),
        ("no threshold", _AB + "group g a b\nquorum g\n", 3),
        ("a member that is not there", _A + "group g any b\nquorum g\n", 2),
        ("a member that comes later", "group g any a\n" + _A + "quorum g\n", 1),
        ("a log as a member", "log {PETER}\n" + _A + "group g any PeterNeumann a\nquorum g\n", 3),
        ("none as a member", _A + "group g any none a\nquorum g\n", 2),
        ("a member twice", _A + "group g all a a\nquorum g\n", 2),
        ("a member twice, apart", _AB + "group g all a b a\nquorum g\n", 3),
        ("a member of two groups", _AB + "group g any a b\ngroup h any a\nquorum g\n", 4),
        ("a group in two groups", _AB + "group g any a\ngroup h any g\ngroup i any g b\nquorum i\n", 5),
    ]
]  # fmt: skip
