-- What fsck reads, all of it in one snapshot. Instants and texts come as the bytes that PostgreSQL sends: nothing is decoded that is only compared or hashed.

-- name: snapshot()
-- This transaction's view, for other connections to take.
select pg_export_snapshot();

-- name: leaves_of(log_id, first, last)
-- Entries [first, last), in order.
select e.index, e.leaf, timestamptz_send(e.sealed_at)
from ecluse.ledger_entry e
where e.log_id = :log_id::smallint and e.index >= :first::bigint and e.index < :last::bigint
order by e.index;

-- name: openings_of(log_id, first, last)
-- Openings of the entries [first, last), in order, whatever their time says; the searched columns in quotes, one after the other.
select
  o.index,
  timestamptz_send(o.sealed_at),
  textsend(
    '"' || o.event || '"' || coalesce('"' || o.disclosure_id || '"', 'null') || coalesce('"' || o.processor_id || '"', 'null')
    || coalesce('"' || o.agent_id || '"', 'null') || coalesce('"' || o.subject_ref || '"', 'null')
  ),
  textsend(o.fields),
  o.salts
from ecluse.opening o
where o.log_id = :log_id::smallint and o.index >= :first::bigint and o.index < :last::bigint
order by o.index;

-- name: tombstones_of(log_id, first, last)
-- Ranges that touch [first, last) whose openings were erased, or (not done) are being erased now.
select t.first, t.past, b.done_at is not null as done
from ecluse.tombstone t
join ecluse.erasure_batch b on b.id = t.batch
where t.log_id = :log_id::smallint and t.past > :first::bigint and t.first < :last::bigint
order by t.first;

-- name: tiles_in(log_id, first, last)
-- Tiles over the entries [first, last) of one stretch.
select t.level, t.tile, t.hashes
from ecluse.ledger_tile t
where t.log_id = :log_id::smallint
  and (
    (t.level = 0 and t.tile >= :first::bigint / 256 and t.tile < :last::bigint / 256)
    or (t.level = 1 and t.tile >= :first::bigint / 65536 and t.tile < :last::bigint / 65536)
  )
order by t.level, t.tile;

-- name: heads_of(log_id, above, upto)
-- Checkpoints of sizes (above, upto], smallest first.
select c.size, c.root, c.note, timestamptz_send(c.signed_at) as signed_at
from ecluse.ledger_checkpoint c
where c.log_id = :log_id::smallint and c.size > :above::bigint and c.size <= :upto::bigint
order by c.size;

-- name: cosignatures_of(log_id, above, upto)
-- What witnesses said of sizes (above, upto], whether or not there is such a checkpoint.
select k.size, k.vkey, k.line
from ecluse.ledger_cosignature k
where k.log_id = :log_id::smallint and k.size > :above::bigint and k.size <= :upto::bigint
order by k.size, k.vkey;

-- name: quorums_of(log_id, above, upto)
-- Sizes (above, upto] that are said to have had their quorum.
select q.size, q.policy
from ecluse.ledger_quorum q
where q.log_id = :log_id::smallint and q.size > :above::bigint and q.size <= :upto::bigint
order by q.size;

-- name: keys_of(log_id)
-- The keys of a log and the sizes that each signs.
select k.vkey, k.from_size, k.until_size
from ecluse.ledger_key k
where k.log_id = :log_id::smallint
order by k.from_size;

-- name: policies_of(log_id)
-- Every witness policy that was applied.
select p.version, p.text, p.hash
from ecluse.ledger_policy p
where p.log_id = :log_id::smallint
order by p.version;

-- name: tile_count(log_id)
-- How many tiles are stored.
select count(*) from ecluse.ledger_tile t where t.log_id = :log_id::smallint;

