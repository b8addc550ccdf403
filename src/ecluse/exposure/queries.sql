-- Exposure as ecluse_reader reads it: one snapshot for all statements of a question. Intervals are half-open; hours and minutes count from 1970.

-- name: clock()
-- The database's clock.
select ecluse.clock();

-- name: processors(processor)
-- Processors that have a contract; one or (null) all. The sandbox's people are nobody.
select p.id, p.name
from ecluse.processor p
where (:processor::text is null or p.id = :processor)
  and p.id not in ('sandbox', 'sandbox-neighbour')
  and exists (select from ecluse.contract c where c.processor_id = p.id)
order by p.id;

-- name: versions(processor, begins, ends)
-- The versions of contracts that are in force at some instant of a window, each with when it was replaced.
select v.processor_id, v.hash, v.applied_at, v.replaced_at
from (
  select c.processor_id, c.hash, c.applied_at, lead(c.applied_at, 1, timestamptz '9999-01-01 00:00Z') over (partition by c.processor_id order by c.version) as replaced_at
  from ecluse.contract c
  where :processor::text is null or c.processor_id = :processor
) v
where v.replaced_at > :begins::timestamptz and v.applied_at < :ends::timestamptz
order by v.processor_id, v.applied_at;

-- name: texts(hashes)
-- The texts of contracts.
select distinct on (c.hash) c.hash, c.text from ecluse.contract c where c.hash = any(:hashes::text[]);

-- name: agents(processor)
-- Agents; of one processor or (null) of all.
select a.processor_id, a.id from ecluse.agent a where :processor::text is null or a.processor_id = :processor order by a.id;

-- name: clients(processor)
-- Machines of processors that have a key in use, and desks: whoever signs in at one brings a key along.
select c.processor_id, c.id, c.role = 'desk' as desk
from ecluse.client c
where c.role in ('processor', 'desk') and (:processor::text is null or c.processor_id = :processor)
  and (c.role = 'desk' or exists (select from ecluse.client_key k where k.client_id = c.id and k.revoked_at is null))
order by c.id;

-- name: holds(begins, ends)
-- Holds on processors, contracts, clients and agents that bite at some instant of a window.
select h.scope, h.scope_id, h.from_at, least(h.until_at, coalesce(h.released_at, 'infinity'), timestamptz '9999-01-01 00:00Z') as until_at
from ecluse.hold h
where h.scope in ('processor', 'contract', 'client', 'agent') and h.effect <> 'keep'
  and least(h.until_at, coalesce(h.released_at, 'infinity')) > :begins::timestamptz and h.from_at < :ends::timestamptz
order by h.scope, h.scope_id, h.from_at;

-- name: spent(at)
-- What is spent of the budgets of an instant's hour, day and month (UTC).
select b.unit, b.scope, b.persons
from ecluse.budget_count b
where (b.unit, b.bucket) in (
  ('h', date_trunc('hour', :at::timestamptz, 'UTC')), ('d', date_trunc('day', :at::timestamptz, 'UTC')), ('m', date_trunc('month', :at::timestamptz, 'UTC'))
);

-- name: sessions(begins, ends)
-- How many sessions of a time there are: what the plan of the next statement hangs on.
select count(*) from ecluse.session s where s.starts_at >= :begins::timestamptz and s.starts_at < :ends::timestamptz and s.handed_over_at is null;

