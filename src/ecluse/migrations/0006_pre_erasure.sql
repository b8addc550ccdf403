-- erasure and retention: requests, batches, tombstones, and the functions that forget
-- depends: 0007_pre_usage
-- migrate: apply
-- One batch a night for all reasons together (docs/erasure.md). Its steps, and what a crash after each leaves:
--   plan_erasure   says what goes, without the head's lock, and in the same transaction
--   seal_erasure   the control entry, the batch, its tombstones, and the places of those who asked go, under it. Crash: nothing of both, or all: from here on
--                  the openings under the tombstones are on their way out, and nothing more is planned before they are gone.
--   erase_slice    deletes them and what goes with them, a little at a time, without the head's lock. Crash: the next call goes on.
-- A person asked for is forgotten whole, and a session goes whole: an erased entry with no person left around it is nobody's.

create table ecluse.erasure_request (
  id           text        not null constraint erasure_request_pk primary key,
  subject_ref  text        not null constraint erasure_request_subject_uq unique,
  reason       text        not null constraint erasure_request_reason_ck check (reason <> ''),
  requested_by text        not null,
  requested_at timestamptz not null,
  batch        bigint      -- null: in no batch yet
);
comment on table ecluse.erasure_request is 'Who is to be erased, and on whose word. Forgotten once it is done: it would name the person.';
comment on column ecluse.erasure_request.subject_ref is 'person: reference; retention: until it is erased';
comment on column ecluse.erasure_request.reason is 'person: why it is asked; retention: until it is erased';
comment on column ecluse.erasure_request.requested_by is 'staff: who asked for it; retention: until it is erased';

create table ecluse.erasure_batch (
  id        bigint      not null constraint erasure_batch_pk primary key,
  log_id    smallint    not null references ecluse.ledger_log (id),
  index     bigint      not null,
  of_log    smallint    not null references ecluse.ledger_log (id),
  salt      bytea       not null constraint erasure_batch_salt_ck check (length(salt) = 32),
  count     bigint      not null constraint erasure_batch_count_ck check (count >= 0),
  cutoff    timestamptz not null,
  sealed_at timestamptz not null,
  done_at   timestamptz, -- null: openings under its tombstones may still be there
  constraint erasure_batch_index_uq unique (log_id, index)
);
comment on table ecluse.erasure_batch is 'What was erased together: (log_id, index) is its control entry, of_log the log of its tombstones, count how many openings. No person and no reason.';

create table ecluse.tombstone (
  log_id smallint not null,
  batch  bigint   not null references ecluse.erasure_batch (id),
  first  bigint   not null constraint tombstone_first_ck check (first >= 0),
  past   bigint   not null,
  constraint tombstone_pk primary key (log_id, first),
  constraint tombstone_range_ck check (first < past)
);
comment on table ecluse.tombstone is 'Entries [first, past) whose openings were erased. Written with their batch''s entry, in one transaction.';
create trigger tombstone_append_only before update or delete on ecluse.tombstone for each row execute function ecluse.refuse_change();
create trigger tombstone_keep before truncate on ecluse.tombstone for each statement execute function ecluse.refuse_change();
create trigger erasure_batch_append_only before delete on ecluse.erasure_batch for each row execute function ecluse.refuse_change();
create trigger erasure_batch_done_once before update on ecluse.erasure_batch for each row
  when (old.done_at is not null or (old.id, old.log_id, old.index, old.of_log, old.salt, old.count, old.cutoff, old.sealed_at)
        is distinct from (new.id, new.log_id, new.index, new.of_log, new.salt, new.count, new.cutoff, new.sealed_at))
  execute function ecluse.refuse_change();
create trigger erasure_batch_keep before truncate on ecluse.erasure_batch for each statement execute function ecluse.refuse_change();

