-- break-glass: one attribute of one person for the controller's duty officer, sealed before it is shown, reviewed by somebody else
-- depends: 0009_pre_evidence
-- migrate: apply
create table ecluse.emergency (
  id          text        not null constraint emergency_pk primary key,
  log_id      smallint    not null references ecluse.ledger_log (id),
  index       bigint      not null,
  attribute   text        not null,
  opened_by   text        not null,
  opened_at   timestamptz not null,
  reviewed_by text,       -- null: it waits for its review
  reviewed_at timestamptz, -- null: it waits for its review
  justified   boolean,    -- null: it waits for its review
  constraint emergency_index_uq unique (log_id, index),
  constraint emergency_two_ck check (reviewed_by <> opened_by),
  constraint emergency_reviewed_ck check (num_nonnulls(reviewed_by, reviewed_at, justified) in (0, 3))
);
comment on table ecluse.emergency is 'Which attribute was shown in an emergency, by whom, and what another person found of it. Of whom and why: in the opening of its entry, with which it goes.';
comment on column ecluse.emergency.opened_by is 'staff: who opened it; retention: with the opening of its entry';
comment on column ecluse.emergency.reviewed_by is 'staff: who reviewed it; retention: with the opening of its entry';
create index emergency_opened_ix on ecluse.emergency (opened_at);
-- What is rare and looked for by what it says: one index, for each costs every sealing a microsecond or two, though it holds nothing of it.
create index opening_rare_ix on ecluse.opening (event, sealed_at, index) where event in (
  'disclosure:person:undetermined', 'disclosure:emergency:granted', 'disclosure:refusals:counted', 'control:contract:applied', 'control:schedule:applied',
  'control:lookup:asked', 'control:lookup:approved', 'control:lookup:refused', 'usage:person:consulted');
create trigger emergency_once before update on ecluse.emergency for each row
  when (old.reviewed_at is not null or (old.id, old.log_id, old.index, old.attribute, old.opened_by, old.opened_at)
        is distinct from (new.id, new.log_id, new.index, new.attribute, new.opened_by, new.opened_at))
  execute function ecluse.refuse_change();
create trigger emergency_keep before truncate on ecluse.emergency for each statement execute function ecluse.refuse_change();

-- The entry of an emergency, under the head's lock, as a grant. Call it alone, in autocommit: what it answers is durable, and only then anything is shown.
-- p_limit: emergencies of a UTC day, of everybody together. p_patience: how long entries may wait for their witnesses before nothing is disclosed.
-- Outcomes: sealed | stale (the plan is older than 5 s, or another log took this one's place: plan again) | clock-untrusted
--   | held (a hold suspends or freezes this person: who may release it does so first, by name) | spent (p_limit) | uncosigned (p_patience).
create function ecluse.seal_emergency(p_log smallint, p_at timestamptz, p_limit integer, p_patience interval, p_leaf bytea, p_fields text, p_salts bytea)
returns table (outcome text, index bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare head ecluse.ledger_head; t timestamptz; f jsonb; word text; name text;
begin
  select jsonb_object_agg(e.v ->> 0, e.v -> 1) into f from jsonb_array_elements(p_fields::jsonb) e (v);
  name := f -> 'attributes' ->> 0;
  -- an entry says what is done, never anything else: one attribute, in full, of one person, for a reason
  if (f ->> 'event' = 'disclosure:emergency:granted' and f ->> 'subject' ~ '^[a-z][a-z0-9_-]{1,62}:.' and f ->> 'disclosure' ~ '^dsc_'
      and jsonb_array_length(f -> 'attributes') = 1 and f -> 'forms' = jsonb_build_object(name, 'full')
      and f -> 'values' ->> name <> '' and f -> 'fingerprints' -> 'attributes' ->> name <> ''
      and f ->> 'object' ~ '^eme_' and f ->> 'actor' <> '' and btrim(f -> 'detail' ->> 'reason') <> '') is not true then
    raise exception 'the entry is not that of an emergency' using errcode = 'invalid_parameter_value';
  end if;
  select * into head from ecluse.ledger_head l where l.log_id = p_log for update;
  t := ecluse.clock();
  word := case
    when (head.closed_at is null and t - p_at <= interval '5 seconds') is not true then 'stale'
    when (t >= head.last_at and t >= p_at) is not true then 'clock-untrusted'
    when t - ecluse.uncosigned_since(p_log) >= p_patience then 'uncosigned' -- null: nothing waits
    when exists (select from ecluse.hold h where h.scope = 'person' and h.scope_id = f ->> 'subject' and h.effect in ('suspend', 'freeze')
                 and h.released_at is null and h.from_at <= t and t < h.until_at) then 'held'
    -- of all logs together; a row outlives its day, whatever is erased
    when ((select count(*) from ecluse.emergency e where e.opened_at >= date_trunc('day', t, 'UTC')) < p_limit) is not true then 'spent'
  end;
  if word is not null then return query select word, null::bigint; return; end if;
  insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (p_log, head.size, p_leaf, t);
  insert into ecluse.opening (log_id, index, sealed_at, event, disclosure_id, subject_ref, fields, salts)
  values (p_log, head.size, t, f ->> 'event', f ->> 'disclosure', f ->> 'subject', p_fields, p_salts);
  insert into ecluse.emergency (id, log_id, index, attribute, opened_by, opened_at) values (f ->> 'object', p_log, head.size, name, f ->> 'actor', t);
  update ecluse.ledger_head l set size = head.size + 1, last_at = t where l.log_id = p_log;
  return query select 'sealed'::text, head.size;
end $$;

-- What control() does for emergency:review (id, actor, justified). Late is better than never: an end is told, not enforced.
create function ecluse.review_emergency(p_body jsonb, t timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  update ecluse.emergency e set reviewed_by = p_body ->> 'actor', reviewed_at = t, justified = (p_body ->> 'justified')::boolean
  where e.id = p_body ->> 'id' and e.reviewed_at is null;
  if not found then
    raise exception 'no such emergency waits for its review' using errcode = 'no_data_found', constraint = 'emergency_waiting';
  end if;
end $$;

-- How many wait for their review, and how many of them for more than three days. Nobody is in it.
create function ecluse.emergencies_waiting() returns table (waiting bigint, late bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(*), count(*) filter (where e.opened_at <= ecluse.clock() - interval '3 days') from ecluse.emergency e where e.reviewed_at is null
$$;
-- migrate: rollback
