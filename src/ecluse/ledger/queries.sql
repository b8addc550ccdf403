-- Reading the log, its tiles and checkpoints, and the writes of the one process that integrates.

-- name: log_of(log_id)
-- A log with the size of its head.
select g.id, g.name, g.origin, g.vkey, h.size, h.last_at
from ecluse.ledger_log g
join ecluse.ledger_head h on h.log_id = g.id
where g.id = :log_id::smallint;

-- name: keys_of(log_id)
-- The keys that ever signed a log's checkpoints, each those of sizes [from_size, until_size); older first.
select k.vkey, k.from_size, k.until_size
from ecluse.ledger_key k
where k.log_id = :log_id::smallint
order by k.from_size, k.added_at;

-- name: current_log(log_id)
-- The log that is written now, by any log of its line.
select ecluse.current_log(:log_id::smallint);

-- name: log_named(name)
-- A log by its short name.
select g.id from ecluse.ledger_log g where g.name = :name::text;

-- name: keep_anchor(log_id, size, note, answer, authority, stamped_at)!
-- A time stamp on a checkpoint.
insert into ecluse.ledger_anchor (log_id, size, note, answer, authority, stamped_at)
values (:log_id::smallint, :size::bigint, :note::text, :answer::bytea, :authority::text, :stamped_at::timestamptz)
on conflict on constraint ledger_anchor_pk do nothing;

-- name: newest_anchor(log_id)
-- The time stamp made last.
select a.size, a.stamped_at
from ecluse.ledger_anchor a
where a.log_id = :log_id::smallint
order by a.stamped_at desc
limit 1;

-- name: anchors_of(log_id, since)
-- The time stamps on checkpoints of at least so many entries, oldest first.
select a.size, a.note, a.answer, a.authority, a.stamped_at
from ecluse.ledger_anchor a
where a.log_id = :log_id::smallint and a.size >= :since::bigint
order by a.size, a.stamped_at;

-- name: roots_at(log_id, sizes)
-- The roots of checkpoints of these sizes.
select c.size, c.root
from ecluse.ledger_checkpoint c
where c.log_id = :log_id::smallint and c.size = any(:sizes::bigint[]);

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

-- name: bundle_of(log_id, first, count)
-- The leaves under a tile, as far as a checkpoint covers them: for roles that may not read entries as such.
select b.leaf from ecluse.bundle_of(:log_id::smallint, :first::bigint, :count::integer) b;

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

-- name: served_checkpoint(log_id)
-- The newest checkpoint that has its quorum, waited 5 s for it, or was signed before there was one to wait for; with the cosignatures there are.
select c.size, c.root, c.note || coalesce(w.lines, '') as note, c.signed_at
from ecluse.ledger_checkpoint c
left join lateral (
  select string_agg(k.line, '' order by k.received_at, k.vkey) as lines
  from ecluse.ledger_cosignature k
  where k.log_id = c.log_id and k.size = c.size
) w on true
where c.log_id = :log_id::smallint
  and c.size = greatest(
    (
      select q.size
      from ecluse.ledger_quorum q
      join ecluse.ledger_checkpoint s on s.log_id = q.log_id and s.size = q.size
      where q.log_id = :log_id::smallint
      order by q.size desc
      limit 1
    ),
    (
      select o.size
      from ecluse.ledger_checkpoint o
      where o.log_id = :log_id::smallint
        and o.signed_at <= greatest(
          ecluse.clock() - interval '5 s',
          coalesce(
            (select p.quorum_since from ecluse.ledger_policy p where p.log_id = :log_id::smallint order by p.version desc limit 1),
            'infinity'
          )
        )
      order by o.size desc
      limit 1
    )
  );

-- name: publish(log_id, size, root, note)!
-- A signed head; while the clock is behind, at the time of the one before it: their times never go back.
insert into ecluse.ledger_checkpoint (log_id, size, root, note, signed_at)
select
  :log_id::smallint,
  :size::bigint,
  :root::bytea,
  :note::text,
  greatest(ecluse.clock(), (select c.signed_at from ecluse.ledger_checkpoint c where c.log_id = :log_id::smallint order by c.size desc limit 1));

-- name: countersign(note, log_id, size)!
-- Another key's signature of a head that is published.
update ecluse.ledger_checkpoint c
set note = :note::text
where c.log_id = :log_id::smallint and c.size = :size::bigint;

-- name: policy_of(log_id)
-- The witness policy in force, and the keys that sign the log now; no row where there is no such log.
select
  g.name, g.origin, p.version, p.text, p.hash, p.quorum_since, p.applied_at, p.applied_by,
  (select array_agg(y.vkey order by y.from_size) from ecluse.ledger_key y where y.log_id = g.id and y.until_size is null) as log_vkeys,
  ecluse.uncosigned_since(g.id) as uncosigned_since,
  ecluse.clock() as at
from ecluse.ledger_log g
left join lateral (
  select o.version, o.text, o.hash, o.quorum_since, o.applied_at, o.applied_by
  from ecluse.ledger_policy o
  where o.log_id = g.id
  order by o.version desc
  limit 1
) p on true
where g.id = :log_id::smallint;

-- name: cosigned_by(log_id, size)
-- Whose cosignatures a checkpoint has.
select k.vkey
from ecluse.ledger_cosignature k
where k.log_id = :log_id::smallint and k.size = :size::bigint;

-- name: last_cosigned(log_id, vkey)
-- What a witness cosigned last.
select k.size, k.received_at
from ecluse.ledger_cosignature k
where k.log_id = :log_id::smallint and k.vkey = :vkey::text
order by k.size desc
limit 1;

-- name: keep_cosignatures(log_id, size, vkeys, lines)!
-- What witnesses said of a checkpoint; who said it already is not written again.
insert into ecluse.ledger_cosignature (log_id, size, vkey, line, received_at)
select :log_id::smallint, :size::bigint, w.vkey, w.line, ecluse.clock()
from unnest(:vkeys::text[], :lines::text[]) as w (vkey, line)
on conflict on constraint ledger_cosignature_pk do nothing;

-- name: keep_quorum(log_id, size, policy)!
-- From now on the checkpoint has its quorum.
insert into ecluse.ledger_quorum (log_id, size, policy, reached_at)
values (:log_id::smallint, :size::bigint, :policy::integer, ecluse.clock())
on conflict on constraint ledger_quorum_pk do nothing;

-- name: purge()
-- What has served its time goes.
select ecluse.purge();

-- name: ensure_partitions()
-- Partitions ahead of need.
select ecluse.ensure_partitions();
