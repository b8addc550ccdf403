-- What the second half of the console reads, as role ecluse_reader: bounded, by an index, and nobody's personal data but where a look-up was sealed before.

-- name: sessions_all(from_at, until_at, after_at, after_id, most)
-- Sessions in effect that begin in a span, in their order, with how many places are planned; after a session: the next ones.
select s.id, s.processor_id, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at, n.planned, n.cancelled
from ecluse.session s
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
cross join lateral (
  select count(*) filter (where a.cancelled_at is null) as planned, count(*) filter (where a.cancelled_at is not null) as cancelled
  from ecluse.appointment a
  where a.session_id = s.id
) n
where s.starts_at >= :from_at::timestamptz and s.starts_at < :until_at::timestamptz and s.handed_over_at is null
  and (s.starts_at, s.id) > (:after_at::timestamptz, :after_id::text)
order by s.starts_at, s.id
limit :most::integer;

-- name: sessions_of(processor, from_at, until_at, after_at, after_id, most)
-- The same, of one processor.
select s.id, s.processor_id, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at, n.planned, n.cancelled
from ecluse.session s
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
cross join lateral (
  select count(*) filter (where a.cancelled_at is null) as planned, count(*) filter (where a.cancelled_at is not null) as cancelled
  from ecluse.appointment a
  where a.session_id = s.id
) n
where s.processor_id = :processor and s.starts_at >= :from_at::timestamptz and s.starts_at < :until_at::timestamptz and s.handed_over_at is null
  and (s.starts_at, s.id) > (:after_at::timestamptz, :after_id::text)
order by s.starts_at, s.id
limit :most::integer;

-- name: days(begins, ends, most)
-- How many sessions begin in each of some spans, so many at most: never more rows are read.
select d.n, (
  select count(*)
  from (
    select from ecluse.session s
    where s.starts_at >= d.begins and s.starts_at < d.ends and s.handed_over_at is null
    limit :most::integer
  ) x
) as sessions
from unnest(:begins::timestamptz[], :ends::timestamptz[]) with ordinality as d (begins, ends, n)
order by d.n;

-- name: imports(before_at, before_id, most)
-- Files of places, the newest first; before a file: the older ones.
select i.id, i.source, i.row_count, i.actor, i.mode, i.started_at, i.applied_at
from ecluse.schedule_import i
where (i.started_at, i.id) < (coalesce(:before_at::timestamptz, 'infinity'), coalesce(:before_id::text, ''))
order by i.started_at desc, i.id desc
limit :most::integer;

-- name: import_of(id)
-- One file of places.
select i.id, i.source, i.row_count, i.actor, i.mode, i.started_at, i.applied_at from ecluse.schedule_import i where i.id = :id::text;

-- name: applied_entry(applied_at, id)
-- The entry that gave a file its effect, while it is open.
select o.index, o.fields
from ecluse.opening o
where o.event = 'control:schedule:applied' and o.sealed_at = :applied_at::timestamptz and strpos(o.fields, '["object","' || :id::text || '"]') > 0;

-- name: draft_of(officer)
-- The file that an officer looks at.
select d.sha256, d.kind, d.mode, d.source, d.name, d.content, d.uploaded_at, d.expires_at
from ecluse.schedule_draft d
where d.officer = :officer::text and d.expires_at > ecluse.clock();

-- name: decision_by_index(log_id, index)
-- One entry.
select o.log_id, o.index, o.sealed_at, o.event, o.processor_id, o.disclosure_id, o.fields, o.salts, e.leaf
from ecluse.ledger_entry e
left join ecluse.opening o on o.log_id = e.log_id and o.index = e.index and o.sealed_at = e.sealed_at
where e.log_id = :log_id::smallint and e.index = :index::bigint;

-- name: decision_by_name(disclosure)
-- The entry of a decision, by its name; of a roll-call there are several of one name at most as a room holds.
select o.log_id, o.index, o.sealed_at, o.event, o.processor_id, o.disclosure_id, o.fields
from ecluse.opening o
where o.disclosure_id = :disclosure::text
order by o.log_id, o.index
limit 60;

-- name: decisions_by_handle(handle)
-- What was decided about a place, the newest first: the person's entries by hash, those of this place among them. Nothing where the place was erased.
select o.log_id, o.index, o.sealed_at, o.event, o.processor_id, o.disclosure_id, o.fields
from ecluse.processor p
cross join lateral (select a.subject_ref from ecluse.appointment a where a.processor_id = p.id and a.id = :handle::text) a
join ecluse.opening o on o.subject_ref = a.subject_ref and o.processor_id = p.id
where ecluse.handle_of(o.fields) = :handle::text
order by o.sealed_at desc, o.index desc
limit 60;

-- name: decisions_of(processor, from_at, until_at, before_at, before_index, most)
-- Decisions of one processor in a span, the newest first; before an entry: the older ones.
select o.log_id, o.index, o.sealed_at, o.event, o.processor_id, o.disclosure_id, o.fields
from ecluse.opening o
where o.processor_id = :processor and o.disclosure_id is not null and o.sealed_at >= :from_at::timestamptz and o.sealed_at < :until_at::timestamptz
  and (o.sealed_at, o.index) < (:before_at::timestamptz, :before_index::bigint)
order by o.sealed_at desc, o.index desc
limit :most::integer;

-- name: undetermined(before_at, before_index, most)
-- Decisions that could not be made, the newest first.
select o.log_id, o.index, o.sealed_at, o.event, o.processor_id, o.disclosure_id, o.fields
from ecluse.opening o
where o.event = 'disclosure:person:undetermined' and (o.sealed_at, o.index) < (:before_at::timestamptz, :before_index::bigint)
order by o.sealed_at desc, o.index desc
limit :most::integer;

-- name: labels_of(agents, clients)
-- How agents and machines are called.
select a.id, a.label from ecluse.agent a where a.id = any(:agents::text[])
union all
select c.id, c.label from ecluse.client c where c.id = any(:clients::text[]);

-- name: contract_text(processor, version)
-- The text of a contract as it was applied.
select c.reference, c.text, c.hash, c.applied_at from ecluse.contract c where c.processor_id = :processor and c.version = :version::integer;

-- name: sign_ins(idle, most)
-- Who is signed in now, the newest first. Nothing of it is kept longer than six months.
select s.id, s.officer_id, s.agent_id, s.started_at, s.seen_at, s.ends_at
from ecluse.sign_in s
where s.ends_at > (select ecluse.clock()) and s.ended_at is null and s.seen_at > (select ecluse.clock()) - :idle::interval
order by s.ends_at desc
limit :most::integer;

-- name: walk_in_at(processor, session)
-- A session that somebody is at, with its names in the schedule's source.
select s.id, s.source, s.session_ref, s.processor_id, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at
from ecluse.session s
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
where s.processor_id = :processor and s.id = :session::text and s.handed_over_at is null;