-- name: beyond(log_id, size)
-- What stands outside of the entries that the head counts: how many, and the first.
select x.what, x.count, x.first
from (
  select 'entry' as what, count(*) as count, min(e.index) as first
  from ecluse.ledger_entry e
  where e.log_id = :log_id::smallint and (e.index >= :size::bigint or e.index < 0)
  union all
  select 'opening', count(*), min(o.index)
  from ecluse.opening o
  where o.log_id = :log_id::smallint and (o.index >= :size::bigint or o.index < 0)
  union all
  select 'checkpoint', count(*), :size::bigint
  from ecluse.ledger_checkpoint c
  where c.log_id = :log_id::smallint and (c.size > :size::bigint or c.size < 0)
  union all
  select 'cosignature', count(*), :size::bigint
  from ecluse.ledger_cosignature k
  where k.log_id = :log_id::smallint and (k.size > :size::bigint or k.size < 0)
  union all
  select 'quorum', count(*), :size::bigint
  from ecluse.ledger_quorum q
  where q.log_id = :log_id::smallint and (q.size > :size::bigint or q.size < 0)
) x
where x.count > 0;

-- name: sealed_when(log_id, index)
-- When an entry was sealed, and what had been signed and cosigned before it.
select
  (select e.sealed_at from ecluse.ledger_entry e where e.log_id = :log_id::smallint and e.index <= :index::bigint order by e.index desc limit 1) as sealed_at,
  c.size as signed_size, c.signed_at,
  q.size as cosigned_size, q.reached_at as cosigned_at
from (select 1) one
left join lateral (
  select h.size, h.signed_at
  from ecluse.ledger_checkpoint h
  where h.log_id = :log_id::smallint and h.size <= :index::bigint
  order by h.size desc
  limit 1
) c on true
left join lateral (
  select w.size, w.reached_at
  from ecluse.ledger_quorum w
  where w.log_id = :log_id::smallint and w.size <= :index::bigint
  order by w.size desc
  limit 1
) q on true;

-- name: tombstones_wrong(log_id, size)
-- Erased ranges that are empty, overlap, or lie beyond the log.
select count(*) as count, min(x.first) as first
from (
  select t.first, t.past, max(t.past) over (order by t.first, t.past rows between unbounded preceding and 1 preceding) as before
  from ecluse.tombstone t
  where t.log_id = :log_id::smallint
) x
where x.first < 0 or x.first >= x.past or x.past > :size::bigint or x.first < x.before;

-- name: batches_of(log_id)
-- Batches of erasure that entries of this log are about, oldest first.
select b.id, b.index, b.salt, b.count, b.of_log
from ecluse.erasure_batch b
where b.log_id = :log_id::smallint
order by b.index;

-- name: ranges_of(log_id, batch)
-- What one batch erased, ascending.
select t.first, t.past
from ecluse.tombstone t
where t.log_id = :log_id::smallint and t.batch = :batch::bigint
order by t.first;

-- name: ranges_astray()
-- Erased ranges of another log than their batch says.
select count(*)
from ecluse.tombstone t
join ecluse.erasure_batch b on b.id = t.batch
where b.of_log <> t.log_id;

-- name: places_read()
-- Places that were read, and how often.
select a.processor_id, a.id, a.reads
from ecluse.appointment a
where a.reads <> 0;

-- name: elsewhere(log_id)
-- Entries of other logs: their grants count on the same places.
select coalesce(sum(h.size), 0)::bigint
from ecluse.ledger_head h
where h.log_id <> :log_id::smallint;

-- name: contracts_of()
-- Contract versions, with the hash of their text as it is now.
select c.processor_id, c.version, encode(sha256(convert_to(c.text, 'UTF8')), 'hex') as hash, c.hash as noted
from ecluse.contract c;

-- name: sealed_at_of(log_id, indexes)
-- When some entries were sealed.
select e.index, e.sealed_at
from ecluse.ledger_entry e
where e.log_id = :log_id::smallint and e.index = any(:indexes::bigint[]);

