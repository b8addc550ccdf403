"""How the record's codes are said to the person they are about: short words, as one speaks. Source texts, translated where they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ecluse.usage.model import Given
from ecluse.web.pages.language import N_, Tongue

KINDS: Final[Mapping[str, str]] = {
    "disclosure": N_("Data about you was shown to this organisation."),
    "roll-call": N_("Your name was on the roll-call of a session."),
    "emergency": N_("One piece of your data was seen in an emergency, by the duty officer of the administration."),
    "record-consulted": N_("This list was looked at by an officer of the administration. A second officer had agreed."),
    "record-shown": N_("This list was looked at, by you or for you, on the website of the administration."),
}
OWN_LOOK: Final = N_("You looked at this list, on this page.")
OTHER_KIND: Final = N_("Something was written down about you.")
ATTRIBUTES: Final[Mapping[str, str]] = {
    "family_name": N_("family name"),
    "given_name": N_("first name"),
    "family_name_latin": N_("family name in Latin letters"),
    "given_name_latin": N_("first name in Latin letters"),
    "birth_date": N_("date of birth"),
    "birth_place": N_("place of birth"),
    "nationality": N_("nationality"),
    "preferred_language": N_("language you prefer"),
    "entry_date": N_("date you came to the country"),
    "stay_reason": N_("reason of your stay"),
    "file_number": N_("file number"),
    "email": N_("e-mail address"),
    "phone": N_("phone number"),
    "address": N_("address"),
    "city": N_("town"),
    "postal_code": N_("postcode"),
    "region": N_("region"),
    "sex": N_("sex"),
    "photo": N_("photograph"),
}
WHOLE: Final[Mapping[tuple[str, str], str]] = {
    ("birth_date", "year"): N_("year of birth only"),
    ("birth_date", "age_band"): N_("age group only, not the date of birth"),
    ("entry_date", "year"): N_("year you came only"),
    ("family_name", "initial"): N_("first letter of the family name only"),
    ("given_name", "initial"): N_("first letter of the first name only"),
    ("email", "relay"): N_("a stand-in e-mail address; yours stays unknown"),
    ("phone", "relay"): N_("a stand-in phone number; yours stays unknown"),
}
"""Where one thing and its form have words of their own."""
FORMS: Final[Mapping[str, str]] = {
    "full": N_("%(data)s"),
    "initial": N_("%(data)s: first letter only"),
    "year": N_("%(data)s: year only"),
    "age_band": N_("%(data)s: age group only"),
    "masked": N_("%(data)s: partly hidden"),
    "region": N_("%(data)s: region only"),
    "predicate": N_("%(data)s: a yes or a no only"),
    "relay": N_("%(data)s: a stand-in address"),
}
OTHER_FORM: Final = N_("%(data)s: %(form)s")
LAWS: Final[Mapping[str, str]] = {
    "6.1.a": N_("you agreed to it"),
    "6.1.b": N_("a contract with you needs it"),
    "6.1.c": N_("the law asks for it"),
    "6.1.d": N_("it protects somebody’s life or health"),
    "6.1.e": N_("it is needed for a public service"),
    "6.1.f": N_("the organisation has a legitimate interest in it"),
}
REFERENCE: Final = N_("GDPR, Article 6(1)(%(point)s)")
SURE: Final[Mapping[str, str]] = {
    "authenticated": N_("The person who saw it had signed in with the administration."),
    "asserted": N_("The organisation itself said who saw it. The administration did not check that."),
}


def name_of(attribute: str, tongue: Tongue) -> str:
    """Return what a piece of data is called; one without a word of ours by its name in the register."""
    known = ATTRIBUTES.get(attribute)
    return attribute.replace("_", " ") if known is None else tongue.say(known)


def say_given(given: Sequence[Given], tongue: Tongue) -> tuple[list[str], list[str]]:
    """Return what was given, and what was not, in words."""
    shown, withheld = [], []
    for each in given:
        whole = WHOLE.get((each.attribute, each.form))
        name = name_of(each.attribute, tongue)
        if each.form == "withheld":
            withheld.append(name)
        elif whole is not None:
            shown.append(tongue.say(whole))
        else:
            shown.append(tongue.say(FORMS.get(each.form, OTHER_FORM), data=name, form=each.form))
    return [_begin(each) for each in shown], [_begin(each) for each in withheld]


def say_law(basis: str | None, tongue: Tongue) -> tuple[str, str]:
    """Return why it was allowed, and where that is written; both empty where a line needs no law of its own."""
    if basis is None:
        return "", ""
    point = basis.rpartition(".")[2]
    known = LAWS.get(basis)
    return ("" if known is None else _begin(tongue.say(known))), (tongue.say(REFERENCE, point=point) if known else basis)


def _begin(text: str) -> str:
    return text[:1].upper() + text[1:]
