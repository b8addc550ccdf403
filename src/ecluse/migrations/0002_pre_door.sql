-- the one door: gather, seal, control, spend
-- depends: 0001_pre_core
-- migrate: apply
-- What the gate knows before it plans: one row a request, all of one snapshot, with the control_seq that makes it valid.
-- The settings keep every look-up an index probe, also on tables that were empty when the plan was made (a cached hashed
-- sub-plan or a sequential scan there halves the speed within seconds).
create type ecluse.gather_ask as (processor text, handle text, agent text, client text, endpoint text, key text);
create function ecluse.gather(p_log smallint, p_asks ecluse.gather_ask[])
returns table (n bigint, control_seq bigint, at timestamptz, purpose text, session_id text, starts_at timestamptz, ends_at timestamptz, subject_ref text, cancelled boolean,
               enrolment_id text, roster boolean, holds jsonb, idem_hash bytea, idem_index bigint, idem_entries integer, idem_sealed_at timestamptz, uncosigned_since timestamptz)
language plpgsql stable security definer -- the list of keys is not the gate's to read
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare uncosigned timestamptz := ecluse.uncosigned_since(p_log);
begin
  return query
  select u.n, h.control_seq, ecluse.clock(), a.purpose, a.session_id, a.starts_at, a.ends_at, a.subject_ref, a.cancelled_at is not null, a.enrolment_id,
         r.listed, p.holds, i.request_hash, i.index, i.entries, i.sealed_at, uncosigned
  from ecluse.ledger_head h
  cross join unnest(p_asks) with ordinality as u (processor, handle, agent, client, endpoint, key, n)
  left join lateral (
    select s.purpose, s.id as session_id, s.starts_at, s.ends_at, x.subject_ref, x.cancelled_at, x.enrolment_id
    from ecluse.appointment x
    join ecluse.schedule_import f on f.id = x.import_id and f.applied_at is not null
    join ecluse.session s on s.id = x.session_id
    where x.processor_id = u.processor and x.id = u.handle limit 1) a on true
  -- null: the session has no roster
  left join lateral (select bool_or(g.agent_id = u.agent) as listed from ecluse.session_agent g where g.session_id = a.session_id) r on true
  left join lateral (
    select jsonb_agg(jsonb_build_array(o.id, o.effect, extract(epoch from o.from_at), case when o.until_at = 'infinity' then null else extract(epoch from o.until_at) end)) as holds
    from ecluse.hold o where o.scope = 'person' and o.scope_id = a.subject_ref and o.released_at is null) p on true
  left join lateral (
    select k.request_hash, k.index, k.entries, k.sealed_at from ecluse.idempotency k
    where k.client_id = u.client and k.endpoint = u.endpoint and k.key = u.key and k.sealed_at > ecluse.clock() - interval '10 minutes' limit 1) i on true
  where h.log_id = p_log;
end $$;

