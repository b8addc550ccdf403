-- flows: what was observed, folded from the openings; attempts outside a contract; what was seen elsewhere
-- depends: 0009_pre_evidence
-- migrate: apply
-- Everything here but flow_import is derived from entries and their openings, by ecluse.fold_flows alone, a day (UTC) a row. Counters stay when openings are
-- erased; rows that name a person go with the openings that they were counted from.

create table ecluse.flow_mark (
  log_id     smallint    not null constraint flow_mark_pk primary key references ecluse.ledger_log (id),
  next_index bigint      not null constraint flow_mark_next_ck check (next_index >= 0),
  erased     bigint      not null,
  unreadable bigint      not null,
  folded_at  timestamptz not null
);
comment on table ecluse.flow_mark is 'How far each log is folded: entries below next_index are counted. erased: those whose opening was gone by then; unreadable: those whose opening says nothing that can be counted.';

create table ecluse.flow_seen (
  day              date        not null,
  processor_id     text        not null,
  purpose          text        not null,
  attribute        text        not null, -- empty: the disclosure itself, whatever was in it
  form             text        not null, -- empty with it
  roll_call        boolean     not null,
  site_id          text        not null, -- empty: the place was erased before it was folded
  contract_version integer     not null, -- in force at the instant, by the table of contracts; 0: none
  contract_other   boolean     not null, -- the entry names another one
  disclosures      bigint      not null,
  first_seen_at    timestamptz not null,
  last_seen_at     timestamptz not null,
  constraint flow_seen_pk primary key (processor_id, purpose, day, attribute, form, roll_call, site_id, contract_version, contract_other)
) with (fillfactor = 70);
create index flow_seen_day_ix on ecluse.flow_seen using brin (day);
comment on table ecluse.flow_seen is 'Disclosures of a day by what was given, to whom, where, under which version. Nobody is in it.';

create table ecluse.flow_person (
  day          date   not null,
  processor_id text   not null,
  purpose      text   not null,
  subject_ref  text   not null,
  seen         text[] not null, -- attribute:form, sorted
  constraint flow_person_pk primary key (processor_id, subject_ref, day, purpose)
) with (fillfactor = 80);
comment on table ecluse.flow_person is 'Who was disclosed to whom on a day, and what: so that distinct persons are counted exactly. Loaded in the order of entries, never of persons.';
comment on column ecluse.flow_person.subject_ref is 'person: reference; retention: with the openings it was counted from, 12 months';
comment on column ecluse.flow_person.seen is 'person: what was given in which form; retention: with the openings it was counted from, 12 months';
create index flow_person_day_ix on ecluse.flow_person using brin (day);

create table ecluse.flow_gone (
  day          date   not null,
  processor_id text   not null,
  purpose      text   not null,
  what         text   not null, -- attribute:form; attribute in any form but withheld; empty: anything
  persons      bigint not null,
  constraint flow_gone_pk primary key (processor_id, purpose, day, what)
);
create index flow_gone_day_ix on ecluse.flow_gone using brin (day);
comment on table ecluse.flow_gone is 'How many persons of a day were erased from flow_person since: a number, and nobody.';

create table ecluse.flow_attempt (
  day              date        not null,
  processor_id     text        not null,
  purpose          text        not null, -- empty: of nobody's handle
  attribute        text        not null, -- empty: the purpose itself is not in the contract
  contract_version integer     not null,
  attempts         bigint      not null,
  first_seen_at    timestamptz not null,
  last_seen_at     timestamptz not null,
  constraint flow_attempt_pk primary key (processor_id, purpose, day, attribute, contract_version)
) with (fillfactor = 70);
create index flow_attempt_day_ix on ecluse.flow_attempt using brin (day);
comment on table ecluse.flow_attempt is 'Refusals that asked for what the contract does not name. Nothing was disclosed; nobody is in it.';

create table ecluse.flow_import (
  source      text        not null constraint flow_import_source_ck check (source ~ '^[a-z][a-z0-9_-]{1,62}$'),
  recipient   text        not null constraint flow_import_recipient_ck check (recipient ~ '^[a-z][a-z0-9_-]{1,62}$'),
  attribute   text        not null constraint flow_import_attribute_ck check (attribute ~ '^[a-z][a-z0-9_-]{1,62}$'),
  from_on     date        not null,
  until_on    date        not null, -- included
  imported_by text        not null,
  imported_at timestamptz not null,
  constraint flow_import_pk primary key (source, recipient, attribute, from_on),
  constraint flow_import_period_ck check (from_on <= until_on)
);
comment on table ecluse.flow_import is 'What was seen outside Écluse (a mail gateway''s log, a list of services), as somebody brought it: of lower confidence, never mixed with what the ledger holds.';
comment on column ecluse.flow_import.imported_by is 'staff: who brought it; retention: until the source is brought again, or taken away';