create table ecluse.erasure_plan (
  id          bigint      not null generated always as identity constraint erasure_plan_pk primary key,
  log_id      smallint    not null,
  of_log      smallint    not null,
  control_seq bigint      not null,
  size        bigint      not null,
  cutoff      timestamptz not null,
  salt        bytea       not null,
  firsts      bigint[]    not null,
  pasts       bigint[]    not null,
  requests    text[]      not null
);
comment on table ecluse.erasure_plan is 'What plan_erasure hands to seal_erasure inside one transaction: empty to everybody else. size: of of_log when planning began.';

create table ecluse.erasure_place (
  processor_id   text    not null,
  appointment_id text    not null,
  asked          boolean not null,
  source         text    not null,
  since          timestamptz, -- null: its import was never applied
  constraint erasure_place_pk primary key (processor_id, appointment_id)
);
comment on table ecluse.erasure_place is 'The places that go with the batch under way: with their session, or (asked) with their person. since: when the file came that brought it.';
comment on column ecluse.erasure_place.appointment_id is 'person: handle; retention: until its batch is done';

-- The digest of a file is salted, for whoever has all rows of a file but one could try every person for that one against a bare digest.
alter table ecluse.schedule_import add column salt bytea; -- null: forgotten
comment on column ecluse.schedule_import.sha256 is 'SHA-256 over the salt and the file''s own SHA-256';
comment on column ecluse.schedule_import.salt is 'what ties the digest to the file; forgotten with the first person of it';
create index appointment_enrolment_ix on ecluse.appointment (enrolment_id);
create index opening_control_ix on ecluse.opening (log_id, index) where disclosure_id is null;

-- Not these: they say what the log is, who may ask and under which contract, and name nobody whom the data is about.
create function ecluse.erasable(p_event text) returns boolean language sql immutable parallel safe as $$
  select p_event <> all (array[
    'control:log:opened', 'control:log:rekeyed', 'control:log:succeeded', 'control:witnesses:applied', 'control:erasure:done', 'control:counts:published',
    'control:processor:added', 'control:agent:added', 'control:client:added', 'control:key:added', 'control:key:revoked', 'control:contract:applied',
    'control:evidence:accepted', 'control:evidence:withdrawn', 'control:finding:opened', 'control:finding:closed', 'control:override:approved', 'control:override:revoked',
    'control:officer:added', 'control:officer:closed', 'control:passkey:added', 'control:passkey:revoked'])
$$;

-- The handle that a decision's opening names.
create function ecluse.handle_of(p_fields text) returns text language sql immutable parallel safe as $$
  select substring(p_fields from '\["appointment","([a-z0-9_]+)"\]')
$$;

-- Who is under a legal hold (effect keep) at an instant. One on an agent or a machine keeps all of its processor: a session is kept whole or goes whole.
-- naming: texts that the fields of a held control entry contain.
create type ecluse.kept as (persons text[], processors text[], naming text[]);
create function ecluse.processor_of_hold(p_scope text, p_id text) returns text language sql stable set search_path = pg_catalog, pg_temp as $$
  select case when p_scope in ('processor', 'contract') then p_id
              when p_scope = 'agent' then (select a.processor_id from ecluse.agent a where a.id = p_id)
              when p_scope = 'client' then (select c.processor_id from ecluse.client c where c.id = p_id) end
$$;
create function ecluse.kept_at(t timestamptz) returns ecluse.kept language sql stable set search_path = pg_catalog, pg_temp as $$
  select row(coalesce(array_agg(h.scope_id) filter (where h.scope = 'person'), '{}')
             -- lines held back by law are shown first, for a month, before they go; a person who asked to be erased does not want to see them
             || coalesce((select array_agg(d.subject_ref) from ecluse.usage_deferral d
                          where least(d.until_at, d.released_at) > t - interval '30 days'
                            and not exists (select from ecluse.erasure_request r where r.subject_ref = d.subject_ref)), '{}'),
             coalesce(array_agg(p.id) filter (where p.id is not null), '{}'),
             coalesce(array_agg(case h.scope when 'client' then '["actor","client:' || h.scope_id || '"]' else '["subject",' || to_json(h.scope_id) || ']' end)
                      filter (where h.scope in ('client', 'person')), '{}'))::ecluse.kept
  from ecluse.hold h cross join lateral (select ecluse.processor_of_hold(h.scope, h.scope_id) as id) p
  where h.effect = 'keep' and h.released_at is null and h.from_at <= t and t < h.until_at
