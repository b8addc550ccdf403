-- who saw my data: look-ups of a person's record, lines held back, nightly counts, entries for auditors
-- depends: 0004_pre_outcomes
-- migrate: apply
-- ── a person's record ────────────────────────────────────────────────────────────────────────────────────────────────────────
-- Openings of one person. By hash: a seal pays half of what a tree costs it, and nobody asks for persons in an order. Partial: control entries and handles
-- of nobody are not in it.
create index opening_subject_ix on ecluse.opening using hash (subject_ref) where subject_ref is not null;

create table ecluse.usage_deferral (
  id           text        not null constraint usage_deferral_pk primary key,
  subject_ref  text        not null constraint usage_deferral_person_ck check (subject_ref ~ '^[a-z][a-z0-9_-]{1,62}:.'),
  processor_id text        references ecluse.processor (id), -- null: of every processor, for the purpose named
  purpose      text,       -- null: for every purpose, of the processor named
  reason       text        not null constraint usage_deferral_reason_ck check (reason <> ''),
  legal_basis  text        not null constraint usage_deferral_basis_ck check (legal_basis <> ''),
  placed_by    text        not null,
  from_at      timestamptz not null,
  until_at     timestamptz not null,
  released_at  timestamptz, -- null: not released
  constraint usage_deferral_scope_ck check (num_nonnulls(processor_id, purpose) > 0),
  constraint usage_deferral_end_ck check (until_at > from_at and until_at <= from_at + interval '184 days')
);
comment on table ecluse.usage_deferral is 'Rules that hold lines of one person''s record back until an end: never everybody''s, never everything of a person, 184 days at most. Each is a sealed control entry.';
comment on column ecluse.usage_deferral.subject_ref is 'person: reference; retention: while lines are held back, then 12 months';
comment on column ecluse.usage_deferral.placed_by is 'staff: who placed it; retention: while lines are held back, then 12 months';
create index usage_deferral_person_ix on ecluse.usage_deferral (subject_ref);

create table ecluse.usage_look (
  digest    bytea       not null constraint usage_look_pk primary key,
  client_id text        not null references ecluse.client (id),
  log_id    smallint    not null,
  index     bigint      not null,
  sealed_at timestamptz not null,
  visit     bytea       -- null: the portal looked; else the person, in this visit (0018_pre_my_data.sql)
);
comment on table ecluse.usage_look is 'Which proof of key each sealed look-up was made with: it bounds how often a portal or a visit looks, and who reads the lines. A quarter of an hour.';
create index usage_look_client_ix on ecluse.usage_look (client_id, sealed_at) where visit is null;
create index usage_look_visit_ix on ecluse.usage_look (visit, sealed_at) where visit is not null;

