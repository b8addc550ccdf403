"""Mistakes that could be made in the text of ``ecluse.seal()``, each a fragment that stands there once and what stands there instead."""

from __future__ import annotations

from typing import Final

BY_INTERVAL: Final = "(u.kind in ('grant', 'redeliver') and t >= u.valid_from and t < u.valid_until) is not true"
TRUE_PLAN: Final = "(head.control_seq = p_seq and head.closed_at is null and t - p_at <= interval '5 seconds') is not true"
TRUE_CLOCK: Final = "(t >= head.last_at and t >= p_at) is not true"
OWN_ENTRIES: Final = "(u.idx >= im.index and u.idx < im.index + im.entries) is not true"
STANDING_REFUSALS: Final = "where u.why is null and u.kind in ('refuse', 'count') and u.proof is not null"
REPLAY: Final = "when pr.one is not null then 'replay'\n"
FREE: Final = "        when u.kind in ('refuse', 'count') then null\n"
KEY_USED: Final = "        when u.kind = 'grant' and im.sealed_at is not null then 'key-used'\n"
OUTSIDE: Final = f"        when {BY_INTERVAL} then 'outside'\n"

CHANGES: Final[dict[str, tuple[str, str]]] = {
    "a proof counts twice": (REPLAY, ""),
    "a sixth redelivery": ("im.redeliveries >= 5", "im.redeliveries > 5"),
    "a redelivery is not counted": ("k.redeliveries + 1", "k.redeliveries"),
    "a new grant keeps the old count": ("sealed_at = excluded.sealed_at, redeliveries = 0", "sealed_at = excluded.sealed_at"),
    "a redelivery past its entries": ("u.idx < im.index + im.entries", "u.idx <= im.index + im.entries"),
    "a redelivery before its entries": ("u.idx >= im.index", "u.idx >= im.index - 1"),
    "a redelivery of no entry": (OWN_ENTRIES, f"im.sealed_at is null or not {OWN_ENTRIES.removesuffix(' is not true')}"),
    "a key lives a microsecond longer": ("k.sealed_at > t - interval '10 minutes'", "k.sealed_at >= t - interval '10 minutes'"),
    "a key grants twice": (KEY_USED, ""),
    "a used key is told after the window": (KEY_USED + FREE + OUTSIDE, FREE + OUTSIDE + KEY_USED),
    "a used key is told before the proof": (
        f"{REPLAY}        when u.kind = 'redeliver'",
        f"{KEY_USED}{REPLAY}        when u.kind = 'redeliver'",
    ),
    "a window holds at its end": ("t < u.valid_until", "t <= u.valid_until"),
    "a window opens late": ("t >= u.valid_from", "t > u.valid_from"),
    "a null window opens": (BY_INTERVAL, f"not {BY_INTERVAL.removesuffix(' is not true')}"),
    "a word that nobody knows": ("u.kind in ('grant', 'redeliver') and t >=", "t >="),
    "a refusal needs a window": ("when u.kind in ('refuse', 'count') then null", "when u.kind = 'count' then null"),
    "a count needs a window": ("when u.kind in ('refuse', 'count') then null", "when u.kind = 'refuse' then null"),
    "a read too many": ("(ap.reads < u.max_reads) is not true", "(ap.reads <= u.max_reads) is not true"),
    "reads without end where null": ("(ap.reads < u.max_reads) is not true", "ap.reads >= u.max_reads"),
    "neighbours' reads are not counted": ("order by u.ordinality) > u.max_reads", "order by u.ordinality) > u.max_reads + 1"),
    "a roll-call waits for its own reads": ("then case when p_atomic then 'budget' else 'again' end", "then 'again'"),
    "reads of another processor": ("a.processor_id = g.processor and a.id = g.handle", "a.id = g.handle"),
    "a person too many": ("+ k.persons <= k.lim)", "+ k.persons <= k.lim + 1)"),
    "a person too few": ("<= k.lim) is not true as past", "< k.lim) is not true as past"),
    "persons in another order": ("order by g.first", "order by g.first desc"),
    "a known person counts again": ("why[s.n] is null and seen.one is null", "why[s.n] is null"),
    "another budget is named": ("min(s.unit || ':' || s.scope)", "max(s.unit || ':' || s.scope)"),
    "a roll-call waits for nobody": ("bool_or(f.full or p_atomic)", "bool_or(f.full)"),
    "persons without end where null": ("min(coalesce(s.lim, 0))", "min(s.lim)"),
    "the most that two say of a person": ("min(coalesce(s.lim, 0))", "max(coalesce(s.lim, 0))"),
    "the most that two say of a budget": ("min(g.lim)", "max(g.lim)"),
    "days of the session's zone": ("date_trunc('day', t, 'UTC')", "date_trunc('day', t)"),
    "a day counts as an hour": ("when 'd' then td", "when 'd' then th"),
    "a roll-call in part": ("or (p_atomic and standing < cardinality(why))", ""),
    "a refused one's proof is spent": ("where u.why is null and u.proof is not null on", "where u.proof is not null on"),
    "a count has an entry": (
        "r.why is null and r.kind in ('grant', 'refuse') as entry",
        "r.why is null and r.kind <> 'redeliver' as entry",
    ),
    "a count is a redelivery": ("when w.kind = 'count' then 'counted' ", ""),
    "a count is no refusal": ("u.kind in ('refuse', 'count') and u.proof", "u.kind = 'refuse' and u.proof"),
    "a count counts as sealed": ("count(*) filter (where u.kind = 'refuse')", "count(*)"),
    "a refusal counts as counted": ("count(*) filter (where u.kind = 'count')", "count(*)"),
    "a roll-call is many refusals": (STANDING_REFUSALS, STANDING_REFUSALS.removesuffix(" and u.proof is not null")),
    "a replayed refusal is counted": (STANDING_REFUSALS, STANDING_REFUSALS.replace("u.why is null and ", "")),
    "a batch forgets the sealed before": ("sealed = c.sealed + excluded.sealed", "sealed = excluded.sealed"),
    "a batch forgets the counted before": ("counted = c.counted + excluded.counted", "counted = excluded.counted"),
    "a minute begins at its half": ("floor(extract(epoch from t) / 60)", "round(extract(epoch from t) / 60)"),
    "only the sealed are told": ("coalesce(c.sealed + c.counted, 0)", "coalesce(c.sealed, 0)"),
    "a replayed refusal is told": ("w.why is null and w.kind in ('refuse', 'count')", "w.kind in ('refuse', 'count')"),
    "a grant is told of refusals": ("when w.why is null and w.kind in ('refuse', 'count') then", "when w.why is null then"),
    "another client's refusals are told": ("x.client_id = w.client and x.minute = m", "x.minute = m"),
    "a plan of five seconds": ("t - p_at <= interval '5 seconds'", "t - p_at < interval '5 seconds'"),
    "a change is not seen": ("head.control_seq = p_seq", "head.control_seq >= p_seq"),
    "a plan of no time": (TRUE_PLAN, f"not {TRUE_PLAN.removesuffix(' is not true')}"),
    "the clock may go back": ("t >= head.last_at and ", ""),
    "the head forgets the time": ("l.size + entries, last_at = t", "l.size + entries"),
}
"""Mistakes that could be made in the function's text."""