$$;
create function ecluse.names_any(p_fields text, p_naming text[]) returns boolean language sql immutable parallel safe as $$
  select exists (select from unnest(p_naming) n (said) where strpos(p_fields, n.said) > 0)
$$;
-- A hold's own entry is kept while the hold lasts, and then as long as any.
create function ecluse.hold_lasts(p_fields text, c timestamptz) returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (select from ecluse.hold h where h.id = substring(p_fields from '\["object","(hld_[a-z2-7]+)"\]') and least(h.until_at, h.released_at) >= c)
$$;

-- Each request, and what it waits for. why: null where nothing stands in its way; until: null where only somebody can end it. What is under way is not
-- cut short: a window is open for 14 days after its session at most; a budget counts whom it counted until its hour, day and month are over; a retry of
-- the last hour is answered from openings. Any hold on the person waits, for its own row names them, and so does a legal hold on anything of theirs.
create function ecluse.erasure_waiting(t timestamptz) returns table (id text, subject_ref text, why text, until timestamptz)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select distinct on (r.id) r.id, r.subject_ref, w.why, nullif(w.until, 'infinity')
  from ecluse.erasure_request r
  left join (
    select 1 as rank, q.subject_ref, 'hold' as why, max(h.until_at) as until
    from ecluse.erasure_request q
    join ecluse.hold h on h.released_at is null and t < h.until_at
      and (h.scope = 'person' and h.scope_id = q.subject_ref
           or h.effect = 'keep' and h.scope <> 'person' and ecluse.processor_of_hold(h.scope, h.scope_id) in (
             select o.processor_id from ecluse.opening o where o.subject_ref = q.subject_ref
             union all
             select e.processor_id from ecluse.enrolment e where e.subject_ref = q.subject_ref))
    group by q.subject_ref
    union all
    select 2, a.subject_ref, 'appointment', max(s.ends_at) + interval '14 days'
    from ecluse.appointment a join ecluse.session s on s.id = a.session_id
    where a.subject_ref in (select q.subject_ref from ecluse.erasure_request q) and a.cancelled_at is null and s.ends_at + interval '14 days' > t
    group by a.subject_ref
    union all
    select 3, d.subject_ref, 'deferral', max(d.until_at) from ecluse.usage_deferral d where d.released_at is null and t < d.until_at group by d.subject_ref
    union all
    select 4, b.subject_ref, 'budget', (date_trunc('month', t at time zone 'UTC') + interval '1 month') at time zone 'UTC'
    from ecluse.budget_person b
    where b.unit = 'm' and b.bucket = date_trunc('month', t, 'UTC') and b.subject_ref in (select q.subject_ref from ecluse.erasure_request q)
    group by b.subject_ref
    union all
    select 5, o.subject_ref, 'recent', max(o.sealed_at) + interval '1 hour'
    from ecluse.opening o where o.subject_ref in (select q.subject_ref from ecluse.erasure_request q) and o.sealed_at > t - interval '1 hour'
    group by o.subject_ref) w on w.subject_ref = r.subject_ref
  order by r.id, w.rank
$$;

-- Plan a batch: what of p_of's openings goes, and which places. p_months: retention of openings; p_days: at most so many days of them at once.
-- One row, or none where there is nothing to do. Deletes no opening, locks no head; the plan is good while control_seq stands still, and is sealed in this
-- transaction or is gone with it.
create function ecluse.plan_erasure(p_log smallint, p_of smallint, p_months integer, p_days integer, p_salt bytea)
returns table (id bigint, control_seq bigint, firsts bigint[], pasts bigint[])
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  t timestamptz := ecluse.clock(); past_time timestamptz; c timestamptz; seq bigint; p_size bigint; k ecluse.kept; oldest timestamptz;
  asked text[]; persons text[]; naming text[]; begins bigint[]; ends bigint[];
