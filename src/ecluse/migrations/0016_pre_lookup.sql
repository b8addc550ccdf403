-- look-ups of one person by an officer, with a purpose and a second officer; uploads between dry run and apply; what the console searches by
-- depends: 0015_pre_console
-- migrate: apply
-- ── look-ups ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- One officer asks, another one says yes or no, and within the hour of the asking the first may look, at most 20 times; each look is an entry of its own,
-- sealed before a line is read, and stands in the person's own record.
create table ecluse.lookup (
  id          text        not null constraint lookup_pk primary key,
  log_id      smallint    not null references ecluse.ledger_log (id),
  index       bigint      not null,
  subject_ref text        not null constraint lookup_person_ck check (subject_ref ~ '^[a-z][a-z0-9_-]{1,62}:.'),
  purpose     text        not null constraint lookup_purpose_ck check (length(purpose) between 10 and 300),
  asked_by    text        not null constraint lookup_asker_ck check (asked_by <> ''),
  asked_at    timestamptz not null,
  expires_at  timestamptz not null,
  decided_by  text,        -- null: it waits
  decided_at  timestamptz, -- null: it waits
  approved    boolean,     -- null: it waits
  looks       integer     not null default 0 constraint lookup_looks_ck check (looks between 0 and 20),
  constraint lookup_index_uq unique (log_id, index),
  constraint lookup_two_ck check (decided_by <> asked_by),
  constraint lookup_decided_ck check (num_nonnulls(decided_by, decided_at, approved) in (0, 3)),
  constraint lookup_end_ck check (expires_at = asked_at + interval '1 hour'),
  constraint lookup_looked_ck check (looks = 0 or approved)
);
comment on table ecluse.lookup is 'Who asked to look one person up, what for, and what another officer said. (log_id, index) is the entry control:lookup:asked.';
comment on column ecluse.lookup.subject_ref is 'person: reference; retention: with the opening of its entry';
comment on column ecluse.lookup.purpose is 'person: why somebody looked; retention: with the opening of its entry';
comment on column ecluse.lookup.asked_by is 'staff: who asked for it; retention: with the opening of its entry';
comment on column ecluse.lookup.decided_by is 'staff: who approved or refused it; retention: with the opening of its entry';
create index lookup_waiting_ix on ecluse.lookup (expires_at) where decided_at is null;
create index lookup_asked_ix on ecluse.lookup (asked_at, id);
create trigger lookup_once before update on ecluse.lookup for each row
  when ((old.id, old.log_id, old.index, old.subject_ref, old.purpose, old.asked_by, old.asked_at, old.expires_at)
        is distinct from (new.id, new.log_id, new.index, new.subject_ref, new.purpose, new.asked_by, new.asked_at, new.expires_at)
        or old.decided_at is not null and (old.decided_by, old.decided_at, old.approved) is distinct from (new.decided_by, new.decided_at, new.approved)
        or new.looks < old.looks)
  execute function ecluse.refuse_change();
create trigger lookup_keep before truncate on ecluse.lookup for each statement execute function ecluse.refuse_change();

-- Who may ask, decide and look: an officer whose account is open, and of these roles (the same in ecluse.identity.people, Act.LOOK_UP).
create function ecluse.may_look_up(p_actor text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from ecluse.officer o where o.id = p_actor and o.closed_at is null and o.roles && array['dpo', 'case-worker'])
$$;