-- ── the fold ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- The fields of an opening by name; null where they are none. One forged row must not stop the fold for ever.
create function ecluse.opened(p_fields text) returns jsonb language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return (select jsonb_object_agg(e.v ->> 0, e.v -> 1) from jsonb_array_elements(p_fields::jsonb) e (v) where e.v ->> 0 is not null);
exception when others then
  return null;
end $$;
-- A word as contracts spell them; a question mark for anything else, which only an entry that was forged holds.
create function ecluse.flow_word(p_said text) returns text language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case when p_said ~ '^[a-z][a-z0-9_-]{1,62}$' then p_said else '?' end
$$;

-- Count the next entries of a log, at most p_most: mark and counts in one transaction, so that a crash leaves all of it or nothing. No row: another process
-- folds, or openings are being erased. It takes no lock that a seal waits for: what lies below the committed head never changes.
create function ecluse.fold_flows(p_log smallint, p_most integer) returns table (folded bigint, next_index bigint, size bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare lo bigint; hi bigint; top bigint; there bigint; unread bigint;
begin
  -- 1 one at a time, and never beside erase_slice(): what it deletes must not be counted again behind it
  if not pg_try_advisory_xact_lock(1701016942, 0) then return; end if;
  -- 2 from where to where
  insert into ecluse.flow_mark as m (log_id, next_index, erased, unreadable, folded_at) values (p_log, 0, 0, 0, ecluse.clock()) on conflict do nothing;
  select m.next_index into lo from ecluse.flow_mark m where m.log_id = p_log for update;
  select h.size into top from ecluse.ledger_head h where h.log_id = p_log;
  hi := least(top, lo + greatest(p_most, 1));
  -- 3 count. What lies under a tombstone is on its way out, and is not
  with entry as materialized (
    select o.index, o.sealed_at, (o.sealed_at at time zone 'UTC')::date as day, o.event, ecluse.flow_word(o.processor_id) as processor, o.subject_ref, o.disclosure_id,
           ecluse.opened(o.fields) as f
    from ecluse.opening o
    where o.log_id = p_log and o.index >= lo and o.index < hi
      and not exists ( -- ranges lie apart: the last one that begins before is the only one that can hold it
        select from (select s.past from ecluse.tombstone s where s.log_id = p_log and s.first <= o.index order by s.first desc limit 1) s where s.past > o.index)
  ), decided as materialized (
    select e.*, ecluse.flow_word(e.f ->> 'purpose') as purpose, e.event = 'disclosure:sheet:granted' as roll_call, coalesce(v.version, 0) as version,
           coalesce(e.f -> 'contract' ->> 'version', '0') <> coalesce(v.version, 0)::text as other
    from entry e
    left join lateral (select max(c.version) as version from ecluse.contract c where c.processor_id = e.processor and c.applied_at <= e.sealed_at) v on true
    where e.event in ('disclosure:person:granted', 'disclosure:sheet:granted', 'disclosure:person:refused', 'disclosure:sheet:refused')
      and e.processor not in ('sandbox', 'sandbox-neighbour')
  ), granted as materialized (
    select d.*, coalesce(s.site_id, '') as site
    from decided d
    left join lateral (
      select ecluse.flow_word(x.site_id) as site_id from ecluse.appointment a join ecluse.session x on x.id = a.session_id
      where a.processor_id = d.processor and a.id = d.f ->> 'appointment' limit 1) s on true
    where d.event in ('disclosure:person:granted', 'disclosure:sheet:granted') and jsonb_typeof(d.f -> 'forms') = 'object' and length(d.subject_ref) <= 400
  ), given as materialized (
    select g.index, g.sealed_at, g.day, g.processor, g.purpose, g.subject_ref, g.roll_call, g.site, g.version, g.other, '' as attribute, '' as form from granted g
    union all
    select g.index, g.sealed_at, g.day, g.processor, g.purpose, g.subject_ref, g.roll_call, g.site, g.version, g.other, ecluse.flow_word(k.key), ecluse.flow_word(k.value)
    from granted g cross join lateral jsonb_each_text(g.f -> 'forms') k
  ), seen as (
    insert into ecluse.flow_seen as x (day, processor_id, purpose, attribute, form, roll_call, site_id, contract_version, contract_other, disclosures, first_seen_at, last_seen_at)
    select g.day, g.processor, g.purpose, g.attribute, g.form, g.roll_call, g.site, g.version, g.other, count(distinct g.index), min(g.sealed_at), max(g.sealed_at)
    from given g group by g.day, g.processor, g.purpose, g.attribute, g.form, g.roll_call, g.site, g.version, g.other
    on conflict on constraint flow_seen_pk do update
      set disclosures = x.disclosures + excluded.disclosures, first_seen_at = least(x.first_seen_at, excluded.first_seen_at),
          last_seen_at = greatest(x.last_seen_at, excluded.last_seen_at)
  ), person as (
    insert into ecluse.flow_person as x (day, processor_id, purpose, subject_ref, seen)
    select g.day, g.processor, g.purpose, g.subject_ref,
           coalesce(array_agg(distinct g.attribute || ':' || g.form order by g.attribute || ':' || g.form) filter (where g.attribute <> ''), '{}')
    from given g group by g.day, g.processor, g.purpose, g.subject_ref order by min(g.index)
    on conflict on constraint flow_person_pk do update
      set seen = array(select distinct u.said from unnest(x.seen || excluded.seen) u (said) order by u.said)
      where not x.seen @> excluded.seen
  ), attempt as (
    insert into ecluse.flow_attempt as x (day, processor_id, purpose, attribute, contract_version, attempts, first_seen_at, last_seen_at)
    select d.day, d.processor, case when d.f ->> 'purpose' is null then '' else d.purpose end, a.attribute, d.version, count(distinct d.index), min(d.sealed_at), max(d.sealed_at)
    from decided d
    cross join lateral jsonb_array_elements_text(case jsonb_typeof(d.f -> 'reasons') when 'array' then d.f -> 'reasons' else '[]' end) r (why)
    cross join lateral (
      select '' as attribute where r.why = 'purpose:absent'
      union all
      select ecluse.flow_word(n) from regexp_split_to_table(substr(r.why, 12), ',') n where r.why like 'attributes:%' and r.why <> 'attributes:sheet-changed') a
    where d.event in ('disclosure:person:refused', 'disclosure:sheet:refused')
    group by d.day, d.processor, 3, a.attribute, d.version
    on conflict on constraint flow_attempt_pk do update
      set attempts = x.attempts + excluded.attempts, first_seen_at = least(x.first_seen_at, excluded.first_seen_at),
          last_seen_at = greatest(x.last_seen_at, excluded.last_seen_at)
  )
  select (select count(*) from entry),
         (select count(*) from decided d where d.f is null or (d.event in ('disclosure:person:granted', 'disclosure:sheet:granted')
                                                               and not exists (select from granted g where g.index = d.index)))
  into there, unread;
  -- 4 the mark, with the counts
  update ecluse.flow_mark m set next_index = hi, erased = m.erased + (hi - lo - there), unreadable = m.unreadable + unread, folded_at = ecluse.clock()
  where m.log_id = p_log;
  return query select hi - lo, hi, top;
end $$;

-- Forget who was counted: called by erase_slice() with the openings that it has just deleted, day, processor and person of each. What was counted stays, as a number.
create function ecluse.forget_flows(p_days date[], p_processors text[], p_subjects text[]) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
  with gone as (
    delete from ecluse.flow_person f
    using (select distinct u.day, ecluse.flow_word(u.processor) as processor, u.subject from unnest(p_days, p_processors, p_subjects) u (day, processor, subject)) u
    where f.processor_id = u.processor and f.subject_ref = u.subject and f.day = u.day
    returning f.day, f.processor_id, f.purpose, f.seen)
  insert into ecluse.flow_gone as x (day, processor_id, purpose, what, persons)
  select g.day, g.processor_id, g.purpose, w.what, count(*)
  from gone g
  cross join lateral (
    select '' as what union select u.said from unnest(g.seen) u (said)
    union select split_part(u.said, ':', 1) from unnest(g.seen) u (said) where u.said not like '%:withheld') w
  group by g.day, g.processor_id, g.purpose, w.what
  on conflict on constraint flow_gone_pk do update set persons = x.persons + excluded.persons
$$;
-- migrate: rollback
