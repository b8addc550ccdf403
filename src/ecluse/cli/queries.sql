-- What the command line lists. All of it is read with the gate's own role.

-- name: log_there(log_id)
-- The names of the log that is written now, its head and the database's clock; no row before `ledger init`.
select g.id, g.name, g.origin,
  (select y.vkey from ecluse.ledger_key y where y.log_id = g.id and y.until_size is null order by y.from_size desc limit 1) as vkey,
  h.size, h.control_seq, h.last_at, ecluse.clock() as now
from ecluse.ledger_log g
join ecluse.ledger_head h on h.log_id = g.id
where g.id = ecluse.current_log(:log_id::smallint);

-- name: succession(log_id)
-- Which log this one took the place of.
select g.origin, s.size, s.signed_size, s.succeeded_at
from ecluse.ledger_succession s
join ecluse.ledger_log g on g.id = s.predecessor
where s.log_id = :log_id::smallint;

-- name: processors()
-- Each processor with its contract in force and how many of each thing it has.
select
  p.id, p.name, p.added_at, c.version, c.reference, c.text, c.hash, c.applied_at, c.applied_by,
  (select count(*) from ecluse.agent a where a.processor_id = p.id) as agents,
  (select count(*) from ecluse.client k where k.processor_id = p.id) as clients,
  (select count(*) from ecluse.hold h
   where h.scope in ('processor', 'contract') and h.scope_id = p.id and h.effect <> 'keep' and h.released_at is null
     and h.from_at <= ecluse.clock() and ecluse.clock() < h.until_at) as holds
from ecluse.processor p
left join lateral (
  select v.version, v.reference, v.text, v.hash, v.applied_at, v.applied_by
  from ecluse.contract v
  where v.processor_id = p.id
  order by v.version desc
  limit 1
) c on true
order by p.id;

-- name: agents(processor)
-- A processor's people, oldest first.
select a.id, a.label, a.added_at
from ecluse.agent a
where a.processor_id = :processor
order by a.added_at, a.id;

-- name: clients(processor)
-- Machines and their keys, oldest first; null: of every processor, and the controller's own.
select k.id, k.role, k.processor_id, k.label, k.added_at, y.thumbprint, y.alg, y.added_at as key_added_at, y.revoked_at
from ecluse.client k
left join ecluse.client_key y on y.client_id = k.id
where :processor::text is null or k.processor_id = :processor::text
order by k.added_at, k.id, y.added_at, y.thumbprint;

-- name: holds(every)
-- Holds in force or to come; `every`: those that ended, too. Newest first.
select h.id, h.scope, h.scope_id, h.effect, h.reason, h.placed_by, h.from_at, nullif(h.until_at, 'infinity') as until_at, h.released_at,
  h.released_at is null and h.from_at <= ecluse.clock() and ecluse.clock() < h.until_at as in_force
from ecluse.hold h
where :every::boolean or (h.released_at is null and ecluse.clock() < h.until_at)
order by h.from_at desc, h.id;

-- name: keys_in_use(client)
-- How many keys of a client are not revoked.
select count(*) from ecluse.client_key y where y.client_id = :client and y.revoked_at is null;

-- name: durability()
-- What "durable" depends on, the server's version, and the difference of clocks.
select
  current_setting('fsync') as fsync,
  current_setting('full_page_writes') as full_page_writes,
  current_setting('synchronous_commit') as synchronous_commit,
  current_setting('server_version_num')::integer / 10000 as major,
  clock_timestamp() as now;
