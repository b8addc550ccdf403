"""The words on screen, each explained in a sentence or two: the one glossary of all rooms. The first words are those that everybody meets."""

from __future__ import annotations

from typing import Final

import msgspec

from ecluse.web.pages.language import N_
from ecluse.web.pages.model import Room

_ALL: Final = frozenset({Room.CONSOLE, Room.DESK, Room.MY_DATA})
_STAFF: Final = frozenset({Room.CONSOLE, Room.DESK})
_CONSOLE: Final = frozenset({Room.CONSOLE})


class Word(msgspec.Struct, frozen=True):
    """A word, what it means, in which rooms it is met, and the name by which a page links to it."""

    key: str
    word: str
    means: str
    rooms: frozenset[Room] = _CONSOLE


WORDS: Final = (
    Word("register", N_("Register"), N_("The administration's own record of people. Écluse reads it, and never writes to it."), _ALL),
    Word("controller", N_("Controller"), N_("The public body that answers for the data, and decides who may see what."), _ALL),
    Word("processor", N_("Processor"),
         N_("An organisation that works for the administration: a training centre, for example. One also says contractor."), _ALL),
    Word("agent", N_("Agent"), N_("A person who works at a contractor. A trainer or someone at the front desk is one."), _ALL),
    Word("appointment", N_("Appointment"), N_("One person's place in one dated session. Without it nothing of that person is shown to a contractor."), _ALL),
    Word("window", N_("Window"),
         N_("The time around an appointment in which the data may be shown: from shortly before it begins until shortly after it ends."), _ALL),
    Word("disclosure", N_("Disclosure"),
         N_("Data of one person shown to one agent for one appointment. Each one is written in the ledger before it is shown."), _ALL),
    Word("ledger", N_("Ledger"), N_("The list of all that was decided. It only grows: nobody can change or remove a line unnoticed."), _ALL),
    Word("receipt", N_("Receipt"), N_("What proves that a disclosure stands in the ledger, at which place."), _ALL),
    Word("attribute", N_("Attribute and form"),
         N_("An attribute is one piece of data, the family name for one. Its form is how much is shown of it: all, the year, the initial."), _ALL),
    Word("relay", N_("Relay"),
         N_("An address that stands for the person's own and stops working after a while. Messages get through, the address stays unknown."), _ALL),
    Word("desk", N_("Desk"), N_("The page where an agent, signed in with a passkey, sees the day's sessions and opens one person's data at a time."), _STAFF),
    Word("passkey", N_("Passkey"),
         N_("What replaces the password: your telephone, computer or key asks for finger, face or code. Nothing to remember, nothing to tell."), _STAFF),
    Word("session", N_("Session"), N_("A dated event at a contractor's site, with the people who have a place in it."), _STAFF),
    Word("sheet", N_("Roll-call sheet"),
         N_("The names of those who have a place in one session, where the contract allows it. It is one disclosure for each of them."), _STAFF),
    Word("purpose", N_("Purpose"), N_("What the data are needed for, with its legal basis. A contract names each."), _STAFF),
    Word("budget", N_("Budget"),
         N_("How many different people may be seen in an hour, a day or a month. When it is spent, nobody new is shown until the time is over."), _STAFF),
    Word("gate", N_("Gate"),
         N_("Whether a contractor has access now: open; open with a warning; frozen, because something is missing that can be mended; or closed."), _STAFF),
    Word("refusal", N_("Refusal"), N_("A request that was not granted. It says why, and stands in the ledger too."), _STAFF),
    Word("undetermined", N_("Undetermined"),
         N_("The administration's own data do not suffice to decide. Nothing was shown, and it is for the administration to mend."), _STAFF),
    Word("contract", N_("Contract"),
         N_("The file that says which data a contractor gets, for what, when and how often. It is the rule itself: what it does not name is not shown.")),
    Word("clause", N_("Clause"), N_("An obligation that the law wants in the contract (Art. 28 GDPR). While one is missing the gate stays frozen.")),
    Word("evidence", N_("Evidence"),
         N_("A document that shows that a contractor keeps its word: an audit, a test. It counts once a person has accepted it, until it is too old.")),
    Word("finding", N_("Finding"), N_("Something to be mended that a document or an audit brought up, with the day by which it has to be done.")),
    Word("questionnaire", N_("Questionnaire"), N_("Questions about security that a contractor answers behind a link of its own.")),
    Word("hold", N_("Suspension, hold"), N_("An order that suspends or freezes somebody, or keeps data for a court. It takes effect at once.")),
    Word("override", N_("Override"), N_("A frozen gate opened all the same for some hours: one person asks and says why, another one approves.")),
    Word("decoy", N_("Decoy"), N_("An invented person. Nobody has a reason to open it: who does raises an alarm.")),
    Word("exposure", N_("Exposure"), N_("How many people, and which of their data, could be or were reached by a contractor or through a stolen key.")),
    Word("flow", N_("Flow"), N_("Data going to somebody: declared in a contract, or observed in the ledger. The two should be the same.")),
    Word("checkpoint", N_("Checkpoint"),
         N_("The signed state of the ledger at one moment. Whoever keeps an old one can prove that nothing before it has changed.")),
    Word("witness", N_("Witness"), N_("An independent machine, run by somebody else, that checks the ledger and signs its checkpoints too.")),
    Word("handle", N_("Handle"), N_("The name by which a contractor knows an appointment. It says nothing about the person, and differs between contractors.")),
    Word("machine", N_("Machine"), N_("A contractor's program that asks for data with a key of its own.")),
    Word("emergency", N_("Emergency access"),
         N_("Access outside the rules when a life is at stake. It is announced to all who govern, and looked at afterwards.")),
)  # fmt: skip
"""The words, in the order in which they are best read."""


def words_of(room: Room) -> list[Word]:
    """Return the words that are met in a room."""
    return [word for word in WORDS if room in word.rooms]