begin
  -- 0 one planner at a time, and after a batch; nobody is made to forget faster than the law thinks of
  if not pg_try_advisory_xact_lock(1701016941, 0) then raise exception 'another process has the turn' using errcode = 'lock_not_available'; end if;
  perform from ecluse.erasure_batch b where b.done_at is null;
  if found then raise exception 'a batch is under way' using errcode = 'lock_not_available'; end if;
  if (p_months between 6 and 36) is not true then raise exception 'no such retention' using errcode = 'invalid_parameter_value'; end if;
  select h.control_seq into seq from ecluse.ledger_head h where h.log_id = p_log;
  select h.size into p_size from ecluse.ledger_head h where h.log_id = p_of;
  k := ecluse.kept_at(t);

  -- 1 until when: whole days in UTC; after a long rest the oldest days first
  past_time := (date_trunc('day', t at time zone 'UTC') - make_interval(months => p_months)) at time zone 'UTC';
  select min(o.sealed_at) into oldest from ecluse.opening o
  where o.log_id = p_of and o.sealed_at < past_time and o.disclosure_id is not null
    and (o.subject_ref = any (k.persons)) is not true and (o.processor_id = any (k.processors)) is not true;
  c := least(past_time, date_trunc('day', oldest, 'UTC') + make_interval(days => p_days));

  -- 2 who asked, and waits for nothing
  select coalesce(array_agg(w.id), '{}'), coalesce(array_agg(w.subject_ref), '{}'), coalesce(array_agg('["subject",' || to_json(w.subject_ref) || ']'), '{}')
  into asked, persons, naming
  from (select * from ecluse.erasure_waiting(t) x where x.why is null order by x.id limit 100) w;

  -- 3 the places: of sessions that are over and began before then, or under which something was given before then; and of those who asked
  insert into ecluse.erasure_place (processor_id, appointment_id, asked, source, since)
  select a.processor_id, a.id, a.subject_ref = any (persons), s.source, f.applied_at
  from ecluse.appointment a
  join ecluse.session s on s.id = a.session_id
  join ecluse.schedule_import f on f.id = a.import_id
  where a.subject_ref = any (persons)
     or (a.subject_ref <> all (k.persons) and a.processor_id <> all (k.processors) and s.ends_at + interval '14 days' <= t
         and (s.starts_at < c or s.id in (
           select x.session_id from ecluse.opening o
           join ecluse.appointment x on x.processor_id = o.processor_id and x.id = ecluse.handle_of(o.fields)
           where o.log_id = p_of and o.sealed_at < c and o.event in ('disclosure:person:granted', 'disclosure:sheet:granted'))));

  -- 4 the entries: by age; the later ones of those places; of those who asked, in whatever entry; and what an earlier batch raced with
  with later as materialized (
    select o.index, o.processor_id, ecluse.handle_of(o.fields) as handle
    from ecluse.opening o
    where o.log_id = p_of and o.sealed_at >= c and o.disclosure_id is not null
      and o.subject_ref in (
        select a.subject_ref from ecluse.erasure_place p join ecluse.appointment a on a.processor_id = p.processor_id and a.id = p.appointment_id)
  ), gone as (
    select o.index from ecluse.opening o
    where o.log_id = p_of and o.sealed_at < c and ecluse.erasable(o.event)
      and (o.subject_ref = any (k.persons)) is not true and (o.processor_id = any (k.processors)) is not true
      and (o.disclosure_id is not null
           or not (ecluse.names_any(o.fields, k.naming) or o.event = 'control:hold:placed' and ecluse.hold_lasts(o.fields, past_time)))
    union
    select o.index from later o join ecluse.erasure_place p on p.processor_id = o.processor_id and p.appointment_id = o.handle
    union
    select o.index from ecluse.opening o where o.log_id = p_of and o.subject_ref = any (persons)
    union
    select o.index from ecluse.opening o where persons <> '{}' and o.log_id = p_of and o.disclosure_id is null and ecluse.names_any(o.fields, naming)
    union
    select o.index from (select x.sealed_at, x.done_at from ecluse.erasure_batch x order by x.id desc limit 1) b
    join ecluse.opening o on o.sealed_at >= b.sealed_at and o.sealed_at <= b.done_at and o.log_id = p_of and o.disclosure_id is not null and o.subject_ref is not null
      and o.event <> 'disclosure:emergency:granted' -- it needs no place
    where not exists (select from ecluse.appointment a where a.processor_id = o.processor_id and a.id = ecluse.handle_of(o.fields))
      and (o.subject_ref = any (k.persons)) is not true and (o.processor_id = any (k.processors)) is not true
  ), runs as (
    select min(g.index) as first, max(g.index) + 1 as past
    from (select u.index, u.index - row_number() over (order by u.index) as run from gone u) g group by g.run)
  select coalesce(array_agg(r.first order by r.first), '{}'), coalesce(array_agg(r.past order by r.first), '{}') into begins, ends from runs r;

  perform from ecluse.erasure_place;
  if not found and begins = '{}' and (asked = '{}' or p_of <> p_log) then return; end if;
  return query
  insert into ecluse.erasure_plan (log_id, of_log, control_seq, size, cutoff, salt, firsts, pasts, requests)
  values (p_log, p_of, seq, p_size, c, p_salt, begins, ends, asked)
  returning erasure_plan.id, erasure_plan.control_seq, erasure_plan.firsts, erasure_plan.pasts;
