"""What is checked before a witness cosigns, in the order of C2SP tlog-witness 1.0. Pure.

 1. The log is one that this witness watches (`LogUnknown`).
 2. A trusted key of the log signed the checkpoint; none signed it badly; other keys' signatures are ignored (`NotSigned`).
 3. The old size is not above the new one (`RequestInvalid`).
 4. The old size is that of the checkpoint cosigned last, 0 if there is none (`SizeConflict`).
 5. A checkpoint of size 0 has the root of the empty tree (`NotConsistent`).
 6. From size 0 there is nothing to prove, and the proof is empty (`NotConsistent`).
 7. At the same size the root is the same (`NotConsistent`, `Fault.OTHER_ROOT`: the log signed two histories).
 8. The proof shows that the new tree extends the old one (`NotConsistent`); RFC 6962 §2.1.2.

1 and 2 need no turn at the store; 3 to 8 are only true while nobody else can move what was seen.
"""

from __future__ import annotations

from collections.abc import Collection

from ecluse.ledger.errors import NoteInvalid, ProofError
from ecluse.ledger.model import Verifier
from ecluse.ledger.notes import format_signature, open_note, parse_note
from ecluse.ledger.tree import EMPTY_ROOT, check_consistency
from ecluse.witness.errors import LogUnknown, NotConsistent, NotSigned, RequestInvalid, SizeConflict
from ecluse.witness.model import Fault, Seen, Submission


def check_signed(submission: Submission, trusted: Collection[Verifier] | None) -> str:
    """Do checks 1 and 2; return the note with the signatures that were verified and no others. ``trusted``: the log's keys, None for an unknown log."""
    if trusted is None:  # 1
        raise LogUnknown("This witness does not watch that log.")
    try:  # 2
        open_note(submission.note, trusted)
    except NoteInvalid as bad:  # it parsed before: what is left are signatures
        raise NotSigned("No trusted key of the log signed the checkpoint, or one signed it badly.") from bad
    known = {(one.name, one.key_id) for one in trusted}
    text, signatures = parse_note(submission.note)
    lines = dict.fromkeys(format_signature(one) for one in signatures if (one.name, one.key_id) in known)
    return f"{text}\n{''.join(lines)}"


def check_extends(submission: Submission, seen: Seen) -> None:
    """Do checks 3 to 8 against what was ``seen`` last of the log."""
    old_size, checkpoint = submission.old_size, submission.checkpoint
    if old_size > checkpoint.size:  # 3
        raise RequestInvalid("The old size is above the checkpoint's.")
    if old_size != seen.size:  # 4
        raise SizeConflict(seen.size)
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:  # 5
        raise NotConsistent(Fault.OTHER_ROOT, "The root at size 0 is not the empty tree's.")
    if old_size == 0 and submission.proof:  # 6
        raise NotConsistent(Fault.PROOF, "From size 0 there is nothing to prove, yet there is a proof.")
    if old_size == checkpoint.size and checkpoint.root != seen.root:  # 7
        raise NotConsistent(Fault.OTHER_ROOT, "Another checkpoint of this very size was cosigned: the log signed two histories.")
    if old_size > 0:  # 8
        try:
            check_consistency(old_size, checkpoint.size, seen.root, checkpoint.root, submission.proof)
        except ProofError as bad:
            raise NotConsistent(
                Fault.PROOF, "The proof does not show that the checkpoint extends the one cosigned last."
            ) from bad
