-- outcomes and their delivery; the people of the sandbox
-- depends: 0003_pre_schedule
-- migrate: apply
-- ── outcomes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- Drawn under the head's lock, which is held to the end of the transaction: whoever sees a number sees all smaller ones.
create sequence ecluse.outcome_seq;

create table ecluse.outcome (
  processor_id   text        not null references ecluse.processor (id),
  appointment_id text        not null,
  seq            bigint      not null constraint outcome_seq_uq unique,
  revision       integer     not null constraint outcome_revision_ck check (revision > 0),
  attendance     text        not null constraint outcome_attendance_ck check (attendance in ('present', 'absent', 'late', 'excused')),
  level          text        constraint outcome_level_ck check (level in ('A1', 'A2', 'B1', 'B2', 'C1', 'C2')), -- null: none given
  agent_id       text        references ecluse.agent (id), -- null: none named
  client_id      text        not null references ecluse.client (id),
  recorded_at    timestamptz not null,
  state          text        not null default 'waiting' constraint outcome_state_ck check (state in ('waiting', 'delivered', 'dead')), -- waiting -> delivered | dead; dead -> waiting by hand
  attempts       integer     not null default 0,
  due_at         timestamptz not null,
  problem        text,       -- null: the last attempt did not fail, or there was none
  constraint outcome_pk primary key (processor_id, appointment_id)
);
comment on table ecluse.outcome is 'How an appointment ended, as its processor said last. A correction replaces the row, raises revision and takes a new seq. It is its own outbox: state, attempts and due_at are of the webhook.';
comment on column ecluse.outcome.appointment_id is 'person: handle; retention 30 days';
comment on column ecluse.outcome.attendance is 'person: whether present; retention 30 days';
comment on column ecluse.outcome.level is 'person: level reached; retention 30 days';
comment on column ecluse.outcome.agent_id is 'staff: reference; retention 30 days';
create index outcome_due_ix on ecluse.outcome (due_at) where state = 'waiting';
create index outcome_dead_ix on ecluse.outcome (seq) where state = 'dead';
create index outcome_recorded_ix on ecluse.outcome (recorded_at);

create table ecluse.outcome_key (
  client_id      text        not null,
  appointment_id text        not null,
  key            text        not null,
  request_hash   bytea       not null,
  revision       integer     not null,
  recorded_at    timestamptz not null,
  kept_at        timestamptz not null,
  constraint outcome_key_pk primary key (client_id, appointment_id, key)
);
comment on table ecluse.outcome_key is 'Idempotency keys of outcomes and what they were answered: ten minutes. So a late retry never undoes a correction.';
comment on column ecluse.outcome_key.appointment_id is 'person: handle; retention: ten minutes';
create index outcome_key_kept_ix on ecluse.outcome_key (kept_at);

-- The only writer of outcomes. Outcomes: recorded | unchanged | again (same key and body: as answered then) | key-reused | no-course
-- | stale (control_seq moved, or the instant is outside of the interval: plan again) | clock-untrusted. No entry is sealed: nothing leaves by it.
create function ecluse.record_outcome(
  p_log smallint, p_seq bigint, p_from timestamptz, p_until timestamptz, p_processor text, p_handle text, p_client text, p_agent text,
  p_attendance text, p_level text, p_key text, p_hash bytea)
returns table (outcome text, revision integer, recorded_at timestamptz)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare head ecluse.ledger_head; t timestamptz; course boolean; known ecluse.outcome_key; old ecluse.outcome; word text := 'recorded'; r integer; at timestamptz;
begin
  select * into head from ecluse.ledger_head l where l.log_id = p_log for update;
  t := ecluse.clock();
  if head.control_seq <> p_seq or t < p_from or t >= p_until then
    return query select 'stale'::text, null::integer, null::timestamptz; return;
  end if;
  if t < head.last_at then
    return query select 'clock-untrusted'::text, null::integer, null::timestamptz; return;
  end if;
  select e.course_ref <> e.purpose into course
  from ecluse.appointment a join ecluse.enrolment e on e.id = a.enrolment_id where a.processor_id = p_processor and a.id = p_handle;
  if course is null then raise exception 'no such appointment' using errcode = 'no_data_found', constraint = 'outcome_appointment'; end if;
  if p_level is not null and not course then
    return query select 'no-course'::text, null::integer, null::timestamptz; return;
  end if;
  if p_key is not null then
    select * into known from ecluse.outcome_key k
    where k.client_id = p_client and k.appointment_id = p_handle and k.key = p_key and k.kept_at > t - interval '10 minutes';
    if found then
      return query select case when known.request_hash = p_hash then 'again' else 'key-reused' end, known.revision, known.recorded_at; return;
    end if;
  end if;
  select * into old from ecluse.outcome o where o.processor_id = p_processor and o.appointment_id = p_handle;
  if (old.attendance, old.level, old.agent_id) is not distinct from (p_attendance, p_level, p_agent) then
    word := 'unchanged'; r := old.revision; at := old.recorded_at;
  else
    r := coalesce(old.revision, 0) + 1; at := t;
    insert into ecluse.outcome as o (processor_id, appointment_id, seq, revision, attendance, level, agent_id, client_id, recorded_at, due_at)
    values (p_processor, p_handle, nextval('ecluse.outcome_seq'), r, p_attendance, p_level, p_agent, p_client, t, t)
    on conflict on constraint outcome_pk do update
      set seq = excluded.seq, revision = excluded.revision, attendance = excluded.attendance, level = excluded.level, agent_id = excluded.agent_id,
          client_id = excluded.client_id, recorded_at = excluded.recorded_at, state = 'waiting', attempts = 0, due_at = excluded.due_at, problem = null;
  end if;
  if p_key is not null then
    insert into ecluse.outcome_key (client_id, appointment_id, key, request_hash, revision, recorded_at, kept_at)
    values (p_client, p_handle, p_key, p_hash, r, at, t)
    on conflict on constraint outcome_key_pk do update
      set request_hash = excluded.request_hash, revision = excluded.revision, recorded_at = excluded.recorded_at, kept_at = excluded.kept_at;
  end if;
  return query select word, r, at;