-- name: evidence_of()
-- Evidence that was accepted: facts, as its entry says them; who and when it began and ended to count.
select
  e.id, e.processor_id, e.accepted_at as began_at, e.accepted_by as began_by, e.withdrawn_at as ended_at, e.withdrawn_by as ended_by,
  jsonb_build_object(
    'bridges', e.bridges, 'ends_on', e.ends_on, 'kind', e.kind, 'reviewed_on', e.reviewed_on, 'sha256', e.sha256, 'sites', to_jsonb(e.sites),
    'period', case when e.period_from is not null then jsonb_build_array(e.period_from, e.period_until) end,
    'sub_processors', n.hash)::text as facts
from ecluse.evidence e
cross join lateral (
  -- the RFC 8785 bytes of the names, in the list's order
  select encode(sha256(convert_to('[' || string_agg((s.row -> 'name')::text, ',' order by s.place) || ']', 'UTF8')), 'hex') as hash
  from jsonb_array_elements(e.sub_processors) with ordinality s (row, place)
) n
where num_nonnulls(e.accepted_at, e.accepted_by, e.withdrawn_at, e.withdrawn_by) > 0;

-- name: findings_of()
-- Findings, likewise.
select
  f.id, f.processor_id, f.opened_at as began_at, f.opened_by as began_by, f.closed_at as ended_at, f.closed_by as ended_by,
  jsonb_build_object('due_on', f.due_on, 'severity', f.severity, 'source', f.source)::text as facts
from ecluse.finding f;

-- name: overrides_of()
-- Overrides that were approved, likewise.
select
  o.id, o.processor_id, o.approved_at as began_at, o.approved_by as began_by, o.revoked_at as ended_at, o.revoked_by as ended_by,
  jsonb_build_object('asked_by', o.asked_by, 'hours', o.hours, 'reasons', to_jsonb(o.reasons))::text as facts
from ecluse.gate_override o
where num_nonnulls(o.approved_at, o.approved_by, o.revoked_at, o.revoked_by) > 0;

-- name: officers_of()
-- Officers of the controller, likewise; of a name that was forgotten nothing is said.
select
  o.id, null::text as processor_id, o.added_at as began_at, o.closed_at as ended_at,
  jsonb_strip_nulls(jsonb_build_object(
    'roles', to_jsonb(o.roles),
    'name', case when o.name <> '' then encode(sha256(o.name_salt || convert_to(o.name, 'UTF8')), 'hex') end))::text as facts
from ecluse.officer o;

-- name: passkeys_of()
-- Passkeys, likewise, by the SHA-256 of their credential's id.
select
  encode(sha256(k.credential_id), 'hex') as id, a.processor_id, k.added_at as began_at, k.revoked_at as ended_at,
  jsonb_build_object('holder', coalesce(k.officer_id, k.agent_id), 'key', encode(sha256(k.public_key), 'hex'))::text as facts
from ecluse.passkey k
left join ecluse.agent a on a.id = k.agent_id;

-- name: emergencies_wrong(log_id)
-- Emergencies that are not what their entries say, and entries without one; of erased entries nothing can be said.
select count(*) as count, min(w.index) as first
from (
  select coalesce(e.index, o.index) as index
  from (select * from ecluse.emergency x where x.log_id = :log_id::smallint) e
  full join (
    select p.index, p.sealed_at, p.fields
    from ecluse.opening p
    where p.log_id = :log_id::smallint and p.event = 'disclosure:emergency:granted') o on o.index = e.index
  left join lateral (
    select p.fields
    from ecluse.opening p
    where p.event = 'control:emergency:reviewed' and p.disclosure_id is null and strpos(p.fields, '["object","' || e.id || '"]') > 0
    limit 1) r on true
  where case
      when e.id is null then true
      when o.index is null then not exists (
        select from ecluse.tombstone s where s.log_id = e.log_id and s.first <= e.index and e.index < s.past)
      else o.sealed_at <> e.opened_at or strpos(o.fields, '["attributes",["' || e.attribute || '"]]') = 0
        or strpos(o.fields, '["actor",' || to_json(e.opened_by) || '],["object","' || e.id || '"]') = 0
    end
    or case
      when r.fields is null then e.reviewed_at is not null and not exists (select from ecluse.erasure_batch b where b.sealed_at > e.reviewed_at)
      else coalesce(strpos(r.fields, '["actor",' || to_json(e.reviewed_by) || ']') = 0
        or strpos(r.fields, '["detail",{"justified":' || e.justified || '}]') = 0, true)
    end) w;