end $$;

-- The entry of a planned batch with its tombstones, under the head's lock; no opening goes before it. The places of those who asked go here, so that no later
-- entry names them. Outcomes: sealed | stale (control_seq moved, somebody of the plan was named since, the entry was composed more than 5 s ago) | clock-untrusted.
create function ecluse.seal_erasure(p_plan bigint, p_at timestamptz, p_leaf bytea, p_fields text, p_salts bytea) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare plan ecluse.erasure_plan; head ecluse.ledger_head; t timestamptz;
begin
  if (p_fields::jsonb -> 1 ->> 1 = 'control:erasure:done') is not true then
    raise exception 'the event is not that of the act' using errcode = 'invalid_parameter_value';
  end if;
  select * into head from ecluse.ledger_head l where l.log_id = (select x.log_id from ecluse.erasure_plan x where x.id = p_plan) for update;
  t := ecluse.clock();
  select * into plan from ecluse.erasure_plan x where x.id = p_plan;
  if (head.control_seq = plan.control_seq and t - p_at <= interval '5 seconds') is not true then return 'stale'; end if;
  if (t >= head.last_at and t >= p_at) is not true then return 'clock-untrusted'; end if;
  perform from ecluse.opening o
  where o.log_id = plan.of_log and o.index >= plan.size
    and (o.subject_ref in (select r.subject_ref from ecluse.erasure_request r where r.id = any (plan.requests))
         or exists (select from ecluse.erasure_place p where p.processor_id = o.processor_id and p.appointment_id = ecluse.handle_of(o.fields)));
  if found then return 'stale'; end if;
  insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (head.log_id, head.size, p_leaf, t);
  insert into ecluse.opening (log_id, index, sealed_at, event, fields, salts) values (head.log_id, head.size, t, 'control:erasure:done', p_fields, p_salts);
  update ecluse.ledger_head l set size = head.size + 1, control_seq = head.control_seq + 1, last_at = t where l.log_id = head.log_id;
  insert into ecluse.erasure_batch (id, log_id, index, of_log, salt, count, cutoff, sealed_at)
  values (plan.id, head.log_id, head.size, plan.of_log, plan.salt,
          (select coalesce(sum(u.past - u.first), 0) from unnest(plan.firsts, plan.pasts) u (first, past)), plan.cutoff, t);
  insert into ecluse.tombstone (log_id, batch, first, past) select plan.of_log, plan.id, u.first, u.past from unnest(plan.firsts, plan.pasts) u (first, past);
  update ecluse.erasure_request r set batch = plan.id where r.id = any (plan.requests);
  delete from ecluse.appointment a using ecluse.erasure_place p where p.asked and a.processor_id = p.processor_id and a.id = p.appointment_id;
  delete from ecluse.erasure_plan x where x.id = p_plan;
  return 'sealed';
