"""What the pictures of exposure say, in English and French; numbers, days and instants as the language writes them (CLDR by Babel). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime

from ecluse.contracts import Form
from ecluse.exposure.model import Count, Span
from ecluse.svg import Language, number

_EN: Final[Mapping[str, str]] = {
    "person": "{n} person", "persons": "{n} persons", "nobody": "nobody", "most": "at most {n}", "attribute": "{n} attribute", "attributes": "{n} attributes",
    "numbers": "These numbers:", "bound": "at most: nobody can have more", "exact": "the best attack reaches it, none passes it", "colon": ": ",
    # over time
    "time": "Exposure to come: {name}",
    "time-lead": "Persons whom a thief of all its credentials could obtain. Days are UTC; the first is what is left of it at {at}.",
    "alone": "In reach on that day alone", "so-far": "In reach from now to the end of that day, each person once", "since": "from now on: {n}",
    "ceiling": "ceiling of the contract: {n} a day", "ceiling-above": "ceiling of the contract, above this scale: {n} a day",
    "gate": "gate closed all day", "hold": "suspended all day", "no credentials that work": "no key or agent in use",
    "time-desc": "Two charts of {days} days. Ceiling of the contract: {ceiling} a day. Day by day, on that day alone; from now on, each person once. {each}.",
    # what it is made of
    "made-one": "What is in reach: {name}", "made-all": "What is in reach, by processor",
    "made-lead": "{when}: {persons}, {values} persons × attributes{until}. Held down by {binding}.",
    "made-lead-all": "{when}: {persons} in all, each counted once. A bar is as long as persons × attributes are many.",
    "made-none": "{when}: nobody is in reach. Held down by {binding}.", "made-empty": "No processor has a contract.",
    "more": "and {n} more, with no more than these", "key": "Sensitivity in the register", "until": ", until {at}",
    "ordinary": "ordinary", "elevated": "elevated", "special": "special",
    "schedule": "the schedule", "by-gate": "the gate, which is closed", "by-hold": "a hold", "persons_per_client_per_hour": "persons an hour (machines)",
    "persons_per_agent_per_hour": "persons an hour (agents)", "persons_per_day": "persons a day", "persons_per_month": "persons a month",
    "by-nobody": "no key or agent in use",
    # beside the alternatives
    "beside": "What a thief has: {name}, and the usual alternatives",
    "times": "{when}. A copy holds {persons} as many persons as Écluse lets out, and {values} as many persons × attributes.",
    "times-none": "{when}. Écluse lets nobody out.", "n-time": "{n} time", "n-times": "{n} times", "less-than-once": "not even once",
    "head-persons": "persons", "head-attributes": "attributes", "head-values": "persons × attributes", "head-ends": "ends",
    "scale": "Each line is ten times the one before. Full: persons. Pale: persons × attributes.",
    "copy": "A copy of the database", "copy-note": "everybody in the register; every mapped attribute, in full",
    "read-account": "A read account", "read-account-note": "the same, read out row by row",
    "token-api": "A token API without budgets", "token-api-note": "everybody, one number after another; the contract’s attributes",
    "row-level-security": "Row-level security by schedule",
    "row-level-security-note": "who is on the schedule; the contract’s attributes, in full; no budgets",
    "ecluse": "Écluse", "ecluse-note": "who is due; the contract’s attributes, in its forms; within its budgets",
    "never": "never: a copy can’t be called back", "when it is closed": "when somebody closes it",
    "with the last window": "with the last window",
    "now": "Right now, {at}", "between": "Between {begins} and {ends}",
}  # fmt: skip
_FR: Final[Mapping[str, str]] = {
    "person": "{n} personne", "persons": "{n} personnes", "nobody": "aucune personne", "most": "au plus {n}",
    "attribute": "{n} donnée", "attributes": "{n} données",
    "numbers": "Ces nombres :", "bound": "au plus : nul ne peut en avoir davantage", "exact": "la meilleure attaque l’atteint, aucune ne le dépasse",
    "colon": " : ",
    "time": "Exposition à venir : {name}",
    "time-lead": "Personnes qu’un voleur de tous ses identifiants pourrait obtenir. Les jours sont en UTC ; le premier est ce qu’il en reste le {at}.",
    "alone": "À portée ce jour-là seulement", "so-far": "À portée de maintenant à la fin de ce jour, chaque personne une fois",
    "since": "à partir de maintenant : {n}",
    "ceiling": "plafond du contrat : {n} par jour", "ceiling-above": "plafond du contrat, au-dessus de cette échelle : {n} par jour",
    "gate": "accès fermé tout le jour", "hold": "suspendu tout le jour", "no credentials that work": "aucune clé ou aucun agent en service",
    "time-desc": "Deux graphiques de {days} jours. Plafond du contrat : {ceiling} par jour. Jour par jour, ce jour-là seulement ; puis à partir de maintenant, "
    "chaque personne une fois. {each}.",
    "made-one": "Ce qui est à portée : {name}", "made-all": "Ce qui est à portée, par sous-traitant",
    "made-lead": "{when} : {persons}, {values} personnes × données{until}. Ce qui limite : {binding}.",
    "made-lead-all": "{when} : {persons} en tout, chaque personne une fois. Une barre est d’autant plus longue que les personnes × données sont nombreuses.",
    "made-none": "{when} : personne n’est à portée. Ce qui limite : {binding}.", "made-empty": "Aucun sous-traitant n’a de contrat.",
    "more": "et {n} autres, sans rien de plus grand", "key": "Sensibilité dans le registre", "until": ", jusqu’au {at}",
    "ordinary": "ordinaire", "elevated": "élevée", "special": "particulière",
    "schedule": "l’agenda", "by-gate": "l’accès, qui est fermé", "by-hold": "une suspension",
    "persons_per_client_per_hour": "les personnes par heure (machines)", "persons_per_agent_per_hour": "les personnes par heure (agents)",
    "persons_per_day": "les personnes par jour", "persons_per_month": "les personnes par mois",
    "by-nobody": "aucune clé ou aucun agent en service",
    "beside": "Ce qu’a un voleur : {name}, et les solutions habituelles",
    "times": "{when}. Une copie contient {persons} plus de personnes qu’Écluse n’en laisse sortir, et {values} plus de personnes × données.",
    "times-none": "{when}. Écluse ne laisse sortir personne.", "n-time": "{n} fois", "n-times": "{n} fois", "less-than-once": "moins d’une fois",
    "head-persons": "personnes", "head-attributes": "données", "head-values": "personnes × données", "head-ends": "fin",
    "scale": "Chaque trait vaut dix fois le précédent. Plein : personnes. Pâle : personnes × données.",
    "copy": "Une copie de la base", "copy-note": "tout le registre ; chaque donnée décrite, en entier",
    "read-account": "Un compte en lecture", "read-account-note": "la même chose, lue ligne par ligne",
    "token-api": "Une API à jeton, sans plafond", "token-api-note": "tout le monde, un numéro après l’autre ; les données du contrat",
    "row-level-security": "Des droits par ligne, selon l’agenda",
    "row-level-security-note": "qui est à l’agenda ; les données du contrat, en entier ; sans plafond",
    "ecluse": "Écluse", "ecluse-note": "qui est attendu ; les données du contrat, sous ses formes ; dans ses plafonds",
    "never": "jamais : une copie ne se reprend pas", "when it is closed": "quand quelqu’un le ferme",
    "with the last window": "avec la dernière fenêtre",
    "now": "En ce moment, {at}", "between": "Entre le {begins} et le {ends}",
}  # fmt: skip
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = MappingProxyType({"en": _EN, "fr": _FR})
_FORMS: Final[Mapping[Language, Mapping[Form, str]]] = MappingProxyType({
    "en": {
        Form.FULL: "in full", Form.INITIAL: "the initial", Form.YEAR: "the year", Form.AGE_BAND: "an age band", Form.MASKED: "partly masked",
        Form.REGION: "the region", Form.PREDICATE: "yes or no", Form.RELAY: "a substitute address", Form.WITHHELD: "not given",
    },
    "fr": {
        Form.FULL: "en entier", Form.INITIAL: "l’initiale", Form.YEAR: "l’année", Form.AGE_BAND: "une tranche d’âge", Form.MASKED: "masquée en partie",
        Form.REGION: "la région", Form.PREDICATE: "oui ou non", Form.RELAY: "adresse de substitution", Form.WITHHELD: "non communiquée",
    },
})  # fmt: skip
_LOCALES: Final[Mapping[Language, tuple[str, str]]] = MappingProxyType({"en": ("en", "GB"), "fr": ("fr", "FR")})


class Words:
    """The words of one language, read in one time zone."""

    def __init__(self, language: Language, zone: ZoneInfo) -> None:
        """Write instants of ``zone``."""
        self.language, self._zone, self._words = language, zone, _WORDS[language]
        self._locale = Locale(*_LOCALES[language])

    def __call__(self, key: str, **figures: object) -> str:
        """Return the words of a key, its figures filled in, its blanks such that none ends a line."""
        text = self._words[key].format(**figures) if figures else self._words[key]
        return text if self.language == "en" else text.replace(" :", "\u00a0:").replace(" ;", "\u202f;")

    def number(self, count: int) -> str:
        """Write a number."""
        return number(count, self.language)

    def sided(self, count: Count) -> str:
        """Write a number with its side, in few signs."""
        return self.number(count.most) if count.exact else f"≤\u202f{self.number(count.most)}"

    def persons(self, count: Count) -> str:
        """Say how many persons."""
        if not count.most:
            return self("nobody")
        said = self("person" if count.most == 1 else "persons", n=self.number(count.most))
        return said if count.exact else self("most", n=said)

    def attributes(self, count: int) -> str:
        """Say how many attributes."""
        return self("attribute" if count == 1 else "attributes", n=self.number(count))

    def forms(self, forms: Iterable[Form]) -> str:
        """Name forms."""
        return ", ".join(_FORMS[self.language][form] for form in forms)

    def binding(self, binding: str) -> str:
        """Say what holds a number down."""
        known = {"gate": "by-gate", "hold": "by-hold", "no credentials that work": "by-nobody"}
        return self(known.get(binding, binding))

    def times(self, times: int) -> str:
        """Say how many times."""
        if not times:
            return self("less-than-once")
        return self("n-time" if times == 1 else "n-times", n=self.number(times))

    def month(self, on: date) -> str:
        """Name a month and its year."""
        return format_date(on, "MMMM y", locale=self._locale)

    def day(self, on: date) -> str:
        """Write a day."""
        return format_date(on, "d MMM y", locale=self._locale)

    def instant(self, at: datetime) -> str:
        """Write an instant, with the short name of its zone."""
        local = at.astimezone(self._zone)
        return f"{format_datetime(local, 'd MMM y, HH:mm', tzinfo=self._zone, locale=self._locale)} {local:%Z}"

    def when(self, window: Span, *, standing: bool) -> str:
        """Say which time is meant."""
        if standing:
            return self("now", at=self.instant(window.begins))
        return self("between", begins=self.instant(window.begins), ends=self.instant(window.ends))
