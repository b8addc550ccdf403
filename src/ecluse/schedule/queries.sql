-- What a schedule import reads and loads. Its effect is the act schedule:apply of ecluse.control, never a statement here.

-- name: patience()!
-- Loading a large file takes longer than a decision may; for this transaction only, and never while the head is locked.
set local statement_timeout = '120s';

-- name: contracts_in_force(processors)
-- The highest version of each of these processors' contracts.
select distinct on (c.processor_id)
  c.processor_id,
  c.text
from ecluse.contract c
where c.processor_id = any(:processors::text[])
order by c.processor_id, c.version desc;

-- name: agents_known(agents)
-- Which processor each of these agents is of.
select
  a.id,
  a.processor_id
from ecluse.agent a
where a.id = any(:agents::text[]);

-- name: sessions_kept(source, session_refs, from_at, until_at, processors, ahead)
-- Sessions in effect: those that the file names, those of its processors that start in one of these half-open spans, and (ahead) those of its
-- source that are yet to begin.
select
  s.id,
  s.source,
  s.session_ref,
  s.processor_id,
  s.purpose,
  s.site_id,
  s.room,
  s.starts_at,
  s.ends_at,
  array(select g.agent_id from ecluse.session_agent g where g.session_id = s.id) as agents
from (
  select n.id
  from ecluse.session n
  where n.source = :source::text and n.session_ref = any(:session_refs::text[]) and n.handed_over_at is null
  union
  select n.id
  from ecluse.session n
  where :ahead::boolean and n.source = :source::text and n.starts_at > (select ecluse.clock()) and n.handed_over_at is null
  union
  select n.id
  from unnest(:from_at::timestamptz[], :until_at::timestamptz[]) as m (from_at, until_at)
  join ecluse.session n on n.processor_id = any(:processors::text[]) and n.starts_at >= m.from_at and n.starts_at < m.until_at
) w
join ecluse.session s on s.id = w.id
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
where s.handed_over_at is null;

-- name: places_kept(session_ids)
-- Places in effect of these sessions.
select
  a.session_id,
  a.place_ref,
  a.subject_ref,
  e.course_ref,
  a.cancelled_at is not null as cancelled,
  f.mode = 'walk-in' as walk_in
from ecluse.appointment a
join ecluse.schedule_import f on f.id = a.import_id and f.applied_at is not null
join ecluse.enrolment e on e.id = a.enrolment_id
where a.session_id = any(:session_ids::text[]);

-- name: drop_pending(source)$
-- Clear what an import of this source loaded and never applied.
select ecluse.drop_pending(:source::text);

-- name: begin_import(id, source, sha256, row_count, actor, mode, salt)!
-- A new import, pending: its rows have no effect.
insert into ecluse.schedule_import (id, source, sha256, row_count, actor, started_at, mode, salt)
values (:id::text, :source::text, :sha256::text, :row_count::integer, :actor::text, ecluse.clock(), :mode::text, :salt::bytea);

-- name: session_ids(source, session_refs)
-- The ids of these sessions of a source, those just loaded included.
select
  s.session_ref,
  s.id
from ecluse.session s
where s.source = :source::text and s.session_ref = any(:session_refs::text[]) and s.handed_over_at is null;

-- name: session_in_effect(log_id, source, session_ref)^
-- One session with one of its places, if there is any, and the control_seq of the same instant.
select
  (select h.control_seq from ecluse.ledger_head h where h.log_id = ecluse.current_log(:log_id::smallint)) as control_seq,
  s.processor_id,
  s.purpose,
  s.site_id,
  s.room,
  s.starts_at,
  s.ends_at,
  array(select g.agent_id from ecluse.session_agent g where g.session_id = s.id order by 1) as agents,
  p.place_ref,
  p.subject_ref,
  p.course_ref,
  p.cancelled