-- What control() does for lookup:ask (id, subject, purpose, actor), lookup:approve and lookup:refuse (id, actor); p_index: of the entry.
create function ecluse.decide_lookup(p_act text, p_log smallint, p_index bigint, p_body jsonb, t timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not ecluse.may_look_up(p_body ->> 'actor') then
    raise exception 'not by an officer who may' using errcode = 'no_data_found', constraint = 'lookup_officer';
  end if;
  if p_act = 'lookup:ask' then
    insert into ecluse.lookup (id, log_id, index, subject_ref, purpose, asked_by, asked_at, expires_at)
    values (p_body ->> 'id', p_log, p_index, p_body ->> 'subject', p_body ->> 'purpose', p_body ->> 'actor', t, t + interval '1 hour');
    return;
  end if;
  update ecluse.lookup l set decided_by = p_body ->> 'actor', decided_at = t, approved = p_act = 'lookup:approve'
  where l.id = p_body ->> 'id' and l.decided_at is null and t < l.expires_at;
  if not found then
    raise exception 'no such look-up waits' using errcode = 'no_data_found', constraint = 'lookup_waiting';
  end if;
end $$;

-- The entry of one look, under the head's lock, as a grant. Call it alone, in autocommit: what it answers is durable, and only then anything is read.
-- p_patience: how long entries may wait for their witnesses before nothing is shown. Outcomes: sealed | stale (the plan is older than 5 s, or another log
-- took this one's place) | clock-untrusted | unknown (no such look-up of this officer and person) | waiting | refused | expired | spent | uncosigned.
create function ecluse.seal_lookup(p_log smallint, p_at timestamptz, p_patience interval, p_leaf bytea, p_fields text, p_salts bytea)
returns table (outcome text, index bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare head ecluse.ledger_head; asked ecluse.lookup; t timestamptz; f jsonb; word text;
begin
  select jsonb_object_agg(e.v ->> 0, e.v -> 1) into f from jsonb_array_elements(p_fields::jsonb) e (v);
  -- an entry says what is done, never anything else
  if (f ->> 'event' = 'usage:person:consulted' and f ->> 'subject' <> '' and f ->> 'actor' <> '' and f ->> 'object' ~ '^lkp_') is not true then
    raise exception 'the entry is not that of a look' using errcode = 'invalid_parameter_value';
  end if;
  select * into head from ecluse.ledger_head l where l.log_id = p_log for update;
  t := ecluse.clock();
  select * into asked from ecluse.lookup x where x.id = f ->> 'object' for update;
  word := case
    when (head.closed_at is null and t - p_at <= interval '5 seconds') is not true then 'stale'
    when (t >= head.last_at and t >= p_at) is not true then 'clock-untrusted'
    when (asked.subject_ref = f ->> 'subject' and asked.asked_by = f ->> 'actor' and ecluse.may_look_up(asked.asked_by)) is not true then 'unknown'
    when asked.approved is null and t < asked.expires_at then 'waiting'
    when asked.approved is false then 'refused'
    when t >= asked.expires_at then 'expired'
    when (f -> 'detail' = jsonb_build_object('approved_by', asked.decided_by, 'purpose', asked.purpose)) is not true then 'unknown'
    when asked.looks >= 20 then 'spent'
    when t - ecluse.uncosigned_since(p_log) >= p_patience then 'uncosigned' -- null: nothing waits
  end;
  if word is not null then return query select word, null::bigint; return; end if;
  insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (p_log, head.size, p_leaf, t);
  insert into ecluse.opening (log_id, index, sealed_at, event, subject_ref, fields, salts)
  values (p_log, head.size, t, f ->> 'event', f ->> 'subject', p_fields, p_salts);
  update ecluse.lookup x set looks = x.looks + 1 where x.id = asked.id;
  update ecluse.ledger_head l set size = head.size + 1, last_at = t where l.log_id = p_log;
  return query select 'sealed'::text, head.size;
end $$;

-- ── an uploaded schedule, between its dry run and its effect ─────────────────────────────────────────────────────────────────
create table ecluse.schedule_draft (
  officer     text        not null constraint schedule_draft_pk primary key,
  sha256      text        not null constraint schedule_draft_sha256_ck check (sha256 ~ '^[0-9a-f]{64}$'),
  kind        text        not null,
  mode        text        not null,
  source      text        not null, -- empty: as its rows say
  name        text        not null,
  content     bytea       not null,
  uploaded_at timestamptz not null default ecluse.clock(),
  expires_at  timestamptz not null default ecluse.clock() + interval '30 minutes'
);
comment on table ecluse.schedule_draft is 'The file that an officer looked at last; applied by its hash or gone in half an hour. It has no effect.';
comment on column ecluse.schedule_draft.officer is 'staff: who uploaded it; retention: until it is applied, at most half an hour';
comment on column ecluse.schedule_draft.content is 'person: the file as it was uploaded; retention: until it is applied, at most half an hour';
create index schedule_draft_expires_ix on ecluse.schedule_draft (expires_at);
create index schedule_import_started_ix on ecluse.schedule_import (started_at, id);
create index session_starts_ix on ecluse.session (starts_at, id) where handed_over_at is null;

-- ── what the console searches by ─────────────────────────────────────────────────────────────────────────────────────────────
-- Decisions of one processor in a span of time, newest first. Rows without a disclosure are not in it.
create index opening_processor_ix on ecluse.opening (processor_id, sealed_at, index) where disclosure_id is not null and processor_id is not null;
-- Places of one person: by hash, for nobody asks for persons in an order.
create index appointment_subject_ix on ecluse.appointment using hash (subject_ref);
-- What one processor saw of whom in a month: the primary key has the person before the day.
create index flow_person_processor_ix on ecluse.flow_person (processor_id, day);
create index hold_person_ix on ecluse.hold (scope_id) where scope = 'person';
-- migrate: rollback