-- name: groups(names, who, purposes, numbers, begins, ends, sought, opens_before, closes_after, reads, at, standing)
-- Persons by processor and by when they are open, in pieces of time (parallel arrays, one place a piece; who: the processor's place among names, from 1). Instants
-- are those of the places cut to the piece. Places that are read as often as they may be are left out (reads null: whatever was read). With standing only
-- places whose window is open at that instant: what a hold or the gate cuts out of it now may be open again before it closes.
-- sought: the last instant by which a window has to be open. own: first and last hour of the earliest place, and its purpose's number among the processor's, packed into one number so that one minimum finds them.
-- The row without a processor counts the distinct persons of all.
with slot as materialized (
  select s.id, p.who, p.reads, o.opens, o.closes, h.last, (h.first << 32) | (h.last << 6) | p.number as own, 1::bigint << p.number::integer as purpose
  from unnest(
    :who::integer[], :purposes::text[], :numbers::bigint[], :begins::timestamptz[], :ends::timestamptz[], :sought::timestamptz[], :opens_before::interval[],
    :closes_after::interval[], :reads::integer[]
  ) as p (who, purpose, number, begins, ends, sought, opens_before, closes_after, reads)
  join ecluse.session s on s.processor_id = (:names::text[])[p.who] and s.purpose = p.purpose
    and s.starts_at < p.sought + p.opens_before and s.starts_at > p.begins - p.closes_after - interval '1 day' -- no session is longer
  join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
  cross join lateral (select greatest(p.begins, s.starts_at - p.opens_before) as opens, least(p.ends, s.ends_at + p.closes_after) as closes) o
  cross join lateral (
    select floor(extract(epoch from o.opens) / 3600)::bigint as first, ceil(extract(epoch from o.closes) / 3600)::bigint - 1 as last) h
  where o.opens < o.closes and (:at::timestamptz between s.starts_at - p.opens_before and s.ends_at + p.closes_after or not :standing::boolean)
), held as materialized (
  select h.scope_id as subject_ref, range_agg(tstzrange(h.from_at, least(h.until_at, coalesce(h.released_at, 'infinity')))) as spans
  from ecluse.hold h
  where h.scope = 'person' and h.effect <> 'keep' and h.from_at < least(h.until_at, coalesce(h.released_at, 'infinity'))
    and least(h.until_at, coalesce(h.released_at, 'infinity')) > (select min(b.begins) from unnest(:begins::timestamptz[]) b (begins))
  group by h.scope_id
), person as materialized (
  select s.who, a.subject_ref, min(s.own) as own, max(s.last) as latest, bit_or(s.purpose) as purposes,
         bool_or(a.cancelled_at is not null or h.spans && tstzrange(s.opens, s.closes)) as doubtful, max(s.closes) as closes
  from slot s
  join ecluse.appointment a on a.session_id = s.id
  left join held h on h.subject_ref = a.subject_ref
  where (a.cancelled_at is null or a.cancelled_at > s.opens) and (s.reads is null or a.reads < s.reads)
    and (h.spans @> tstzrange(s.opens, s.closes)) is not true
  group by s.who, a.subject_ref
), counted as materialized (
  select array_position(:names::text[], substr(b.scope, 11)) as who, b.subject_ref, bool_or(b.unit = 'd') as in_day
  from ecluse.budget_person b
  where (b.unit, b.bucket) in (('d', date_trunc('day', :at::timestamptz, 'UTC')), ('m', date_trunc('month', :at::timestamptz, 'UTC')))
    and b.scope like 'processor:%'
  group by b.scope, b.subject_ref
)
select p.who, p.own, p.latest, p.purposes, coalesce(p.doubtful, false) as doubtful, coalesce(c.in_day, false) as counted, c.who is not null as counted_month, count(*) as persons, max(p.closes) as closes_at
from person p
left join counted c on c.who = p.who and c.subject_ref = p.subject_ref
group by p.who, p.own, p.latest, p.purposes, p.doubtful, coalesce(c.in_day, false), c.who is not null
union all
select null, null, null, null, null, null, null, (select count(*) from (select from person p group by p.subject_ref) d), null
where cardinality(:names::text[]) > 1;

-- name: held_by(processor, client)
-- Whom a machine was given, of all openings there are: distinct persons by attribute, and (empty) at all.
select g.attribute, array_agg(distinct g.form) as forms, count(distinct o.subject_ref) as persons
from ecluse.opening o
cross join lateral (select jsonb_object_agg(e.v ->> 0, e.v -> 1) as f from jsonb_array_elements(o.fields::jsonb) e (v)) x
cross join lateral (
  select '' as attribute, '' as form
  union all
  select k.key, k.value from jsonb_each_text(x.f -> 'forms') k where k.value <> 'withheld'
) g
where o.processor_id = :processor and o.disclosure_id is not null and o.event in ('disclosure:person:granted', 'disclosure:sheet:granted')
  and x.f ->> 'client' = :client::text
group by g.attribute;

-- name: held_of(processor)
-- Whom a processor was given: what is folded by day, and the openings that are not folded yet.
with given as (
  select p.subject_ref, split_part(u.said, ':', 1) as attribute, split_part(u.said, ':', 2) as form
  from ecluse.flow_person p cross join lateral unnest(p.seen || '{":"}'::text[]) u (said)
  where p.processor_id = :processor and u.said not like '%:withheld'
  union all
  select o.subject_ref, g.attribute, g.form
  from ecluse.ledger_head h
  left join ecluse.flow_mark m on m.log_id = h.log_id
  cross join lateral (
    select n.subject_ref, n.fields from ecluse.opening n
    where n.log_id = h.log_id and n.index >= coalesce(m.next_index, 0) and n.index < h.size and n.processor_id = :processor
      and n.event in ('disclosure:person:granted', 'disclosure:sheet:granted')
    offset 0 -- apart, or the planner takes what is not folded yet for a third of all
  ) o
  cross join lateral (select jsonb_object_agg(e.v ->> 0, e.v -> 1) as f from jsonb_array_elements(o.fields::jsonb) e (v)) x
  cross join lateral (
    select '' as attribute, '' as form
    union all
    select k.key, k.value from jsonb_each_text(x.f -> 'forms') k where k.value <> 'withheld'
  ) g
)
select g.attribute, array_agg(distinct g.form) as forms, count(distinct g.subject_ref) as persons from given g group by g.attribute;

-- name: beyond(processor)
-- How many persons of a day a processor was given whose openings are erased, added up over days: some may be the same person.
select coalesce(sum(g.persons), 0)::bigint from ecluse.flow_gone g where g.processor_id = :processor and g.what = '';

-- name: ahead(processor, begins, ends)
-- The instants at which sessions ahead begin, those with most places first.
select s.starts_at
from ecluse.session s
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
join ecluse.appointment a on a.session_id = s.id and a.cancelled_at is null
where s.processor_id = :processor and s.starts_at >= :begins::timestamptz and s.starts_at < :ends::timestamptz
group by s.starts_at order by count(*) desc, s.starts_at limit 12;

-- name: planned(processor, begins, ends)
-- The most distinct persons whom the schedule holds in one day and in one month (UTC) of a window.
select coalesce(max(p.persons) filter (where p.unit = 'day'), 0) as day, coalesce(max(p.persons) filter (where p.unit = 'month'), 0) as month
from (
  select u.unit, count(distinct a.subject_ref) as persons
  from ecluse.session s
  join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
  join ecluse.appointment a on a.session_id = s.id and a.cancelled_at is null
  cross join (values ('day'), ('month')) u (unit)
  where s.processor_id = :processor and s.starts_at >= :begins::timestamptz and s.starts_at < :ends::timestamptz
  group by u.unit, date_trunc(u.unit, s.starts_at, 'UTC')
) p;
