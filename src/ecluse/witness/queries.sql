-- A witness's reads and writes.

-- name: identity()
-- Who this witness is.
select name, vkey from witness;

-- name: found(name, vkey)!
-- Begin the store's life: who it is.
insert into witness (only_one, name, vkey) values (1, :name, :vkey);

-- name: log_known(origin)
-- Whether it watches a log.
select 1 from log where origin = :origin;

-- name: keys_of(origin)
-- The trusted keys of a log.
select vkey from log_key where origin = :origin order by rowid;

-- name: origins()
-- All logs that it watches.
select origin from log order by origin;

-- name: add_log(origin, origin_hash)!
-- Watch a log.
insert or ignore into log (origin, origin_hash) values (:origin, :origin_hash);

-- name: add_key(origin, vkey)!
-- Trust a key of a log.
insert or ignore into log_key (origin, vkey) values (:origin, :vkey);

-- name: drop_key(origin, vkey)!
-- Trust a key no more.
delete from log_key where origin = :origin and vkey = :vkey;

-- name: seen_of(origin)
-- The head cosigned last of a log.
select size, root, note, at from seen where origin = :origin;

-- name: note_of(origin_hash)
-- The note that is handed out for a log.
select s.note
from log g
join seen s on s.origin = g.origin
where g.origin_hash = :origin_hash;

-- name: remember(origin, size, root, note, at)!
-- The head cosigned now takes the place of the last one.
insert into seen (origin, size, root, note, at) values (:origin, :size, :root, :note, :at)
on conflict (origin) do update set size = excluded.size, root = excluded.root, note = excluded.note, at = excluded.at;

-- name: keep_refused(origin, fault, size, root, note, ours, at)!
-- Keep a refused head, the first time it comes.
insert or ignore into refused (origin, fault, size, root, note, ours, at) values (:origin, :fault, :size, :root, :note, :ours, :at);

-- name: forget_refused(origin, fault, most)!
-- Keep the newest of a log and fault only: anybody may send wrong proofs.
delete from refused
where origin = :origin and fault = :fault and rowid not in (
    select r.rowid from refused r where r.origin = :origin and r.fault = :fault order by r.at desc, r.rowid desc limit :most
);

-- name: refused_of(origin)
-- The refused heads that were kept of a log, newest first.
select fault, size, root, note, ours, at from refused where origin = :origin order by at desc, rowid desc;
