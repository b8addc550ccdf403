-- the whole schedule: snapshots, approval, walk-ins, sessions that change hands
-- depends: 0002_pre_door
-- migrate: apply
alter table ecluse.schedule_import add column mode text not null default 'delta'
  constraint schedule_import_mode_ck check (mode in ('delta', 'snapshot', 'walk-in', 'substitution'));

-- A session that goes to another processor is closed here and begins anew there, with another id and other handles: nothing that one
-- processor holds is known to the other. Only one of its rows is with a processor.
alter table ecluse.session add column handed_over_at timestamptz; -- null: with its processor
alter table ecluse.session drop constraint session_identity_uq;
create unique index session_identity_uq on ecluse.session (source, session_ref) where handed_over_at is null;

alter table ecluse.schedule_change drop constraint schedule_change_kind_ck;
alter table ecluse.schedule_change add constraint schedule_change_kind_ck check (kind in ('moved', 'cancelled', 'reinstated', 'added'));
comment on column ecluse.schedule_change.appointment_id is 'null: the whole session moved, or places came into it';

create table ecluse.schedule_request (
  id           text        not null constraint schedule_request_pk primary key,
  source       text        not null constraint schedule_request_source_uq unique,
  sha256       text        not null,
  kind         text        not null,
  mode         text        not null,
  confirm      integer,    -- null: no number of cancellations was confirmed
  content      bytea       not null,
  row_count    integer     not null,
  excess_count integer     not null constraint schedule_request_excess_ck check (excess_count > 0),
  plan         text        not null,
  requested_by text        not null,
  requested_at timestamptz not null,
  expires_at   timestamptz not null,
  constraint schedule_request_life_ck check (requested_at < expires_at)
);
comment on table ecluse.schedule_request is 'A file above the contract''s volume that waits for a second person: no effect. One a source; gone once approved, withdrawn or expired.';
comment on column ecluse.schedule_request.content is 'person: the file as it was sent; retention: until it is approved or withdrawn, at most 72 hours';
comment on column ecluse.schedule_request.requested_by is 'staff: who sent it; retention: until it is approved or withdrawn, at most 72 hours';
comment on column ecluse.schedule_request.plan is 'SHA-256 of what the file would do as of then: an approval is for this and nothing else';