-- name: lookups_wrong(log_id)
-- Look-ups of persons that are not what their entries say, entries without one, and looks that nobody allowed; of erased entries nothing can be said.
with said as (
  select o.index, o.sealed_at, o.event, o.fields, substring(o.fields from '\],\["object","(lkp_[a-z2-7]{26})"\]') as id
  from ecluse.opening o
  where o.log_id = :log_id::smallint
    and o.event in ('control:lookup:asked', 'control:lookup:approved', 'control:lookup:refused', 'usage:person:consulted')
), mine as (
  select l.*, exists (select from ecluse.erasure_batch b where b.sealed_at > l.asked_at) as erased from ecluse.lookup l where l.log_id = :log_id::smallint
)
select count(*) as count, min(w.index) as first
from (
  -- who asked, about whom, what for
  select coalesce(l.index, a.index) as index
  from mine l
  full join (select s.index, s.sealed_at, s.fields from said s where s.event = 'control:lookup:asked') a on a.index = l.index
  where case
      when l.id is null then true
      when a.index is null then not exists (select from ecluse.tombstone t where t.log_id = l.log_id and t.first <= l.index and l.index < t.past)
      else a.sealed_at <> l.asked_at or strpos(a.fields, '["subject",' || to_json(l.subject_ref) || ']') = 0
        or strpos(a.fields, '["actor",' || to_json(l.asked_by) || '],["object","' || l.id || '"],["detail",{"purpose":' || to_json(l.purpose) || '}]') = 0
    end
  union all
  -- who decided, and what
  select coalesce(d.index, l.index)
  from mine l
  left join said d on d.id = l.id and d.event in ('control:lookup:approved', 'control:lookup:refused')
  where case
      when d.index is null then l.decided_at is not null and not l.erased
      else (d.sealed_at = l.decided_at and (d.event = 'control:lookup:approved') = l.approved
        and strpos(d.fields, '["actor",' || to_json(l.decided_by) || ']') > 0) is not true
    end
  union all
  -- how often was looked
  select l.index
  from mine l
  left join (select s.id, count(*) as looks from said s where s.event = 'usage:person:consulted' group by s.id) c on c.id = l.id
  where coalesce(c.looks, 0) > l.looks or (coalesce(c.looks, 0) < l.looks and not l.erased)
  union all
  -- each look: of this person, by who asked, while it was allowed
  select s.index
  from said s
  left join ecluse.lookup l on l.id = s.id
  where s.event = 'usage:person:consulted' and case
      when l.id is null then not exists (select from ecluse.erasure_batch b where b.sealed_at > s.sealed_at)
      else (l.approved and s.sealed_at >= l.decided_at and s.sealed_at < l.expires_at
        and strpos(s.fields, '["subject",' || to_json(l.subject_ref) || '],["actor",' || to_json(l.asked_by) || ']') > 0) is not true
    end
) w;

-- name: retries_wrong(grants, log_id)
-- Keys of retries that do not stand for grants of their client, or were used too often.
select count(*) as count, min(k.index) as first
from ecluse.idempotency k
left join lateral (
  select count(*) as entries
  from ecluse.opening o
  where o.log_id = k.log_id and o.index >= k.index and o.index < k.index + k.entries and o.sealed_at = k.sealed_at
    and o.event = any(:grants::text[]) and position('["client","' || k.client_id || '"]' in o.fields) > 0
) g on true
where k.log_id = :log_id::smallint and (g.entries is distinct from k.entries or k.entries < 1 or k.redeliveries not between 0 and 5);

