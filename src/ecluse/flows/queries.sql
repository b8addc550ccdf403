-- Flows as the console and the papers read them. All of it is read as ecluse_reader; days are UTC, and [since, until) is half-open.

-- name: fold(log_id, most)
-- Count the next entries of a log (ecluse_jobs); no row where another process is at it.
select f.folded, f.next_index, f.size from ecluse.fold_flows(:log_id::smallint, :most::integer) f;

-- name: logs()
-- Every log, the oldest first.
select g.id from ecluse.ledger_log g order by g.id;

-- name: folded()
-- How far each log is folded, and what could not be counted.
select h.log_id, coalesce(m.next_index, 0) as next_index, h.size, coalesce(m.erased, 0) as erased, coalesce(m.unreadable, 0) as unreadable, m.folded_at
from ecluse.ledger_head h
left join ecluse.flow_mark m on m.log_id = h.log_id
order by h.log_id;

-- name: seen(since, until)
-- Disclosures of a period by what was given, where, under which version.
select
  s.processor_id, s.purpose, s.attribute, s.form, s.roll_call, s.site_id, s.contract_version, s.contract_other,
  sum(s.disclosures)::bigint as disclosures, min(s.first_seen_at) as first_seen_at, max(s.last_seen_at) as last_seen_at
from ecluse.flow_seen s
where s.day >= :since::date and s.day < :until::date
group by s.processor_id, s.purpose, s.attribute, s.form, s.roll_call, s.site_id, s.contract_version, s.contract_other
order by s.processor_id, s.purpose, s.attribute, s.form, s.roll_call, s.site_id, s.contract_version, s.contract_other;

-- name: seen_of(since, until, processor)
-- The same, of one processor.
select
  s.processor_id, s.purpose, s.attribute, s.form, s.roll_call, s.site_id, s.contract_version, s.contract_other,
  sum(s.disclosures)::bigint as disclosures, min(s.first_seen_at) as first_seen_at, max(s.last_seen_at) as last_seen_at
from ecluse.flow_seen s
where s.processor_id = :processor and s.day >= :since::date and s.day < :until::date
group by s.processor_id, s.purpose, s.attribute, s.form, s.roll_call, s.site_id, s.contract_version, s.contract_other
order by s.processor_id, s.purpose, s.attribute, s.form, s.roll_call, s.site_id, s.contract_version, s.contract_other;

-- name: last_seen(since)
-- When each attribute was asked for last, of days from one on.
select s.processor_id, s.purpose, s.attribute, s.roll_call, max(s.last_seen_at) as last_seen_at
from ecluse.flow_seen s
where s.day >= :since::date
group by s.processor_id, s.purpose, s.attribute, s.roll_call;

-- name: last_seen_of(processor)
-- The same, of one processor.
select s.processor_id, s.purpose, s.attribute, s.roll_call, max(s.last_seen_at) as last_seen_at
from ecluse.flow_seen s
where s.processor_id = :processor
group by s.processor_id, s.purpose, s.attribute, s.roll_call;

-- name: room()!
-- Counting everybody takes longer than a page may, and room to sort; for this transaction only.
set local statement_timeout = '120s';

-- name: persons(since, until)
-- Distinct persons of a period: by attribute and form, by attribute in any form but withheld, and (empty) at all. A person is seen in few ways: these are
-- taken apart once for each set of ways, not once for each person and day.
with seen as (
  select p.processor_id, p.purpose, p.subject_ref, p.seen
  from ecluse.flow_person p
  where p.day >= :since::date and p.day < :until::date
  group by p.processor_id, p.purpose, p.subject_ref, p.seen
), ways as (
  select s.processor_id, s.purpose, s.subject_ref, array_agg(distinct s.seen::text) as ways from seen s group by s.processor_id, s.purpose, s.subject_ref
), groups as (
  select w.processor_id, w.purpose, w.ways, count(*) as persons from ways w group by w.processor_id, w.purpose, w.ways
)
select g.processor_id, g.purpose, w.what, sum(g.persons)::bigint as persons
from groups g
cross join lateral (
  select '' as what
  union
  select u.said from unnest(g.ways) y (way) cross join lateral unnest(y.way::text[]) u (said)
  union
  select split_part(u.said, ':', 1) from unnest(g.ways) y (way) cross join lateral unnest(y.way::text[]) u (said) where u.said not like '%:withheld'
) w
group by g.processor_id, g.purpose, w.what;

