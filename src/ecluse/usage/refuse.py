"""Which rules may hold lines of a person's record back (Art. 23 GDPR and the law that restricts the right to know). Pure.

A rule is about one person, a processor or a purpose or both, says why and by which law, and ends. There is none for everybody, and none for everything that
a person would see: 1 one person · 2 a processor or a purpose · 3 a reason and a legal basis in words · 4 an end, to come, and not too far.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ecluse.ids import is_name
from ecluse.register import RegisterMap, SubjectRefInvalid, parse_subject_ref
from ecluse.usage.errors import DeferralRefused
from ecluse.usage.model import Rule

MOST_HELD_BACK: Final = timedelta(days=184)
"""The longest that one rule holds: six months. What has to stay back longer takes another rule, which is another sealed entry."""
MOST_TEXT: Final = 300


def check_rule(rule: Rule, register: RegisterMap, now: datetime) -> None:
    """Refuse a rule that may not be. Raises `DeferralRefused`, which never says about whom."""
    try:
        parse_subject_ref(rule.subject, register)  # 1
    except SubjectRefInvalid as bad:
        why = f"it is not one person of this register: {bad.why}"
        raise DeferralRefused("person", why, f"Write {register.id}:KEY; a rule for everybody is refused") from None
    if rule.processor is None and rule.purpose is None:  # 2
        raise DeferralRefused("rule", "it would hold back everything about the person", "Say --processor, --purpose or both")
    for where, name in (("processor", rule.processor), ("purpose", rule.purpose)):
        if name is not None and not is_name(name):
            raise DeferralRefused(where, "it is not a name", f"Write the id of one {where}")
    for where, text in (("reason", rule.reason), ("legal basis", rule.legal_basis)):  # 3
        if not (0 < len(text) <= MOST_TEXT and text == text.strip() and text.isprintable()):
            raise DeferralRefused(
                where, "it is not a sentence", f"Write 1 to {MOST_TEXT} characters: the person reads them when the rule ends"
            )
    if not now < rule.until_at <= now + MOST_HELD_BACK:  # 4
        raise DeferralRefused(
            "end", "it is past, or more than 184 days ahead", "Write an end within six months; renew it if need be"
        )