-- The only writer of head, entries, openings, budgets, keys and proofs. Call it alone, in autocommit, at READ COMMITTED: one call is one commit.
-- p_rows, p_leaf, p_fields and p_salts are parallel, one place a request; p_spends holds the budgets that grants spend (n: place of the request,
-- 1-based). Rows travel as composites: the driver looks twice at each element of an array, and 25 arrays cost it as much as the commit.
-- kind: grant | refuse | redeliver | count (a refusal over its client's rate: it spends its proof, and is only counted). A batch never holds one
-- proof, or one (client, endpoint, key), twice: the caller defers the second. Of one budget it says one limit.
-- Whole-batch outcomes (every row): stale (control_seq moved, the plan is older than 5 s, or another log took this one's place), clock-untrusted.
-- Row outcomes, the first that applies: replay | again (a redelivery's key is gone or stands for other entries) | redelivery-spent | key-used
--   | outside | again (the appointment is gone) | budget with scope 'reads' | again (grants of the same appointment before it in the batch may take
--   the last read, fallen or not) | budget with its scope (of several full ones the least) | again (a person before it in the batch took the last
--   place, and may yet fall away: plan it in the next) | group (p_atomic and another row failed; in an atomic batch nothing comes free, so there
--   is no such again) | sealed (index set) | redelivered | counted. A redelivery without a key (a roll-call's later places) is judged by its
--   interval and proof alone. Anything but sealed, redelivered and counted has written nothing, the proof included. A null never opens anything.
-- refusals: of the row's client in this minute, this one included; 0 where it is no refusal, or one that does not stand.
create type ecluse.seal_row as (
  kind text, valid_from timestamptz, valid_until timestamptz, slot integer, proof bytea,
  client text, endpoint text, key text, hash bytea, entries integer, idx bigint,
  processor text, handle text, max_reads integer, subject text, agent text, disclosure text, event text);
create type ecluse.seal_spend as (n integer, unit text, scope text, lim integer, subject text);
create function ecluse.seal(
  p_log smallint, p_seq bigint, p_at timestamptz, p_atomic boolean,
  p_rows ecluse.seal_row[], p_leaf bytea[], p_fields text[], p_salts bytea[], p_spends ecluse.seal_spend[])
returns table (n bigint, outcome text, index bigint, scope text, refusals integer)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  head ecluse.ledger_head; t timestamptz; th timestamptz; td timestamptz; tm timestamptz;
  why text[];          -- of each request: why it does not stand; null: it stands
  why_scope text[];    -- the budget that refused it
  at_index bigint[];   -- of each request: its entry's index; null: it has none
  -- the persons that are new to a budget, and the budgets that have no room for them: parallel arrays
  g_unit text[]; g_bucket timestamptz[]; g_scope text[]; g_subject text[]; g_first integer[]; g_limit integer[];
  k_unit text[]; k_scope text[]; k_base integer[]; k_limit integer[];
  entries bigint; standing bigint; fell bigint; grants boolean; redelivers boolean; refuses boolean; m integer;
begin
  -- 1 the head's lock, before anything else is read
  select * into head from ecluse.ledger_head l where l.log_id = p_log for update;
  -- 2 the clock, in a statement that begins after the lock is held: one inside the locking statement is older by the whole wait
  t := ecluse.clock();
  -- 3 is the plan still the truth?
  if (head.control_seq = p_seq and head.closed_at is null and t - p_at <= interval '5 seconds') is not true then
    return query select g.i::bigint, 'stale'::text, null::bigint, null::text, 0 from generate_subscripts(p_rows, 1) as g (i); return;
  end if;
  if (t >= head.last_at and t >= p_at) is not true then
    return query select g.i::bigint, 'clock-untrusted'::text, null::bigint, null::text, 0 from generate_subscripts(p_rows, 1) as g (i); return;
  end if;
  m := floor(extract(epoch from t) / 60); th := date_trunc('hour', t, 'UTC'); td := date_trunc('day', t, 'UTC'); tm := date_trunc('month', t, 'UTC');

  -- 4 judge each request by itself. Arrays carry what one step tells the next: a join of two steps' rows would cost their product
  select array_agg(j.failed order by j.n), array_agg(case j.failed when 'budget' then 'reads' end order by j.n) into why, why_scope
  from (
    select u.ordinality as n, case
        when pr.one is not null then 'replay'
        when u.kind = 'redeliver' and u.key is not null and (u.idx >= im.index and u.idx < im.index + im.entries) is not true then 'again'
        when u.kind = 'redeliver' and im.redeliveries >= 5 then 'redelivery-spent'
        when u.kind = 'grant' and im.sealed_at is not null then 'key-used'
        when u.kind in ('refuse', 'count') then null
        when (u.kind in ('grant', 'redeliver') and t >= u.valid_from and t < u.valid_until) is not true then 'outside'
        when u.kind = 'redeliver' then null
        when ap.reads is null then 'again'
        when (ap.reads < u.max_reads) is not true then 'budget'
        when ap.reads + row_number() over (partition by u.kind, u.processor, u.handle order by u.ordinality) > u.max_reads
          then case when p_atomic then 'budget' else 'again' end
      end as failed
    from unnest(p_rows) with ordinality as u
    left join lateral (select 1 as one from ecluse.proof_spent x where x.slot = u.slot and x.digest = u.proof limit 1) pr on true
    left join lateral (
      select k.index, k.entries, k.redeliveries, k.sealed_at from ecluse.idempotency k
      where k.client_id = u.client and k.endpoint = u.endpoint and k.key = u.key and k.sealed_at > t - interval '10 minutes' limit 1) im on true
    left join lateral (select x.reads from ecluse.appointment x where u.kind = 'grant' and x.processor_id = u.processor and x.id = u.handle limit 1) ap on true
  ) j;

  -- 5 judge them by the budgets, until all that stand fit: a request that falls away takes its persons with it
  loop
    -- the persons that are new to a budget, each with the first request that brings them
    select array_agg(g.unit), array_agg(g.bucket), array_agg(g.scope), array_agg(g.subject), array_agg(g.first), array_agg(g.lim)
    into g_unit, g_bucket, g_scope, g_subject, g_first, g_limit
    from (
      select s.unit, b.bucket, s.scope, s.subject, min(s.n) as first, min(coalesce(s.lim, 0)) as lim
      from unnest(p_spends) as s
      cross join lateral (select case s.unit when 'h' then th when 'd' then td else tm end as bucket) b
      left join lateral (
        select 1 as one from ecluse.budget_person x
        where x.unit = s.unit and x.bucket = b.bucket and x.scope = s.scope and x.subject_ref = s.subject limit 1) seen on true
      where why[s.n] is null and seen.one is null
      group by s.unit, b.bucket, s.scope, s.subject) g;
    -- the budgets that they overrun
    select array_agg(k.unit), array_agg(k.scope), array_agg(coalesce(c.persons, 0)), array_agg(k.lim) into k_unit, k_scope, k_base, k_limit
    from (
      select g.unit, g.bucket, g.scope, count(*) as persons, min(g.lim) as lim
      from unnest(g_unit, g_bucket, g_scope, g_limit) as g (unit, bucket, scope, lim) group by g.unit, g.bucket, g.scope) k
    left join lateral (select x.persons from ecluse.budget_count x where x.unit = k.unit and x.bucket = k.bucket and x.scope = k.scope limit 1) c on true
    where (coalesce(c.persons, 0) + k.persons <= k.lim) is not true;
    exit when k_unit is null;
    -- who brings a person past the limit; final where the budget was full before this batch, or where the batch stands or falls as one,
    -- else another request may yet fall away
    select array_agg(case when o.n is null then w.why when o.spent then 'budget' else 'again' end order by w.n), array_agg(coalesce(o.scope, w.scope) order by w.n),
           count(o.n)
    into why, why_scope, fell
    from unnest(why, why_scope) with ordinality as w (why, scope, n)
    left join (
      select s.n, bool_or(f.full or p_atomic) as spent, min(s.unit || ':' || s.scope) filter (where f.full or p_atomic) as scope
      from unnest(p_spends) as s
      join (
        select g.unit, g.scope, g.subject, (k.base < k.lim) is not true as full,
               (k.base + row_number() over (partition by g.unit, g.scope order by g.first) <= k.lim) is not true as past
        from unnest(g_unit, g_scope, g_subject, g_first) as g (unit, scope, subject, first)
        join unnest(k_unit, k_scope, k_base, k_limit) as k (unit, scope, base, lim) on k.unit = g.unit and k.scope = g.scope
      ) f on f.past and f.unit = s.unit and f.scope = s.scope and f.subject = s.subject
      where why[s.n] is null group by s.n) o on o.n = w.n;
    -- each round somebody falls, or it would never end: a null unit, scope or person, a place beyond the batch
    if fell = 0 then
      raise exception 'a budget is overrun by no request' using errcode = 'invalid_parameter_value';
    end if;
  end loop;

  -- 6 number what stands; all or nothing where the caller wants it
  select array_agg(case when w.entry then head.size - 1 + w.rank end order by w.n), count(*) filter (where w.entry),
         count(*) filter (where w.stands), coalesce(bool_or(w.entry and w.kind = 'grant'), false), coalesce(bool_or(w.stands and w.kind = 'redeliver'), false),
         coalesce(bool_or(w.stands and w.kind in ('refuse', 'count')), false)
  into at_index, entries, standing, grants, redelivers, refuses
  from (
    select u.n, u.kind, u.stands, u.entry, count(*) filter (where u.entry) over (order by u.n) as rank
    from (select r.ordinality as n, r.kind, r.why is null as stands, r.why is null and r.kind in ('grant', 'refuse') as entry
          from unnest(why, p_rows) with ordinality as r (why)) u) w;
  if standing = 0 or (p_atomic and standing < cardinality(why)) then
    return query select w.n, coalesce(w.why, 'group'), null::bigint, w.scope, 0 from unnest(why, why_scope) with ordinality as w (why, scope, n);
    return;
  end if;

  -- 7 write it
  -- a client may give one jti to two addresses at once; spend() writes here without the head's lock, and no neighbour may pay for that
  insert into ecluse.proof_spent (slot, digest)
  select u.slot, u.proof from unnest(why, p_rows) as u (why) where u.why is null and u.proof is not null on conflict do nothing;
  insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at)
  select p_log, u.index, u.leaf, t from unnest(at_index, p_leaf) as u (index, leaf) where u.index is not null;
  insert into ecluse.opening (log_id, index, sealed_at, event, disclosure_id, processor_id, agent_id, subject_ref, fields, salts)
  select p_log, u.index, t, u.event, u.disclosure, u.processor, u.agent, u.subject, u.fields, u.salts
  from unnest(at_index, p_fields, p_salts, p_rows) as u (index, fields, salts) where u.index is not null;
  if grants then
    insert into ecluse.idempotency as i (client_id, endpoint, key, request_hash, log_id, index, entries, sealed_at)
    select u.client, u.endpoint, u.key, u.hash, p_log, u.index, u.entries, t
    from unnest(at_index, p_rows) as u (index) where u.index is not null and u.kind = 'grant' and u.key is not null
    on conflict on constraint idempotency_pk do update
      set request_hash = excluded.request_hash, log_id = excluded.log_id, index = excluded.index, entries = excluded.entries, sealed_at = excluded.sealed_at, redeliveries = 0
      where i.sealed_at <= t - interval '10 minutes';
    update ecluse.appointment a set reads = a.reads + g.reads
    from (select u.processor, u.handle, count(*)::integer as reads from unnest(at_index, p_rows) as u (index)
          where u.index is not null and u.kind = 'grant' group by u.processor, u.handle) g
    where a.processor_id = g.processor and a.id = g.handle;
  end if;
  if redelivers then
    update ecluse.idempotency k set redeliveries = k.redeliveries + 1
    from unnest(why, p_rows) as u (why)
    where u.why is null and u.kind = 'redeliver' and k.client_id = u.client and k.endpoint = u.endpoint and k.key = u.key;
  end if;
  if g_unit is not null then
    insert into ecluse.budget_person (unit, bucket, scope, subject_ref)
    select g.unit, g.bucket, g.scope, g.subject from unnest(g_unit, g_bucket, g_scope, g_subject) as g (unit, bucket, scope, subject);
    insert into ecluse.budget_count as b (unit, bucket, scope, persons)
    select g.unit, g.bucket, g.scope, count(*) from unnest(g_unit, g_bucket, g_scope) as g (unit, bucket, scope) group by g.unit, g.bucket, g.scope order by 1, 2, 3
    on conflict on constraint budget_count_pk do update set persons = b.persons + excluded.persons;
  end if;
  update ecluse.ledger_head l set size = l.size + entries, last_at = t where l.log_id = p_log;
  if refuses then  -- a roll-call is one refusal: its proof rides on its first row
    insert into ecluse.refusal_count as c (client_id, minute, sealed, counted)
    select u.client, m, count(*) filter (where u.kind = 'refuse'), count(*) filter (where u.kind = 'count') from unnest(why, p_rows) as u (why)
    where u.why is null and u.kind in ('refuse', 'count') and u.proof is not null group by u.client order by u.client
    on conflict on constraint refusal_count_pk do update set sealed = c.sealed + excluded.sealed, counted = c.counted + excluded.counted;
    return query select w.ordinality, coalesce(w.why, case when w.index is not null then 'sealed' when w.kind = 'count' then 'counted' else 'redelivered' end), w.index, w.scope,
                        case when w.why is null and w.kind in ('refuse', 'count') then coalesce(c.sealed + c.counted, 0) else 0 end
    from unnest(why, at_index, why_scope, p_rows) with ordinality as w (why, index, scope)
    left join lateral (select x.sealed, x.counted from ecluse.refusal_count x where x.client_id = w.client and x.minute = m limit 1) c on true;
    return;
  end if;
  return query select w.n, coalesce(w.why, case when w.index is null then 'redelivered' else 'sealed' end), w.index, w.scope, 0
  from unnest(why, at_index, why_scope) with ordinality as w (why, index, scope, n);
end $$;

-- A single-use proof outside a seal (token endpoint, control requests). True: it was fresh and is now spent.
create function ecluse.spend(p_slot integer, p_digest bytea) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into ecluse.proof_spent (slot, digest) values (p_slot, p_digest) on conflict do nothing;
  return found;
end $$;

-- What has served its time goes, at most 20,000 rows of a kind a call: proofs past their life, keys past ten minutes, counts of hours, days and
-- months that are over, files that nobody approved, uploads that nobody applied. Returns how many went of the largest kind: call again while it is 20,000.
create function ecluse.purge() returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock(); gone integer; most integer := 0;
begin
  delete from ecluse.proof_spent where ctid in (select ctid from ecluse.proof_spent where slot < floor(extract(epoch from t) / 60) - 15 limit 20000);
  get diagnostics most = row_count;
  delete from ecluse.idempotency where ctid in (select ctid from ecluse.idempotency where sealed_at < t - interval '20 minutes' limit 20000);
  get diagnostics gone = row_count; most := greatest(most, gone);
  delete from ecluse.budget_person where ctid in (
    select ctid from ecluse.budget_person
    where (unit = 'h' and bucket < t - interval '25 hours') or (unit = 'd' and bucket < t - interval '2 days') or (unit = 'm' and bucket < t - interval '32 days')
    limit 20000);
  get diagnostics gone = row_count; most := greatest(most, gone);
  delete from ecluse.budget_count where ctid in (
    select ctid from ecluse.budget_count
    where (unit = 'h' and bucket < t - interval '25 hours') or (unit = 'd' and bucket < t - interval '2 days') or (unit = 'm' and bucket < t - interval '32 days')
    limit 20000);
  get diagnostics gone = row_count; most := greatest(most, gone);
  delete from ecluse.refusal_count where ctid in (
    select ctid from ecluse.refusal_count where minute < floor(extract(epoch from t) / 60) - 15 and (counted = 0 or noted is not null) limit 20000);
  get diagnostics gone = row_count; most := greatest(most, gone);
  delete from ecluse.schedule_draft where expires_at <= t;
  delete from ecluse.schedule_request where expires_at <= t;
  get diagnostics gone = row_count;
  return greatest(most, gone);
end $$;

-- Refusals that were only counted, of minutes that are over, and no entry says how many.
create function ecluse.refusals_due(p_log smallint) returns table (client_id text, processor_id text, minute integer, counted integer, at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select r.client_id, c.processor_id, r.minute, r.counted, ecluse.clock()
  from ecluse.refusal_count r
  join ecluse.client c on c.id = r.client_id
  left join ecluse.processor p on p.id = c.processor_id
  where r.counted > 0 and r.noted is null and r.minute < floor(extract(epoch from ecluse.clock()) / 60) and coalesce(p.log_id, p_log) = p_log
  order by r.minute, r.client_id limit 1000
$$;
-- The entry that says how many. 1: sealed; 0: another process sealed it, it was composed more than 5 s ago, or the clock went back.
create function ecluse.note_refusals(p_log smallint, p_client text, p_minute integer, p_count integer, p_at timestamptz, p_leaf bytea, p_fields text, p_salts bytea)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare head ecluse.ledger_head; t timestamptz;
begin
  select * into head from ecluse.ledger_head l where l.log_id = p_log for update;
  t := ecluse.clock();
  if (t >= head.last_at and head.closed_at is null and t >= p_at and t - p_at <= interval '5 seconds' and p_minute < floor(extract(epoch from t) / 60)) is not true then
    return 0;
  end if;
  update ecluse.refusal_count r set noted = head.size where r.client_id = p_client and r.minute = p_minute and r.counted = p_count and r.counted > 0 and r.noted is null;
  if not found then
    return 0;
  end if;
  insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (p_log, head.size, p_leaf, t);
  insert into ecluse.opening (log_id, index, sealed_at, event, processor_id, fields, salts)
  select p_log, head.size, t, 'disclosure:refusals:counted', c.processor_id, p_fields, p_salts from ecluse.client c where c.id = p_client;
  update ecluse.ledger_head l set size = head.size + 1, last_at = t where l.log_id = p_log;
  return 1;
end $$;

-- Every change of what may be disclosed: its entry and its effect in one transaction, under the same lock as a seal.
-- p_act names the effect, p_body holds its facts (each branch lists them). Outcomes: sealed | stale | clock-untrusted; a broken rule
-- (unknown processor, identity taken) raises with the constraint's name and nothing is written.
create function ecluse.control(p_log smallint, p_seq bigint, p_at timestamptz, p_leaf bytea, p_event text, p_processor text, p_fields text, p_salts bytea, p_act text, p_body jsonb)
returns table (outcome text, index bigint, control_seq bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare head ecluse.ledger_head; t timestamptz; seq bigint;
begin
  -- an entry says what is done, never anything else
  if (p_event is distinct from case p_act
      when 'log:open' then 'control:log:opened' when 'processor:add' then 'control:processor:added' when 'agent:add' then 'control:agent:added'
      when 'client:add' then 'control:client:added' when 'key:add' then 'control:key:added' when 'key:revoke' then 'control:key:revoked'
      when 'contract:apply' then 'control:contract:applied' when 'hold:place' then 'control:hold:placed' when 'hold:release' then 'control:hold:released'
      when 'log:rekey' then 'control:log:rekeyed' when 'log:succeed' then 'control:log:succeeded'
      when 'witnesses:apply' then 'control:witnesses:applied'
      when 'usage:defer' then 'control:usage:deferred' when 'usage:release' then 'control:usage:released'
      when 'evidence:accept' then 'control:evidence:accepted' when 'evidence:withdraw' then 'control:evidence:withdrawn'
      when 'finding:open' then 'control:finding:opened' when 'finding:close' then 'control:finding:closed'
      when 'override:approve' then 'control:override:approved' when 'override:revoke' then 'control:override:revoked'
      when 'emergency:review' then 'control:emergency:reviewed'
      when 'officer:add' then 'control:officer:added' when 'officer:close' then 'control:officer:closed'
      when 'passkey:add' then 'control:passkey:added' when 'passkey:revoke' then 'control:passkey:revoked'
      when 'lookup:ask' then 'control:lookup:asked' when 'lookup:approve' then 'control:lookup:approved' when 'lookup:refuse' then 'control:lookup:refused'
      when 'schedule:apply' then 'control:schedule:applied' end) then
    raise exception 'the event is not that of the act' using errcode = 'invalid_parameter_value';
  end if;
  select * into head from ecluse.ledger_head l where l.log_id = p_log for update;
  t := ecluse.clock();
  if head.control_seq <> p_seq or head.closed_at is not null or t - p_at > interval '5 seconds' then
    return query select 'stale'::text, null::bigint, head.control_seq; return;
  end if;
  if t < head.last_at or t < p_at then
    return query select 'clock-untrusted'::text, null::bigint, head.control_seq; return;
  end if;
  seq := head.control_seq + 1;
  insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (p_log, head.size, p_leaf, t);
  insert into ecluse.opening (log_id, index, sealed_at, event, processor_id, fields, salts) values (p_log, head.size, t, p_event, p_processor, p_fields, p_salts);
  update ecluse.ledger_head l set size = head.size + 1, control_seq = seq, last_at = t where l.log_id = p_log;
  case p_act
    when 'log:open' then null;
    when 'processor:add' then   -- id, name
      insert into ecluse.processor (id, name, log_id, added_at) values (p_body ->> 'id', p_body ->> 'name', p_log, t);
    when 'agent:add' then       -- id, label
      insert into ecluse.agent (id, processor_id, label, added_at) values (p_body ->> 'id', p_processor, p_body ->> 'label', t);
    when 'client:add' then      -- id, role, label, keys: [{thumbprint, alg, jwk}]
      insert into ecluse.client (id, role, processor_id, label, added_at) values (p_body ->> 'id', p_body ->> 'role', p_processor, p_body ->> 'label', t);
      insert into ecluse.client_key (client_id, thumbprint, alg, jwk, added_at)
      select p_body ->> 'id', k ->> 'thumbprint', k ->> 'alg', k ->> 'jwk', t from jsonb_array_elements(p_body -> 'keys') k;
    when 'key:add' then         -- client, thumbprint, alg, jwk
      insert into ecluse.client_key (client_id, thumbprint, alg, jwk, added_at)
      values (p_body ->> 'client', p_body ->> 'thumbprint', p_body ->> 'alg', p_body ->> 'jwk', t);
    when 'key:revoke' then      -- client, thumbprint
      update ecluse.client_key set revoked_at = t where client_id = p_body ->> 'client' and thumbprint = p_body ->> 'thumbprint' and revoked_at is null;
      if not found then raise exception 'no such key in use' using errcode = 'no_data_found', constraint = 'client_key_in_use'; end if;
    when 'contract:apply' then  -- version, reference, text, hash, actor
      insert into ecluse.contract (processor_id, version, reference, text, hash, applied_seq, applied_at, applied_by)
      values (p_processor, (p_body ->> 'version')::integer, p_body ->> 'reference', p_body ->> 'text', p_body ->> 'hash', seq, t, p_body ->> 'actor');
    when 'hold:place' then      -- id, scope, scope_id, effect, reason, actor, from (null: now), until (null: until released)
      insert into ecluse.hold (id, scope, scope_id, effect, reason, placed_by, from_at, until_at)
      values (p_body ->> 'id', p_body ->> 'scope', p_body ->> 'scope_id', p_body ->> 'effect', p_body ->> 'reason', p_body ->> 'actor',
              coalesce((p_body ->> 'from')::timestamptz, t), coalesce((p_body ->> 'until')::timestamptz, 'infinity'));
    when 'hold:release' then    -- id
      update ecluse.hold set released_at = t where id = p_body ->> 'id' and released_at is null;
      if not found then raise exception 'no such hold in force' using errcode = 'no_data_found', constraint = 'hold_in_force'; end if;
    when 'log:rekey' then       -- step, vkey
      perform ecluse.rekey_log(p_log, p_body, head.size, t);
    when 'log:succeed' then     -- predecessor, size, signed_size
      perform ecluse.succeed_log(p_log, p_body, head.size, seq, t);
    when 'witnesses:apply' then -- as the function lists it, in 0005
      perform ecluse.apply_witnesses(p_log, p_body, seq, t);
    when 'usage:defer' then     -- id, subject, processor (null: all), purpose (null: all), reason, legal_basis, actor, until
      insert into ecluse.usage_deferral (id, subject_ref, processor_id, purpose, reason, legal_basis, placed_by, from_at, until_at)
      values (p_body ->> 'id', p_body ->> 'subject', p_body ->> 'processor', p_body ->> 'purpose', p_body ->> 'reason', p_body ->> 'legal_basis',
              p_body ->> 'actor', t, (p_body ->> 'until')::timestamptz);
    when 'usage:release' then   -- id
      update ecluse.usage_deferral set released_at = t where id = p_body ->> 'id' and released_at is null and until_at > t;
      if not found then raise exception 'no such rule in force' using errcode = 'no_data_found', constraint = 'usage_deferral_in_force'; end if;
    when 'evidence:accept', 'evidence:withdraw', 'finding:open', 'finding:close', 'override:approve', 'override:revoke' then -- as 0009 lists it
      perform ecluse.govern(p_act, p_processor, p_body, t);
    when 'emergency:review' then -- id, actor, justified
      perform ecluse.review_emergency(p_body, t);
    when 'officer:add', 'officer:close', 'passkey:add', 'passkey:revoke' then -- as 0014 lists it
      perform ecluse.manage_people(p_act, p_body, t);
    when 'lookup:ask', 'lookup:approve', 'lookup:refuse' then -- as 0015 lists it
      perform ecluse.decide_lookup(p_act, p_log, head.size, p_body, t);
    when 'schedule:apply' then  -- as the function lists it, in 0003
      perform ecluse.apply_schedule(p_body, seq, t);
    else raise exception 'unknown act' using errcode = 'invalid_parameter_value';
  end case;
  return query select 'sealed'::text, head.size, seq;
end $$;

-- Rows may only be loaded under an import that is still pending, and the import can't be applied while they are being loaded
-- (the share lock here and the update there exclude each other). So nothing takes effect that its control entry did not see.
create function ecluse.refuse_unsealed_rows() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare f text;
begin
  for f in select distinct r.import_id from loaded r loop
    perform 1 from ecluse.schedule_import i where i.id = f and i.applied_at is null for share;
    if not found then raise exception 'rows may only be loaded under a pending import' using errcode = 'integrity_constraint_violation'; end if;
  end loop;
  return null;
end $$;
-- A roster row is loaded under a pending import, or written by the door.
create function ecluse.refuse_unsealed_roster() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_user <> 'ecluse_sealer' and exists (
      select from loaded r join ecluse.session s on s.id = r.session_id join ecluse.schedule_import i on i.id = s.import_id where i.applied_at is not null) then
    raise exception 'rows may only be loaded under a pending import' using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create trigger session_agent_sealed after insert on ecluse.session_agent referencing new table as loaded for each statement execute function ecluse.refuse_unsealed_roster();
create trigger session_sealed after insert on ecluse.session referencing new table as loaded for each statement execute function ecluse.refuse_unsealed_rows();
create trigger appointment_sealed after insert on ecluse.appointment referencing new table as loaded for each statement execute function ecluse.refuse_unsealed_rows();

-- An import that was loaded and never applied leaves rows without effect; the next import of its source clears them.
create function ecluse.drop_pending(p_source text) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare f text; dropped integer := 0;
begin
  for f in select i.id from ecluse.schedule_import i where i.source = p_source and i.applied_at is null for update loop
    delete from ecluse.appointment a where a.import_id = f;
    delete from ecluse.session_agent g using ecluse.session s where s.import_id = f and g.session_id = s.id;
    delete from ecluse.session s where s.import_id = f;
    delete from ecluse.schedule_import i where i.id = f;
    dropped := dropped + 1;
  end loop;
  return dropped;
end $$;

-- What the gate reads of history, and all of it: one entry at a time, by a name that only its own processor knows. It has no right to the tables of entries
-- and openings, nor to the list of keys, so whoever steals its password learns nothing of what was disclosed before.
-- The openings that a retry is answered from: of the grant that this client's key stands for.
create function ecluse.sealed_before(p_log smallint, p_client text, p_endpoint text, p_key text) returns table (index bigint, fields text, salts bytea)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select o.index, o.fields, o.salts from ecluse.idempotency k
  join ecluse.opening o on o.log_id = k.log_id and o.index >= k.index and o.index < k.index + k.entries and o.sealed_at = k.sealed_at
  -- a minute more than gather() allows: the key was in time when it was gathered
  where k.client_id = p_client and k.endpoint = p_endpoint and k.key = p_key and k.log_id = p_log and k.sealed_at > ecluse.clock() - interval '11 minutes'
  order by o.index;
end $$;

-- Where a processor's own decision stands, and its leaf: what a proof of it begins with.
create function ecluse.entry_of(p_log smallint, p_processor text, p_disclosure text) returns table (index bigint, leaf bytea)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select o.index, e.leaf from ecluse.opening o join ecluse.ledger_entry e on e.log_id = o.log_id and e.index = o.index
  where o.disclosure_id = p_disclosure and o.processor_id = p_processor and o.log_id = p_log;
end $$;

-- When the first entry was sealed that no checkpoint covers; null where all are covered.
create function ecluse.unsigned_since(p_log smallint) returns timestamptz
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
begin
  return (select e.sealed_at from ecluse.ledger_entry e
          where e.log_id = p_log and e.index = coalesce((select max(c.size) from ecluse.ledger_checkpoint c where c.log_id = p_log), 0));
end $$;
-- migrate: rollback