end $$;

-- Outcomes as the controller reads them: in the order of seq, each with the controller's own name of the place. None of the sandbox: its places are nobody's.
create view ecluse.outcome_feed as
  select o.seq, o.processor_id, o.appointment_id, s.source, s.session_ref, a.place_ref, o.attendance, o.level, o.agent_id, o.revision, o.recorded_at,
         o.state, o.attempts, o.due_at, o.problem
  from ecluse.outcome o
  join ecluse.appointment a on a.processor_id = o.processor_id and a.id = o.appointment_id
  join ecluse.session s on s.id = a.session_id
  where o.processor_id not in ('sandbox', 'sandbox-neighbour');

-- What the webhook shall send now, oldest due first. Lag of a replica's clock is none of ours: the database's decides.
create function ecluse.outcomes_due(p_most integer)
returns table (seq bigint, processor_id text, appointment_id text, source text, session_ref text, place_ref text, attendance text, level text, agent_id text,
               revision integer, recorded_at timestamptz, attempts integer)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select f.seq, f.processor_id, f.appointment_id, f.source, f.session_ref, f.place_ref, f.attendance, f.level, f.agent_id, f.revision, f.recorded_at, f.attempts
  from ecluse.outcome_feed f
  where f.state = 'waiting' and f.due_at <= ecluse.clock() order by f.due_at, f.seq limit p_most
$$;

-- What became of one attempt. A correction that came meanwhile has another revision and is left alone: it waits with a count of its own.
create function ecluse.settle_outcome(p_processor text, p_handle text, p_revision integer, p_state text, p_problem text, p_wait interval) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  update ecluse.outcome o set state = p_state, problem = p_problem, attempts = o.attempts + 1, due_at = ecluse.clock() + p_wait
  where o.processor_id = p_processor and o.appointment_id = p_handle and o.revision = p_revision and o.state = 'waiting';
  return found;
end $$;

-- Dead letters wait again, from the beginning of their attempts.
create function ecluse.retry_outcomes() returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare n integer;
begin
  update ecluse.outcome o set state = 'waiting', attempts = 0, due_at = ecluse.clock() where o.state = 'dead';
  get diagnostics n = row_count;
  return n;
end $$;

-- How many wait, and how many were given up.
create function ecluse.outcome_counts() returns table (waiting bigint, dead bigint)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select (select count(*) from ecluse.outcome o where o.state = 'waiting' and o.processor_id not in ('sandbox', 'sandbox-neighbour')),
         (select count(*) from ecluse.outcome o where o.state = 'dead')
$$;

-- Outcomes past 30 days and keys past ten minutes go, at most 20,000 of a kind a call; returns how many went of the larger kind.
create function ecluse.purge_outcomes() returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock(); most integer; gone integer;
begin
  delete from ecluse.outcome where ctid in (select ctid from ecluse.outcome where recorded_at < t - interval '30 days' limit 20000);
  get diagnostics most = row_count;
  delete from ecluse.outcome_key where ctid in (select ctid from ecluse.outcome_key where kept_at < t - interval '10 minutes' limit 20000);
  get diagnostics gone = row_count;
  return greatest(most, gone);
end $$;

-- ── the sandbox ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- People who are in no register, for processors to try their software on. The name of their system holds a full stop, so no register can have it.
create table ecluse.sandbox_person (
  subject_ref text  not null constraint sandbox_person_pk primary key constraint sandbox_person_ref_ck check (starts_with(subject_ref, 'ecluse.sandbox:')),
  attributes  jsonb not null
);
comment on table ecluse.sandbox_person is 'Invented people: attribute to value, dates as text. Read by the door for the processors of the sandbox, and for them alone.';
-- The two processors of the sandbox have places of invented people only, and nobody else has one.
alter table ecluse.enrolment add constraint enrolment_sandbox_ck check ((processor_id in ('sandbox', 'sandbox-neighbour')) = starts_with(subject_ref, 'ecluse.sandbox:'));
alter table ecluse.appointment add constraint appointment_sandbox_ck check ((processor_id in ('sandbox', 'sandbox-neighbour')) = starts_with(subject_ref, 'ecluse.sandbox:'));
-- migrate: rollback