from ecluse.session s
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
left join lateral (
  select a.place_ref, a.subject_ref, e.course_ref, a.cancelled_at is not null as cancelled
  from ecluse.appointment a
  join ecluse.schedule_import i on i.id = a.import_id and i.applied_at is not null
  join ecluse.enrolment e on e.id = a.enrolment_id
  where a.session_id = s.id
  order by a.place_ref
  limit 1
) p on true
where s.source = :source::text and s.session_ref = :session_ref::text and s.handed_over_at is null;

-- name: handles(session_ids, place_refs)
-- The handles of these places, in their order.
select
  w.n,
  a.processor_id,
  a.id
from unnest(:session_ids::text[], :place_refs::text[]) with ordinality as w (session_id, place_ref, n)
join ecluse.appointment a on a.session_id = w.session_id and a.place_ref = w.place_ref
order by w.n;

-- name: enrol(ids, processors, purposes, course_refs, subject_refs)!
-- Enrolments that are not there yet. An enrolment alone gives access to nothing.
insert into ecluse.enrolment (id, processor_id, purpose, course_ref, subject_ref)
select
  w.id,
  w.processor_id,
  w.purpose,
  w.course_ref,
  w.subject_ref
from unnest(:ids::text[], :processors::text[], :purposes::text[], :course_refs::text[], :subject_refs::text[])
  as w (id, processor_id, purpose, course_ref, subject_ref)
on conflict on constraint enrolment_identity_uq do nothing;

-- name: enrolment_ids(processors, purposes, course_refs, subject_refs)
-- The ids of these enrolments, in their order.
select
  w.n,
  e.id
from unnest(:processors::text[], :purposes::text[], :course_refs::text[], :subject_refs::text[])
  with ordinality as w (processor_id, purpose, course_ref, subject_ref, n)
join ecluse.enrolment e
  on e.processor_id = w.processor_id and e.purpose = w.purpose and e.course_ref = w.course_ref and e.subject_ref = w.subject_ref
order by w.n;

-- name: drop_requests(source)!
-- Make room for another file of this source; whatever has expired goes as well.
delete from ecluse.schedule_request r where r.source = :source::text or r.expires_at <= ecluse.clock();

-- name: count_requests()$
-- How many files wait for a second person.
select count(*) from ecluse.schedule_request;

-- name: hold_request(id, source, sha256, kind, mode, confirm, content, row_count, excess_count, plan, actor, life)^
-- Keep a file until a second person approves it. It has no effect.
insert into ecluse.schedule_request
  (id, source, sha256, kind, mode, confirm, content, row_count, excess_count, plan, requested_by, requested_at, expires_at)
select
  :id::text, :source::text, :sha256::text, :kind::text, :mode::text, :confirm::integer, :content::bytea, :row_count::integer,
  :excess_count::integer, :plan::text, :actor::text, t.at, t.at + :life::interval
from ecluse.clock() as t (at)
returning expires_at;

-- name: requests()
-- The files that wait for a second person, oldest first.
select
  r.id,
  r.source,
  r.sha256,
  r.mode,
  r.row_count,
  r.excess_count,
  r.requested_by,
  r.requested_at,
  r.expires_at
from ecluse.schedule_request r
where r.expires_at > ecluse.clock()
order by r.requested_at, r.id;

-- name: request_of(id)^
-- One file that waits, whole. A client that is held now asks for nothing.
select
  r.id,
  r.source,
  r.kind,
  r.mode,
  r.confirm,
  r.content,
  r.plan,
  r.requested_by,
  r.requested_at,
  exists (
    select from ecluse.hold h
    where h.scope = 'client' and 'client:' || h.scope_id = r.requested_by and h.effect <> 'keep' and h.released_at is null
      and h.from_at <= ecluse.clock() and ecluse.clock() < h.until_at
  ) as held
from ecluse.schedule_request r
where r.id = :id::text and r.expires_at > ecluse.clock();

-- name: withdraw_request(id)$
-- Take a file back that waits.
delete from ecluse.schedule_request r where r.id = :id::text returning r.id;