-- name: persons_of(since, until, processor)
-- The same, of one processor.
with seen as (
  select p.processor_id, p.purpose, p.subject_ref, p.seen
  from ecluse.flow_person p
  where p.processor_id = :processor and p.day >= :since::date and p.day < :until::date
  group by p.processor_id, p.purpose, p.subject_ref, p.seen
), ways as (
  select s.processor_id, s.purpose, s.subject_ref, array_agg(distinct s.seen::text) as ways from seen s group by s.processor_id, s.purpose, s.subject_ref
), groups as (
  select w.processor_id, w.purpose, w.ways, count(*) as persons from ways w group by w.processor_id, w.purpose, w.ways
)
select g.processor_id, g.purpose, w.what, sum(g.persons)::bigint as persons
from groups g
cross join lateral (
  select '' as what
  union
  select u.said from unnest(g.ways) y (way) cross join lateral unnest(y.way::text[]) u (said)
  union
  select split_part(u.said, ':', 1) from unnest(g.ways) y (way) cross join lateral unnest(y.way::text[]) u (said) where u.said not like '%:withheld'
) w
group by g.processor_id, g.purpose, w.what;

-- name: persons_across(since, until)
-- Distinct persons of a period by processor, by purpose, and altogether (both null).
select p.processor_id, p.purpose, count(distinct p.subject_ref) as persons
from ecluse.flow_person p
where p.day >= :since::date and p.day < :until::date
group by grouping sets ((p.processor_id), (p.purpose), ());

-- name: persons_across_of(since, until, processor)
-- The same, of one processor.
select p.processor_id, p.purpose, count(distinct p.subject_ref) as persons
from ecluse.flow_person p
where p.processor_id = :processor and p.day >= :since::date and p.day < :until::date
group by grouping sets ((p.processor_id), (p.purpose), ());

-- name: gone(since, until)
-- How many persons of each day of a period were erased since, added up.
select g.processor_id, g.purpose, g.what, sum(g.persons)::bigint as persons
from ecluse.flow_gone g
where g.day >= :since::date and g.day < :until::date
group by g.processor_id, g.purpose, g.what;

-- name: gone_of(since, until, processor)
-- The same, of one processor.
select g.processor_id, g.purpose, g.what, sum(g.persons)::bigint as persons
from ecluse.flow_gone g
where g.processor_id = :processor and g.day >= :since::date and g.day < :until::date
group by g.processor_id, g.purpose, g.what;

-- name: attempts(since, until)
-- Refusals of a period that asked for what the contract does not name.
select
  a.processor_id, a.purpose, a.attribute, a.contract_version,
  sum(a.attempts)::bigint as attempts, min(a.first_seen_at) as first_seen_at, max(a.last_seen_at) as last_seen_at
from ecluse.flow_attempt a
where a.day >= :since::date and a.day < :until::date
group by a.processor_id, a.purpose, a.attribute, a.contract_version
order by a.processor_id, a.purpose, a.attribute, a.contract_version;

-- name: attempts_of(since, until, processor)
-- The same, of one processor.
select
  a.processor_id, a.purpose, a.attribute, a.contract_version,
  sum(a.attempts)::bigint as attempts, min(a.first_seen_at) as first_seen_at, max(a.last_seen_at) as last_seen_at
from ecluse.flow_attempt a
where a.processor_id = :processor and a.day >= :since::date and a.day < :until::date
group by a.processor_id, a.purpose, a.attribute, a.contract_version
order by a.processor_id, a.purpose, a.attribute, a.contract_version;

-- name: versions()
-- Every version of every contract, without its text.
select c.processor_id, c.version, c.applied_at from ecluse.contract c order by c.processor_id, c.version;

-- name: versions_of(processor)
-- The same, of one processor.
select c.processor_id, c.version, c.applied_at from ecluse.contract c where c.processor_id = :processor order by c.version;

-- name: texts_of(processors, versions)
-- The texts of some versions: they never change.
select c.processor_id, c.version, c.text
from unnest(:processors::text[], :versions::integer[]) w (processor_id, version)
join ecluse.contract c on c.processor_id = w.processor_id and c.version = w.version;

-- name: text_in_force(processor)
-- The text of the contract in force.
select c.text from ecluse.contract c where c.processor_id = :processor order by c.version desc limit 1;

-- name: sub_processors()
-- The newest list of sub-processors that each processor handed in and that counts: names and countries.
select p.id as processor_id, e.id, e.sub_processors
from ecluse.processor p
cross join lateral (
  select n.id, n.sub_processors
  from ecluse.evidence n
  where n.processor_id = p.id and n.kind = 'sub-processor-list' and n.accepted_at is not null and n.withdrawn_at is null
  order by n.accepted_at desc, n.id
  limit 1
) e;