-- The short end of an import, inside control(): approval, moves, handovers, cancellations, and the instant in which the loaded rows take effect.
-- p_body: import, approval (absent, or {request, approver}), moves: [{session, site, room, starts_at, ends_at, agents: []}],
-- handovers: [{session, new, processor, site, room, starts_at, ends_at, agents: [], places: [[place_ref, handle, enrolment]]}],
-- cancels: [[processor, appointment]], reinstates: likewise, added: [[processor, session]].
-- Loading new rows (session, session_agent, enrolment, appointment rows with this import's id) happened before, without the head's lock; those of a
-- handover are few and are written here, as the old row has to go first.
-- Each list is unpacked once, and each row then found by its key: unpacking inside a join costs (named x kept) steps under the lock.
create function ecluse.apply_schedule(p_body jsonb, p_seq bigint, p_now timestamptz) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare handed integer;
begin
  -- 1 a second person, and not the first one again; the request lives until this instant and no longer
  if p_body ? 'approval' then
    delete from ecluse.schedule_request r
    where r.id = p_body -> 'approval' ->> 'request' and r.id = p_body ->> 'import' and r.requested_by <> p_body -> 'approval' ->> 'approver' and r.expires_at > p_now;
    if not found then raise exception 'no such request to approve' using errcode = 'no_data_found', constraint = 'schedule_request_open'; end if;
  end if;

  -- 2 sessions that change hands: closed there, begun anew here
  if jsonb_array_length(p_body -> 'handovers') > 0 then
    with named as materialized (select h ->> 'session' as id from jsonb_array_elements(p_body -> 'handovers') h)
    update ecluse.session s set handed_over_at = p_now, changed_seq = p_seq from named n where s.id = n.id and s.handed_over_at is null;
    get diagnostics handed = row_count;
    if handed <> jsonb_array_length(p_body -> 'handovers') then
      raise exception 'no such session to hand over' using errcode = 'no_data_found', constraint = 'session_identity_uq';
    end if;
    with named as materialized (
      select h ->> 'session' as old, h ->> 'new' as id, h ->> 'processor' as processor, h ->> 'site' as site, h ->> 'room' as room,
             (h ->> 'starts_at')::timestamptz as starts_at, (h ->> 'ends_at')::timestamptz as ends_at
      from jsonb_array_elements(p_body -> 'handovers') h)
    insert into ecluse.session (id, source, session_ref, processor_id, purpose, site_id, room, starts_at, ends_at, import_id)
    select n.id, s.source, s.session_ref, n.processor, s.purpose, n.site, n.room, n.starts_at, n.ends_at, p_body ->> 'import'
    from named n cross join lateral (select * from ecluse.session o where o.id = n.old limit 1) s;
    insert into ecluse.session_agent (session_id, agent_id)
    select h ->> 'new', a.id from jsonb_array_elements(p_body -> 'handovers') h cross join lateral jsonb_array_elements_text(h -> 'agents') a (id);
    with placed as materialized (
      select h ->> 'processor' as processor, h ->> 'new' as session, p ->> 0 as place_ref, p ->> 1 as id, p ->> 2 as enrolment
      from jsonb_array_elements(p_body -> 'handovers') h cross join lateral jsonb_array_elements(h -> 'places') p)
    insert into ecluse.appointment (processor_id, id, session_id, place_ref, enrolment_id, subject_ref, import_id)
    select p.processor, p.id, p.session, p.place_ref, p.enrolment, e.subject_ref, p_body ->> 'import'
    from placed p cross join lateral (select o.subject_ref from ecluse.enrolment o where o.id = p.enrolment and o.processor_id = p.processor limit 1) e;
  end if;

  -- 3 moves, cancellations and reinstatements, and what each processor is told
  with named as materialized (
    select m ->> 'session' as id, m ->> 'site' as site, m ->> 'room' as room, (m ->> 'starts_at')::timestamptz as starts_at, (m ->> 'ends_at')::timestamptz as ends_at, m -> 'agents' as agents
    from jsonb_array_elements(p_body -> 'moves') m
  ), gone as (
    delete from ecluse.session_agent g using named n
    where g.session_id = n.id and not exists (select from jsonb_array_elements_text(n.agents) a (id) where a.id = g.agent_id)
  ), come as (
    insert into ecluse.session_agent (session_id, agent_id) select n.id, a.id from named n cross join lateral jsonb_array_elements_text(n.agents) a (id)
    on conflict on constraint session_agent_pk do nothing
  ), moved as (
    update ecluse.session s set site_id = n.site, room = n.room, starts_at = n.starts_at, ends_at = n.ends_at, changed_seq = p_seq from named n where s.id = n.id
    returning s.processor_id, s.id
  ), left_behind as materialized (
    select h ->> 'session' as id from jsonb_array_elements(p_body -> 'handovers') h
  ), changed as materialized (
    select a.processor_id as processor, a.id, true as cancel
    from left_behind l cross join lateral (select o.processor_id, o.id from ecluse.appointment o where o.session_id = l.id and o.cancelled_at is null offset 0) a
    union all select c ->> 0, c ->> 1, true from jsonb_array_elements(p_body -> 'cancels') c
    union all select c ->> 0, c ->> 1, false from jsonb_array_elements(p_body -> 'reinstates') c
  ), set_now as (
    update ecluse.appointment a set cancelled_at = case when c.cancel then p_now end from changed c
    where a.processor_id = c.processor and a.id = c.id and (a.cancelled_at is null) = c.cancel
    returning a.processor_id, a.session_id, a.id, c.cancel
  )
  insert into ecluse.schedule_change (processor_id, seq, ordinal, kind, session_id, appointment_id, changed_at)
  select u.processor_id, p_seq, row_number() over (order by u.rank, u.session_id, u.id), u.kind, u.session_id, u.id, p_now
  from (select m.processor_id, 1 as rank, 'moved' as kind, m.id as session_id, null as id from moved m
        union all
        select s.processor_id, 2, case when s.cancel then 'cancelled' else 'reinstated' end, s.session_id, s.id from set_now s
        union all
        select a ->> 0, 3, 'added', a ->> 1, null from jsonb_array_elements(p_body -> 'added') a) u;

  -- 4 the rows that were loaded take effect
  update ecluse.schedule_import set applied_at = p_now where id = p_body ->> 'import' and applied_at is null;
  if not found then raise exception 'no such pending import' using errcode = 'no_data_found', constraint = 'schedule_import_pending'; end if;
end $$;
-- migrate: rollback
