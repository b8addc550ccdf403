"""What a gate's reason codes mean to people: what is wrong, the mend, and whose move it is. English and French.

The codes are those of ``gate.py``, with what else closes a gate where it is shown. They stay as they are in entries and answers; only these words are read.
A test asks for the words of every code that a gate can give.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, TypeAlias

import msgspec

Language: TypeAlias = Literal["en", "fr"]


class Move(StrEnum):
    """Whose move it is."""

    PROCESSOR = "processor"
    CONTROLLER = "controller"
    NOBODY = "nobody"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """One reason in words."""

    what: str
    mend: str
    move: Move


KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "pentest": ("penetration test report", "rapport de test d'intrusion"),
    "iso27001": ("ISO/IEC 27001 certificate", "certificat ISO/CEI 27001"),
    "soc2-type2": ("SOC 2 Type II report", "rapport SOC 2 type II"),
    "secnumcloud": ("SecNumCloud qualification", "qualification SecNumCloud"),
    "questionnaire": ("security questionnaire", "questionnaire de sécurité"),
    "audit": ("audit report", "rapport d'audit"),
    "security-policy": ("security policy", "politique de sécurité"),
    "personnel-list": ("list of the people who work with the data", "liste des personnes qui travaillent avec les données"),
    "sub-processor-list": ("list of sub-processors", "liste des sous-traitants ultérieurs"),
    "breach-drill": ("breach contact drill", "exercice d'alerte en cas de violation"),
    "insurance": ("insurance certificate", "attestation d'assurance"),
    "signed-contract": ("signed contract with its annexes", "contrat signé avec ses annexes"),
    "deletion-attestation": ("deletion attestation", "attestation de suppression"),
}
"""Kinds of evidence in words, English and French; one that is not here is called by its own name."""

_SAID: Final[Mapping[str, tuple[Move, tuple[str, str], tuple[str, str]]]] = {
    "contract:dates:not-started": (
        Move.NOBODY,
        ("the contract has not begun yet", "wait for its first day"),
        ("le contrat n'a pas encore commencé", "attendez son premier jour"),
    ),
    "contract:dates:ended": (
        Move.CONTROLLER,
        ("the contract has ended", "renew it and apply the new version, or close it with a deletion attestation"),
        ("le contrat a pris fin", "renouvelez-le et appliquez la nouvelle version, ou clôturez-le par une attestation de suppression"),
    ),
    "contract:dates:ends-soon": (
        Move.CONTROLLER,
        ("the contract ends within 30 days", "renew it and apply the new version, or prepare its end"),
        ("le contrat prend fin dans 30 jours au plus", "renouvelez-le et appliquez la nouvelle version, ou préparez sa fin"),
    ),
    "contract:clause:missing": (
        Move.CONTROLLER,
        ("clause {0} is missing", "agree on the clause, add it to the contract file, apply the new version"),
        ("la clause {0} manque", "convenez de la clause, ajoutez-la au fichier du contrat, appliquez la nouvelle version"),
    ),
    "contract:absent": (
        Move.CONTROLLER,
        ("no contract is in force", "apply one: ecluse contract apply FILE"),
        ("aucun contrat n'est en vigueur", "appliquez-en un : ecluse contract apply FICHIER"),
    ),
    "contract:unreadable": (
        Move.CONTROLLER,
        ("the contract in force can't be read against the register's map", "map the attribute again, or apply a new version"),
        ("le contrat en vigueur ne peut pas être lu avec la description du registre", "décrivez de nouveau l'attribut, ou appliquez une nouvelle version"),
    ),
    "evidence:missing": (
        Move.PROCESSOR,
        ("no {0} was ever accepted", "hand it in; it counts once the agency has accepted it"),
        ("aucun document accepté : {0}", "remettez-le ; il compte dès que l'administration l'a accepté"),
    ),
    "evidence:missing:deletion-attestation": (
        Move.PROCESSOR,
        ("since the end no deletion attestation was accepted", "delete or give back all of it, and hand in the attestation (Art. 28(3)(g) GDPR)"),
        ("depuis la fin, aucune attestation de suppression n'a été acceptée", "supprimez ou rendez tout, et remettez l'attestation (art. 28, 3, g du RGPD)"),
    ),
    "evidence:lapsed": (
        Move.PROCESSOR,
        ("{0}: too old, past its end, or withdrawn", "hand in a newer one; it counts once the agency has accepted it"),
        ("{0} : trop ancien, échu ou retiré", "remettez-en un plus récent ; il compte dès que l'administration l'a accepté"),
    ),
    "evidence:lapses-soon": (
        Move.PROCESSOR,
        ("{0}: lapses within 30 days", "hand in the next one in time"),
        ("{0} : échoit dans 30 jours au plus", "remettez le suivant à temps"),
    ),
    "evidence:site": (
        Move.PROCESSOR,
        ("{0}: does not cover the site {1}", "hand in one that covers this site, or take the site out of the contract"),
        ("{0} : ne couvre pas le site {1}", "remettez-en un qui couvre ce site, ou retirez le site du contrat"),
    ),
    "finding:overdue": (
        Move.PROCESSOR,
        ("a grave finding is past its due day ({0})", "mend it and show it; the agency then closes the finding"),
        ("un constat grave a dépassé son échéance ({0})", "corrigez et montrez-le ; l'administration clôt alors le constat"),
    ),
    "finding:late": (
        Move.PROCESSOR,
        ("a finding is past its due day ({0})", "mend it and show it; the agency then closes the finding"),
        ("un constat a dépassé son échéance ({0})", "corrigez et montrez-le ; l'administration clôt alors le constat"),
    ),
    "finding:due-soon": (
        Move.PROCESSOR,
        ("a grave finding is due within 30 days ({0})", "mend it before its due day"),
        ("un constat grave arrive à échéance dans 30 jours au plus ({0})", "corrigez avant l'échéance"),
    ),
    "sub-processor:undeclared": (
        Move.CONTROLLER,
        (
            "the processor's own list ({0}) names a sub-processor that the contract does not name",
            "refuse the sub-processor, or authorise it: name it in the contract and apply the new version",
        ),
        (
            "la liste du sous-traitant ({0}) nomme un sous-traitant ultérieur que le contrat ne nomme pas",
            "refusez-le, ou autorisez-le : nommez-le dans le contrat et appliquez la nouvelle version",
        ),
    ),
    "override": (
        Move.CONTROLLER,
        ("two persons lifted a reason for a while ({0})", "settle the reason before that time is over"),
        ("deux personnes ont levé un motif pour un temps ({0})", "réglez le motif avant la fin de ce temps"),
    ),
    "witnesses:uncosigned": (
        Move.CONTROLLER,
        ("entries wait too long for the log's witnesses", "see ecluse ledger witnesses"),
        ("les entrées attendent trop longtemps les témoins du journal", "voyez ecluse ledger witnesses"),
    ),
}  # fmt: skip
"""By the head of a code: whose move, then what and mend in English and in French; {0}, {1}: what follows the head."""


def words_of(reason: str, language: Language = "en") -> Words:
    """Say a reason in words; a code of a later release is said as it stands."""
    parts = reason.split(":")
    for size in (3, 2, 1):
        said = _SAID.get(":".join(parts[:size]))
        if said is not None:
            move, english, french = said
            rest = [
                _kind_words(part, language) if parts[0] == "evidence" and n == 0 else part for n, part in enumerate(parts[size:])
            ]
            what, mend = (text.format(*rest) for text in (french if language == "fr" else english))
            return Words(what=what, mend=mend, move=move)
    return Words(what=reason, mend="", move=Move.CONTROLLER)


def _kind_words(kind: str, language: Language) -> str:
    return KINDS.get(kind, (kind, kind))[language == "fr"]