-- name: clock()
-- The database's clock.
select ecluse.clock();

-- name: imports()
-- What was seen elsewhere.
select i.source, i.recipient, i.attribute, i.from_on, i.until_on, i.imported_at from ecluse.flow_import i
order by i.recipient, i.attribute, i.source, i.from_on;

-- name: drop_source(source)!
-- Forget what a source told before (ecluse_app).
delete from ecluse.flow_import i where i.source = :source;

-- name: put_import(source, recipient, attribute, from_on, until_on, imported_by)!
-- Keep one row of a source (ecluse_app).
insert into ecluse.flow_import (source, recipient, attribute, from_on, until_on, imported_by, imported_at)
values (:source, :recipient, :attribute, :from_on::date, :until_on::date, :imported_by, ecluse.clock());

-- name: decisions(processor, since, until, log_id, index, most)
-- The next decisions of a processor with the place that each was about, as the schedule has it now; in the order in which they were sealed.
select
  o.log_id, o.index, o.sealed_at, o.disclosure_id, o.event, o.fields, o.subject_ref,
  s.id as session_id, s.site_id, s.purpose, s.starts_at, s.ends_at, a.id as appointment_id, a.cancelled_at
from ecluse.opening o
left join ecluse.appointment a on a.processor_id = o.processor_id and a.id = ecluse.handle_of(o.fields)
left join ecluse.session s on s.id = a.session_id
where o.processor_id = :processor and o.sealed_at >= :since::timestamptz and o.sealed_at < :until::timestamptz
  and o.event in ('disclosure:person:granted', 'disclosure:person:refused', 'disclosure:person:undetermined', 'disclosure:sheet:granted', 'disclosure:sheet:refused')
  and (o.log_id, o.index) > (:log_id::smallint, :index::bigint)
order by o.log_id, o.index
limit :most::integer;

-- name: changes(processor, since)
-- When each session, or each place, was last moved or reinstated since an instant; place null: the whole session.
select x.session_id, x.appointment_id, max(x.changed_at) as changed_at
from ecluse.schedule_change x
where x.processor_id = :processor and x.kind <> 'cancelled' and x.changed_at > :since::timestamptz
group by x.session_id, x.appointment_id;

-- name: sealed_at(log_id, index)
-- When an entry was sealed.
select e.sealed_at from ecluse.ledger_entry e where e.log_id = :log_id::smallint and e.index = :index::bigint;

-- name: erased_between(log_id, lo, hi)
-- How many entries of [lo, hi) were erased, whoever's they were.
select coalesce(sum(least(t.past, :hi::bigint) - greatest(t.first, :lo::bigint)), 0)::bigint
from ecluse.tombstone t
where t.log_id = :log_id::smallint and t.first < :hi::bigint and t.past > :lo::bigint;

-- name: counted_refusals(processor, since, until)
-- Refusals over a client's rate, which entries only count.
select coalesce(sum((
  select (f.v ->> 1)::bigint from jsonb_array_elements(o.fields::jsonb) f (v) where f.v ->> 0 = 'count' and jsonb_typeof(f.v -> 1) = 'number')), 0)::bigint
from ecluse.opening o
where o.processor_id = :processor and o.event = 'disclosure:refusals:counted' and o.sealed_at >= :since::timestamptz and o.sealed_at < :until::timestamptz;

-- name: person_holds()
-- Every hold that there was on a person, and when it bit.
select h.id, h.scope_id, h.effect, h.from_at, nullif(least(h.until_at, coalesce(h.released_at, 'infinity')), 'infinity') as until_at
from ecluse.hold h where h.scope = 'person' order by h.from_at, h.id;

-- name: planned(processor, since, until)
-- The sessions of a processor in a period, with how many places are planned in each.
select s.id, s.purpose, s.site_id, s.starts_at, s.ends_at, count(a.id) filter (where a.cancelled_at is null) as places
from ecluse.session s
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
left join ecluse.appointment a on a.session_id = s.id
where s.processor_id = :processor and s.starts_at >= :since::timestamptz and s.starts_at < :until::timestamptz
group by s.id, s.purpose, s.site_id, s.starts_at, s.ends_at
order by s.starts_at, s.id;

-- name: is_processor(processor)
-- Whether a processor of this id is registered.
select exists (select from ecluse.processor p where p.id = :processor);
