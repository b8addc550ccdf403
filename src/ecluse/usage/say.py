"""Lines of a person's record in plain words, in French and English: who was given what, why, by which law, how sure one is. Pure.

A line says nothing of anybody else: no agent, session, place, room or handle is in it, and its words depend on its own entry and the contract's text alone.
"""

from __future__ import annotations

from typing import Final

from ecluse.ledger.fields import Event
from ecluse.usage.model import Entry, Given, Language, Line, Office, Paper

_FR, _EN = Language.FRENCH, Language.ENGLISH
_ACTIONS: Final = {
    Event.PERSON_GRANTED: {
        _FR: "Communication de données vous concernant, pour : {label}",
        _EN: "Data about you was given, for: {label}",
    },
    Event.SHEET_GRANTED: {
        _FR: "Communication de votre ligne d'une feuille d'appel, pour : {label}",
        _EN: "Your line of a roll-call was given, for: {label}",
    },
    Event.EMERGENCY_GRANTED: {
        _FR: "Donnée consultée en urgence par l'agent de permanence de l'administration",
        _EN: "Seen by the agency's duty officer in an emergency",
    },
    Event.CONSULTED: {
        _FR: "Consultation de ce relevé par un agent de l'administration, avec l'accord d'un second agent",
        _EN: "This record was looked at by an officer of the agency, with a second officer's approval",
    },
    Event.USAGE_SHOWN: {
        _FR: "Consultation de ce relevé, par vous-même ou par le portail de l'administration",
        _EN: "This record was looked at, by you or by your agency's portal",
    },
}
_BY_PERSON: Final = {
    _FR: "Consultation de ce relevé par vous-même, sur votre page",
    _EN: "This record was looked at by you, on your own page",
}
_KINDS: Final = {
    Event.PERSON_GRANTED: "disclosure",
    Event.SHEET_GRANTED: "roll-call",
    Event.EMERGENCY_GRANTED: "emergency",
    Event.USAGE_SHOWN: "record-shown",
    Event.CONSULTED: "record-consulted",
}
_SYSTEMS: Final = {Event.EMERGENCY_GRANTED: "duty-officer", Event.USAGE_SHOWN: "portal", Event.CONSULTED: "officer"}
"""Where the controller itself looked; all else is a processor's."""
_FORMS: Final = {
    "full": {_FR: "en entier", _EN: "in full"},
    "initial": {_FR: "l'initiale seulement", _EN: "the initial only"},
    "year": {_FR: "l'année seulement", _EN: "the year only"},
    "age_band": {_FR: "une tranche d'âge", _EN: "an age band"},
    "masked": {_FR: "masqué en partie", _EN: "partly masked"},
    "region": {_FR: "la région seulement", _EN: "the region only"},
    "predicate": {_FR: "un oui ou un non", _EN: "a yes or a no"},
    "relay": {_FR: "une adresse de substitution", _EN: "an address that stands for yours"},
    "withheld": {_FR: "non communiqué", _EN: "not given"},
}
_BASES: Final = {
    "6.1.a": {_FR: "RGPD, art. 6, par. 1, a : votre consentement", _EN: "GDPR Art. 6(1)(a): your consent"},
    "6.1.b": {_FR: "RGPD, art. 6, par. 1, b : l'exécution d'un contrat", _EN: "GDPR Art. 6(1)(b): performance of a contract"},
    "6.1.c": {_FR: "RGPD, art. 6, par. 1, c : une obligation légale", _EN: "GDPR Art. 6(1)(c): a legal obligation"},
    "6.1.d": {_FR: "RGPD, art. 6, par. 1, d : des intérêts vitaux", _EN: "GDPR Art. 6(1)(d): vital interests"},
    "6.1.e": {
        _FR: "RGPD, art. 6, par. 1, e : une mission d'intérêt public",
        _EN: "GDPR Art. 6(1)(e): a task in the public interest",
    },
    "6.1.f": {_FR: "RGPD, art. 6, par. 1, f : des intérêts légitimes", _EN: "GDPR Art. 6(1)(f): legitimate interests"},
}
_ASSURANCES: Final = {
    "asserted": {
        _FR: "L'organisme a désigné lui-même son agent ; l'administration ne l'a pas identifié.",
        _EN: "The organisation named its agent itself; the agency did not identify the person.",
    },
    "authenticated": {
        _FR: "L'agent s'était identifié auprès de l'administration.",
        _EN: "The agent had signed in with the agency.",
    },
}
_DELIVERY: Final = {
    "disclosure": {
        _FR: "Envoyé, ou a pu l'être : l'inscription précède l'envoi, et l'arrivée n'est pas certaine.",
        _EN: "Sent, or may have been sent: it is entered before it is sent, and arrival is not certain.",
    },
    "record-shown": {
        _FR: "Montré, ou a pu l'être : l'inscription précède l'envoi.",
        _EN: "Shown, or may have been shown: it is entered before it is sent.",
    },
}
_HIDDEN: Final = {_FR: "{reason} (base légale : {basis})", _EN: "{reason} (legal basis: {basis})"}
NOTES: Final = {
    _FR: (
        "Chaque ligne a été inscrite au registre avant tout envoi. Ce qui a été inscrit a été envoyé, ou a pu l'être.",
        "Une demande refusée n'a rien communiqué et ne figure pas ici.",
        "Les lignes sont effacées au terme de leur durée de conservation.",
        "La loi permet de différer l'affichage d'une ligne, par une règle motivée et limitée dans le temps ; la ligne paraît ensuite, avec le motif.",
    ),
    _EN: (
        "Each line was entered in the ledger before anything was sent. What was entered was sent, or may have been sent.",
        "A request that was refused disclosed nothing, and is not listed.",
        "Lines are erased when their retention is over.",
        "The law allows a line to be held back, by a rule with a reason and an end; the line then appears, with the reason.",
    ),
}
"""What a record can't say by itself: the same sentences under every record, so that they tell nothing about this one."""