-- name: refusals_wrong(log_id)
-- Counts of refusals that name an entry that does not say so.
select count(*) as count, min(r.noted) as first
from ecluse.refusal_count r
join ecluse.client c on c.id = r.client_id
left join ecluse.processor p on p.id = c.processor_id
where coalesce(p.log_id, :log_id::smallint) = :log_id::smallint and r.noted is not null and not exists (
  select from ecluse.opening o
  where o.index = r.noted and o.event = 'disclosure:refusals:counted'
    and position('["client","' || r.client_id || '"]' in o.fields) > 0
    and position('["detail",{"minute":' || r.minute || '}],["count",' || r.counted || ']' in o.fields) > 0);

-- name: budgets_wrong(grants)
-- Persons in the budgets of this hour, day and month that no grant brought there, grants that brought nobody, and counts that are not those of their persons.
with periods as (
  select u.unit, date_trunc(u.word, ecluse.clock(), 'UTC') as bucket
  from (values ('h', 'hour'), ('d', 'day'), ('m', 'month')) u (unit, word)
), month as (
  select o.processor_id, o.subject_ref, min(o.index) as index, max(o.sealed_at) as last_at
  from ecluse.opening o
  where o.sealed_at >= (select p.bucket from periods p where p.unit = 'm') and o.event = any(:grants::text[])
  group by o.processor_id, o.subject_ref
), hour as (
  select
    o.index, o.subject_ref, o.agent_id,
    substring(o.fields from '\],\["client","([^"]*)"\],\["') as client,
    substring(o.fields from '\],\["purpose","([^"]*)"\],\["') as purpose
  from ecluse.opening o
  where o.sealed_at >= (select p.bucket from periods p where p.unit = 'h') and o.event = any(:grants::text[])
), granted as (
  select p.unit, p.bucket, 'processor:' || m.processor_id as scope, m.subject_ref, m.index
  from month m
  join periods p on p.unit in ('d', 'm') and m.last_at >= p.bucket
  union all
  select 'h', p.bucket, s.scope, h.subject_ref, min(h.index)
  from hour h
  join periods p on p.unit = 'h'
  cross join lateral (values ('client:' || h.client), ('agent:' || h.agent_id || ':' || h.purpose)) s (scope)
  group by p.bucket, s.scope, h.subject_ref
), spent as (
  select b.unit, b.bucket, b.scope, b.subject_ref
  from ecluse.budget_person b
  join periods p on p.unit = b.unit and p.bucket = b.bucket
), counted as (
  select c.unit, c.bucket, c.scope, c.persons
  from ecluse.budget_count c
  join periods p on p.unit = c.unit and p.bucket = c.bucket
)
select count(*) as count, min(x.index) as first
from (
  select g.index
  from granted g
  full join spent s on s.unit = g.unit and s.bucket = g.bucket and s.scope = g.scope and s.subject_ref = g.subject_ref
  -- while a batch of erasure is under way openings go before the persons that they brought
  where s.scope is null or (g.scope is null and not exists (select from ecluse.erasure_batch b where b.done_at is null))
  union all
  select null
  from (
    select n.less, sum(n.more) over () as more
    from (
      select c.persons is null or c.persons < s.persons as less, greatest(c.persons - coalesce(s.persons, 0), 0) as more
      from counted c
      full join (select s.unit, s.bucket, s.scope, count(*) as persons from spent s group by s.unit, s.bucket, s.scope) s
        on s.unit = c.unit and s.bucket = c.bucket and s.scope = c.scope
    ) n
  ) n
  -- a person who was erased stays counted
  where n.less or n.more > (
    select coalesce(sum(b.count), 0) from ecluse.erasure_batch b where b.sealed_at >= (select p.bucket from periods p where p.unit = 'm'))
) x;