end $$;

-- Go on with the batch under way, at most p_most rows of a kind, and say how many openings went. done: the batch is finished, or there is none.
create function ecluse.erase_slice(p_most integer) returns table (openings integer, done boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  b ecluse.erasure_batch; t timestamptz := ecluse.clock(); k ecluse.kept; persons text[]; n integer; most integer := 0;
  days date[]; processors text[]; subjects text[];
begin
  -- 1 one at a time
  select * into b from ecluse.erasure_batch x where x.done_at is null order by x.id limit 1 for update;
  if not found then return query select 0, true; return; end if;
  k := ecluse.kept_at(t);
  select coalesce(array_agg(r.subject_ref), '{}') into persons from ecluse.erasure_request r where r.batch = b.id;

  -- 2 places, so that no handle of theirs is known any more
  with few as materialized (
    select a.processor_id, a.id from ecluse.erasure_place p join ecluse.appointment a on a.processor_id = p.processor_id and a.id = p.appointment_id limit p_most)
  delete from ecluse.appointment a using few f where a.processor_id = f.processor_id and a.id = f.id;
  get diagnostics n = row_count;
  if n > 0 then return query select 0, false; return; end if;

  -- 3 openings, and with them who was counted from them (0011): no fold comes between
  perform pg_advisory_xact_lock(1701016942, 0);
  with few as materialized (
    select o.log_id, o.index, o.sealed_at from ecluse.tombstone s join ecluse.opening o on o.log_id = s.log_id and o.index >= s.first and o.index < s.past
    where s.batch = b.id limit p_most),
  gone as (
    delete from ecluse.opening o using few f where o.log_id = f.log_id and o.index = f.index and o.sealed_at = f.sealed_at
    returning (o.sealed_at at time zone 'UTC')::date as day, o.processor_id, o.subject_ref)
  select count(*), array_agg(g.day), array_agg(g.processor_id), array_agg(g.subject_ref) into n, days, processors, subjects from gone g;
  perform ecluse.forget_flows(days, processors, subjects);
  if n > 0 then return query select n, false; return; end if;

  -- 4 what else tells of them: outcomes, changes, sessions that are empty and over (with their agents), enrolments without a place, counters, holds
  delete from ecluse.outcome o using ecluse.erasure_place p where o.processor_id = p.processor_id and o.appointment_id = p.appointment_id;
  delete from ecluse.schedule_change x where x.ctid in (
    select y.ctid from ecluse.schedule_change y
    where y.changed_at < b.cutoff
       or (y.processor_id, y.appointment_id) in (select p.processor_id, p.appointment_id from ecluse.erasure_place p) limit p_most);
  get diagnostics n = row_count; most := greatest(most, n);
  delete from ecluse.session x where x.ctid in (
    select y.ctid from ecluse.session y
    where y.ends_at + interval '14 days' <= t and y.processor_id <> all (k.processors) and not exists (select from ecluse.appointment a where a.session_id = y.id) limit p_most);
  get diagnostics n = row_count; most := greatest(most, n);
  delete from ecluse.enrolment x where x.ctid in (
    select y.ctid from ecluse.enrolment y
    where y.processor_id <> all (k.processors) and y.subject_ref <> all (k.persons)
      and not exists (select from ecluse.appointment a where a.enrolment_id = y.id) limit p_most);
  get diagnostics n = row_count; most := greatest(most, n);
  delete from ecluse.budget_person x where x.subject_ref = any (persons);
  delete from ecluse.usage_deferral d where d.subject_ref = any (persons);
  delete from ecluse.usage_visit v where v.subject_ref = any (persons);
  delete from ecluse.emergency e using ecluse.tombstone s -- reviewed, and of no day whose limit counts it
  where e.log_id = s.log_id and e.index >= s.first and e.index < s.past and e.reviewed_at is not null and e.opened_at < t - interval '2 days';
  delete from ecluse.lookup l -- with the person, or with the entry that asked for it
  where l.subject_ref = any (persons)
     or l.expires_at < t and exists (select from ecluse.tombstone s where s.log_id = l.log_id and s.first <= l.index and l.index < s.past);
  delete from ecluse.hold h where least(h.until_at, h.released_at) < b.cutoff or (h.scope = 'person' and h.scope_id = any (persons));
  update ecluse.schedule_import i set salt = null
  where i.salt is not null
    and (i.applied_at < b.cutoff
         or exists (select from ecluse.erasure_place p where p.asked and p.source = i.source and i.applied_at >= p.since));
  update ecluse.schedule_import i set actor = '' where i.applied_at < b.cutoff and i.actor <> '';
  if most >= p_most then return query select 0, false; return; end if;

  -- 5 done: the request would name the person, and goes too
  delete from ecluse.erasure_place;
  if b.of_log = b.log_id then
    delete from ecluse.erasure_request r where r.batch = b.id;
  end if;
  update ecluse.erasure_batch x set done_at = t where x.id = b.id;
  return query select 0, true;
end $$;

-- A request, its withdrawal while it is in no batch, and what the controller may see of both. Outcomes: asked | asked-before.
create function ecluse.ask_erasure(p_id text, p_subject text, p_reason text, p_actor text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into ecluse.erasure_request (id, subject_ref, reason, requested_by, requested_at) values (p_id, p_subject, p_reason, p_actor, ecluse.clock())
  on conflict on constraint erasure_request_subject_uq do nothing;
  return case when found then 'asked' else 'asked-before' end;
end $$;
create function ecluse.withdraw_erasure(p_id text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from ecluse.erasure_request r where r.id = p_id and r.batch is null;
  return found;
end $$;
create function ecluse.erasure_requests() returns table (id text, requested_by text, requested_at timestamptz, reason text, batch bigint, why text, until timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select r.id, r.requested_by, r.requested_at, r.reason, r.batch, w.why, w.until
  from ecluse.erasure_request r join ecluse.erasure_waiting(ecluse.clock()) w on w.id = r.id order by r.requested_at, r.id
$$;
create function ecluse.erasure_batches(p_most integer)
returns table (id bigint, log_id smallint, index bigint, of_log smallint, count bigint, sealed_at timestamptz, done_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select b.id, b.log_id, b.index, b.of_log, b.count, b.sealed_at, b.done_at from ecluse.erasure_batch b order by b.id desc limit p_most
$$;
-- Legal holds in force that keep openings past their time, and how many each keeps.
create function ecluse.erasure_kept(p_months integer) returns table (hold text, scope text, openings bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock(); c timestamptz := (date_trunc('day', t at time zone 'UTC') - make_interval(months => p_months)) at time zone 'UTC';
begin
  return query
  select h.id, h.scope, count(o.index)
  from ecluse.hold h
  cross join lateral (select ecluse.processor_of_hold(h.scope, h.scope_id) as id) p
  left join ecluse.opening o on o.sealed_at < c and ecluse.erasable(o.event)
    and case h.scope when 'person' then o.subject_ref = h.scope_id or strpos(o.fields, '["subject",' || to_json(h.scope_id) || ']') > 0 else o.processor_id = p.id end
  where h.effect = 'keep' and h.released_at is null and h.from_at <= t and t < h.until_at
  group by h.id, h.scope order by h.id;
end $$;
-- migrate: rollback