def say_line(entry: Entry, paper: Paper, office: Office, language: Language, proof: str | None) -> Line:
    """Write one line. ``paper``: what the contract version that the entry names says in words; ``proof``: None where no checkpoint covers it yet."""
    fields, event = dict(entry.fields), Event(entry.event)
    system, detail = _SYSTEMS.get(event), fields.get("detail")
    by_person = event is Event.USAGE_SHOWN and isinstance(detail, dict) and detail.get("way") == "page"
    own = system is not None
    processor, purpose, basis, assurance = (
        _text(fields.get(name)) for name in ("processor", "purpose", "legal_basis", "assurance")
    )
    contract = fields.get("contract")
    label = paper.labels.get(purpose or "") or purpose
    return Line(
        logtime=entry.sealed_at.replace(microsecond=0),
        action=_BY_PERSON[language] if by_person else _ACTIONS[event][language].format(label=label),
        receiver_code="controller" if own else paper.siren or processor or "",
        receiver_name=office.controller if own else paper.name or processor or "",
        receiver_system="page" if by_person else system or processor or "",
        log_source_system=office.register,
        kind=_KINDS[event],
        purpose=purpose,
        purpose_text=label,
        attributes=_given(fields.get("forms"), language),
        legal_basis=basis,
        legal_basis_text=_said(_BASES, basis, language),
        contract_reference=_text(contract.get("reference")) if isinstance(contract, dict) else None,
        delivery=_DELIVERY["record-shown" if own else "disclosure"][language],
        assurance=assurance,
        assurance_text=_said(_ASSURANCES, assurance, language),
        hidden_until=entry.held_until,
        hidden_reason=_HIDDEN[language].format(reason=entry.held_reason, basis=entry.held_basis) if entry.held_until else None,
        proof=proof,
    )


def _given(forms: object, language: Language) -> list[Given]:
    """List what was given, by attribute. A form of a later version is called by its own word."""
    named = forms if isinstance(forms, dict) else {}
    return [
        Given(attribute=name, form=form, form_text=_said(_FORMS, form, language) or form) for name, form in sorted(named.items())
    ]


def _said(words: dict[str, dict[Language, str]], word: str | None, language: Language) -> str | None:
    """Say a word of a vocabulary; one of a later version is given as it is."""
    return None if word is None else words.get(word, {}).get(language, word)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