-- Lines of a person's record in [p_from, p_to), newest first: grants, and earlier look-ups. Refusals disclosed nothing and are none. A line is left out while
-- a rule holds it back; afterwards it comes with the rule's end and reasons. Called by the functions below only.
create function ecluse.usage_lines(p_subject text, p_from timestamptz, p_to timestamptz, p_log smallint, p_index bigint, p_now timestamptz, p_most integer)
returns table (log_id smallint, index bigint, sealed_at timestamptz, event text, fields text, salts bytea, held_until timestamptz, held_reason text, held_basis text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off
as $$
begin
  return query
  select o.log_id, o.index, o.sealed_at, o.event, o.fields, o.salts, h.ended_at, h.reason, h.legal_basis
  from ecluse.opening o
  left join lateral (
    select e.ended_at, d.reason, d.legal_basis
    from ecluse.usage_deferral d
    cross join lateral (select least(d.until_at, d.released_at) as ended_at) e -- a null is no end
    where d.subject_ref = p_subject and o.sealed_at < e.ended_at and (d.processor_id is null or d.processor_id = o.processor_id)
      and (d.purpose is null or d.purpose = (select f.v ->> 1 from jsonb_array_elements(o.fields::jsonb) f (v) where f.v ->> 0 = 'purpose'))
    order by e.ended_at desc, d.id limit 1) h on true
  where o.subject_ref = p_subject and o.event in ('disclosure:person:granted', 'disclosure:sheet:granted', 'disclosure:emergency:granted', 'usage:person:shown', 'usage:person:consulted')
    and o.sealed_at >= coalesce(p_from, '-infinity') and o.sealed_at < p_to
    and (p_log is null or (o.log_id, o.index) < (p_log, p_index))
    and (h.ended_at is null or h.ended_at <= p_now)
  order by o.sealed_at desc, o.log_id desc, o.index desc
  limit p_most;
end $$;

-- A look-up has three steps, so that not even the holder of the role's password reads a line that the ledger was not told of before:
--   usage_plan   how many lines a page has, and the control_seq that makes it so
--   usage_seal   the entry that says who looks at whose record, from when to when, and how many lines: under the head's lock, as a grant
--   usage_shown  the lines, for the entry that another transaction has committed
-- Each wants a proof of key that the gate spent before (ecluse.spend, which this role may not call): a digest that nobody guesses.
create function ecluse.usage_plan(
  p_log smallint, p_slot integer, p_digest bytea, p_subject text, p_from timestamptz, p_to timestamptz, p_before_log smallint, p_before_index bigint, p_most integer)
returns table (control_seq bigint, at timestamptz, lines integer, total integer)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare t timestamptz := ecluse.clock(); past timestamptz := least(p_to, t);
begin
  perform 1 from ecluse.proof_spent x where x.slot = p_slot and x.digest = p_digest;
  if not found then raise exception 'no such proof was spent' using errcode = 'insufficient_privilege'; end if;
  return query
  select h.control_seq, t,
         (select count(*)::integer from ecluse.usage_lines(p_subject, p_from, past, p_before_log, p_before_index, t, p_most)),
         (select count(*)::integer from ecluse.usage_lines(p_subject, p_from, past, null, null, t, 10000))
  from ecluse.ledger_head h where h.log_id = p_log;
end $$;

-- p_visit: the person looks, in a visit that their portal's link opened; it is of that person and that portal, or nothing is sealed.
-- Outcomes: sealed | stale (control_seq moved, a line came or went, the plan is older than 5 s: plan again) | clock-untrusted | limited | replay | over (the
-- visit is).
create function ecluse.usage_seal(
  p_log smallint, p_seq bigint, p_at timestamptz, p_slot integer, p_digest bytea, p_limit integer, p_leaf bytea, p_fields text, p_salts bytea,
  p_visit bytea default null)
returns text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare head ecluse.ledger_head; t timestamptz; f jsonb; d jsonb;
begin
  select jsonb_object_agg(e.v ->> 0, e.v -> 1) into f from jsonb_array_elements(p_fields::jsonb) e (v);
  d := f -> 'detail';
  -- an entry says what is done, never anything else; a portal turns pages, a person may take a file away
  if (f ->> 'event' = 'usage:person:shown' and f ->> 'subject' <> '' and f ->> 'client' <> ''
      and (d ->> 'most')::integer between 1 and case when p_visit is null then 100 else 3000 end) is not true then
    raise exception 'the entry is not that of a look-up' using errcode = 'invalid_parameter_value';
  end if;
  select * into head from ecluse.ledger_head l where l.log_id = p_log for update;
  t := ecluse.clock();
  if (head.control_seq = p_seq and head.closed_at is null and t - p_at <= interval '5 seconds') is not true then return 'stale'; end if;
  if (t >= head.last_at and t >= p_at and (d ->> 'to')::timestamptz <= t) is not true then return 'clock-untrusted'; end if;
  perform 1 from ecluse.proof_spent x where x.slot = p_slot and x.digest = p_digest;
  if not found then raise exception 'no such proof was spent' using errcode = 'insufficient_privilege'; end if;
  if coalesce(f -> 'detail' ->> 'way' = 'page', false) <> (p_visit is not null) then
    raise exception 'the entry does not say who looks' using errcode = 'invalid_parameter_value';
  end if;
  if p_visit is null then
    if ecluse.usage_asked(f ->> 'client', t) >= p_limit then return 'limited'; end if;
  else
    perform 1 from ecluse.usage_visit v
    where v.digest = p_visit and v.until_at is not null and t < v.ends_at and v.subject_ref = f ->> 'subject' and v.client_id = f ->> 'client';
    if not found then return 'over'; end if;
    if (select count(*) from ecluse.usage_look u where u.visit = p_visit and u.sealed_at >= date_trunc('minute', t, 'UTC')) >= p_limit then
      return 'limited';
    end if;
  end if;
  -- whoever sealed before has committed: no line older than the plan comes any more
  if (f ->> 'count')::bigint is distinct from (
      select count(*) from ecluse.usage_lines(f ->> 'subject', (d ->> 'from')::timestamptz, (d ->> 'to')::timestamptz,
                                              (d -> 'before' ->> 0)::smallint, (d -> 'before' ->> 1)::bigint, t, (d ->> 'most')::integer)) then
    return 'stale';
  end if;
  insert into ecluse.usage_look (digest, client_id, log_id, index, sealed_at, visit) values (p_digest, f ->> 'client', p_log, head.size, t, p_visit)
  on conflict do nothing;
  if not found then return 'replay'; end if;
  insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (p_log, head.size, p_leaf, t);
  insert into ecluse.opening (log_id, index, sealed_at, event, subject_ref, fields, salts)
  values (p_log, head.size, t, f ->> 'event', f ->> 'subject', p_fields, p_salts);
  update ecluse.ledger_head l set size = head.size + 1, last_at = t where l.log_id = p_log;
  return 'sealed';
end $$;

create function ecluse.usage_shown(p_digest bytea)
returns table (log_id smallint, index bigint, sealed_at timestamptz, event text, fields text, salts bytea, held_until timestamptz, held_reason text, held_basis text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare t timestamptz := ecluse.clock(); f jsonb; d jsonb;
begin
  -- in a transaction that has written, the entry could still be taken back
  if pg_current_xact_id_if_assigned() is not null then
    raise exception 'the look-up has to be committed first' using errcode = 'invalid_transaction_state';
  end if;
  select jsonb_object_agg(e.v ->> 0, e.v -> 1) into f
  from ecluse.usage_look u
  join ecluse.opening o on o.log_id = u.log_id and o.index = u.index and o.sealed_at = u.sealed_at
  cross join lateral jsonb_array_elements(o.fields::jsonb) e (v)
  where u.digest = p_digest
    and case when u.visit is null then u.sealed_at > t - interval '1 minute'
        else u.sealed_at > t - interval '5 minutes' and exists (select from ecluse.usage_visit v where v.digest = u.visit and t < v.ends_at) end;
  d := f -> 'detail';
  return query
  select * from ecluse.usage_lines(f ->> 'subject', (d ->> 'from')::timestamptz, (d ->> 'to')::timestamptz,
                                   (d -> 'before' ->> 0)::smallint, (d -> 'before' ->> 1)::bigint, t, (d ->> 'most')::integer);
end $$;

-- What has served its time goes, at most 20,000 rows of a kind a call; returns how many went of the largest kind.
create function ecluse.purge_usage() returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock(); most integer; gone integer;
begin
  delete from ecluse.usage_visit v where v.digest in (select x.digest from ecluse.usage_visit x where x.ends_at <= t or x.seen_at <= t - interval '15 minutes' limit 20000);
  delete from ecluse.usage_look where ctid in (select ctid from ecluse.usage_look where sealed_at < t - interval '15 minutes' limit 20000);
  get diagnostics most = row_count;
  delete from ecluse.usage_deferral where ctid in (select ctid from ecluse.usage_deferral where least(until_at, released_at) < t - interval '12 months' limit 20000);
  get diagnostics gone = row_count;
  return greatest(most, gone);
end $$;

-- ── counts of a day ──────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.counts_day (
  log_id smallint not null references ecluse.ledger_log (id),
  day    date     not null,
  index  bigint   not null,
  counts jsonb    not null,
  constraint counts_day_pk primary key (log_id, day)
);
comment on table ecluse.counts_day is 'What control:counts:published said of each UTC day, and where: decisions by processor and purpose, cells under ten merged. Nobody is in it.';

-- The first entry sealed at or after an instant, by halving: some 25 probes for any log.
create function ecluse.first_sealed(p_log smallint, p_at timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare low bigint := 0; high bigint; middle bigint;
begin
  select h.size into high from ecluse.ledger_head h where h.log_id = p_log;
  while low < high loop
    middle := (low + high) / 2;
    if (select e.sealed_at < p_at from ecluse.ledger_entry e where e.log_id = p_log and e.index = middle) then low := middle + 1; else high := middle; end if;
  end loop;
  return low;
end $$;

-- Decisions of the oldest of the last seven UTC days that is over and of which nothing was published; one row without processor where there was none. The
-- sandbox is nobody's. A refused roll-call is one decision; refusals that were only counted are in entries of their own.
create function ecluse.counts_due(p_log smallint) returns table (day date, at timestamptz, processor_id text, purpose text, decisions bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare t timestamptz := ecluse.clock(); today date := (t at time zone 'UTC')::date; due date; lo bigint; hi bigint;
begin
  select min(g.d)::date into due
  from ecluse.ledger_entry e
  cross join lateral generate_series(greatest((e.sealed_at at time zone 'UTC')::date, today - 7)::timestamp, (today - 1)::timestamp, interval '1 day') g (d)
  where e.log_id = p_log and e.index = 0 and not exists (select from ecluse.counts_day c where c.log_id = p_log and c.day = g.d::date);
  if due is null then return; end if;
  lo := ecluse.first_sealed(p_log, due::timestamp at time zone 'UTC');
  hi := ecluse.first_sealed(p_log, (due + 1)::timestamp at time zone 'UTC');
  return query
  select due, t, c.processor_id, c.purpose, coalesce(c.decisions, 0)
  from (select 1) one
  left join (
    select o.processor_id, p.purpose, count(*) as decisions
    from ecluse.opening o
    cross join lateral (select (select f.v ->> 1 from jsonb_array_elements(o.fields::jsonb) f (v) where f.v ->> 0 = 'purpose') as purpose) p
    where o.log_id = p_log and o.index >= lo and o.index < hi
      and o.sealed_at >= due::timestamp at time zone 'UTC' and o.sealed_at < (due + 1)::timestamp at time zone 'UTC'
      and o.event like 'disclosure:%' and o.event <> 'disclosure:refusals:counted' and o.processor_id not in ('sandbox', 'sandbox-neighbour')
    group by o.processor_id, p.purpose) c on true;
end $$;

-- The entry that says them. 1: sealed; 0: another process sealed it, the day is not over, the plan is older than 5 s, or the clock went back.
create function ecluse.note_counts(p_log smallint, p_at timestamptz, p_leaf bytea, p_fields text, p_salts bytea)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare head ecluse.ledger_head; t timestamptz; f jsonb; due date;
begin
  select jsonb_object_agg(e.v ->> 0, e.v -> 1) into f from jsonb_array_elements(p_fields::jsonb) e (v);
  due := (f -> 'detail' ->> 'day')::date;
  if (f ->> 'event' = 'control:counts:published') is not true then
    raise exception 'the entry is not that of a day''s counts' using errcode = 'invalid_parameter_value';
  end if;
  select * into head from ecluse.ledger_head l where l.log_id = p_log for update;
  t := ecluse.clock();
  if (t >= head.last_at and head.closed_at is null and t >= p_at and t - p_at <= interval '5 seconds' and due < (t at time zone 'UTC')::date) is not true then
    return 0;
  end if;
  insert into ecluse.counts_day (log_id, day, index, counts) values (p_log, due, head.size, f -> 'detail') on conflict do nothing;
  if not found then return 0; end if;
  insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (p_log, head.size, p_leaf, t);
  insert into ecluse.opening (log_id, index, sealed_at, event, fields, salts) values (p_log, head.size, t, f ->> 'event', p_fields, p_salts);
  update ecluse.ledger_head l set size = head.size + 1, last_at = t where l.log_id = p_log;
  return 1;
end $$;

-- ── entries for auditors ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- The leaves under one tile, as far as a checkpoint covers them: hours and commitments, nothing that opens them.
create function ecluse.bundle_of(p_log smallint, p_first bigint, p_count integer) returns table (leaf bytea)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
begin
  return query
  select e.leaf from ecluse.ledger_entry e
  where e.log_id = p_log and e.index >= p_first and e.index < p_first + least(p_count, 256)
    and e.index < (select max(c.size) from ecluse.ledger_checkpoint c where c.log_id = p_log)
  order by e.index;
end $$;
-- migrate: rollback
