-- Reading the log, its tiles and checkpoints, and the writes of the one process that integrates.

-- name: log_of(log_id)
-- A log with the size of its head.
select g.id, g.name, g.origin, g.vkey, h.size, h.last_at
from ecluse.ledger_log g
join ecluse.ledger_head h on h.log_id = g.id
where g.id = :log_id::smallint;

-- name: elect(log_id)
-- The turn to integrate, until the transaction ends; not on the data path. The first figure is ours among advisory locks.
select pg_try_advisory_xact_lock(1701016940, :log_id::integer);

-- name: integrated(log_id)
-- Entries in the tiles: the last tile of level 0 says it.
select t.tile * 256 + length(t.hashes) / 32 as size
from ecluse.ledger_tile t
where t.log_id = :log_id::smallint and t.level = 0
order by t.tile desc
limit 1;

-- name: entries_of(log_id, first, last)
-- Committed entries [first, last), in order.
select e.index, e.leaf, e.sealed_at
from ecluse.ledger_entry e
where e.log_id = :log_id::smallint and e.index >= :first::bigint and e.index < :last::bigint
order by e.index;

-- name: openings_of(log_id, first, last)
-- Openings of the entries [first, last), in order; whatever their time says.
select o.index, o.sealed_at, o.event, o.disclosure_id, o.processor_id, o.agent_id, o.subject_ref, o.fields, o.salts
from ecluse.opening o
where o.log_id = :log_id::smallint and o.index >= :first::bigint and o.index < :last::bigint
order by o.index;

-- name: tiles_of(log_id, levels, tiles)
-- The tiles named, those there are.
select t.level, t.tile, t.hashes
from unnest(:levels::smallint[], :tiles::bigint[]) as w (level, tile)
join ecluse.ledger_tile t on t.log_id = :log_id::smallint and t.level = w.level and t.tile = w.tile;

-- name: put_tiles(log_id, levels, tiles, hashes)
-- New tiles, and partial ones grown.
insert into ecluse.ledger_tile (log_id, level, tile, hashes)
select :log_id::smallint, w.level, w.tile, w.hashes
from unnest(:levels::smallint[], :tiles::bigint[], :hashes::bytea[]) as w (level, tile, hashes)
on conflict on constraint ledger_tile_pk do update set hashes = excluded.hashes;

-- name: latest_checkpoint(log_id)
-- The checkpoint published last.
select c.size, c.root, c.note, c.signed_at
from ecluse.ledger_checkpoint c
where c.log_id = :log_id::smallint
order by c.size desc
limit 1;

-- name: covering_checkpoint(log_id, index)
-- The checkpoint published last, if the entry is under it.
select c.size, c.root, c.note, c.signed_at
from ecluse.ledger_checkpoint c
where c.log_id = :log_id::smallint and c.size > :index::bigint
order by c.size desc
limit 1;

-- name: publish(log_id, size, root, note)!
-- A signed head; while the clock is behind, at the time of the one before it: their times never go back.
insert into ecluse.ledger_checkpoint (log_id, size, root, note, signed_at)
select
  :log_id::smallint,
  :size::bigint,
  :root::bytea,
  :note::text,
  greatest(ecluse.clock(), (select c.signed_at from ecluse.ledger_checkpoint c where c.log_id = :log_id::smallint order by c.size desc limit 1));

-- name: purge()
-- What has served its time goes.
select ecluse.purge();

-- name: ensure_partitions()
-- Partitions ahead of need.
select ecluse.ensure_partitions();

-- name: checkpoints_of(log_id)
-- All checkpoints, smallest first.
select c.size, c.root, c.note, c.signed_at
from ecluse.ledger_checkpoint c
where c.log_id = :log_id::smallint
order by c.size;

-- name: tile_count(log_id)
-- How many tiles are stored.
select count(*) from ecluse.ledger_tile t where t.log_id = :log_id::smallint;

-- name: entries_beyond(log_id, size)
-- Entries that the head does not count.
select count(*) as count, min(e.index) as first
from ecluse.ledger_entry e
where e.log_id = :log_id::smallint and (e.index >= :size::bigint or e.index < 0);

-- name: openings_beyond(log_id, size)
-- Openings of no entry that the head counts.
select count(*) as count, min(o.index) as first
from ecluse.opening o
where o.log_id = :log_id::smallint and (o.index >= :size::bigint or o.index < 0);
