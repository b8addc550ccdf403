-- What ``ecluse doctor --dba`` reads of the database: the catalogue and its statistics, no row of ours but the head and times of entries. Role ecluse_reader.

-- name: server()
-- Version, limits, and the clock.
select
  current_setting('server_version') as version,
  current_setting('server_version_num')::integer / 10000 as major,
  current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as room,
  current_setting('autovacuum') as autovacuum,
  pg_database_size(current_database()) as bytes,
  current_setting('shared_buffers') as shared_buffers,
  clock_timestamp() as now;

-- name: sessions()
-- Connections now, of each of our roles, and of all others together.
select
  case when a.usename::text ~ '^ecluse_' or a.usename = 'register_reader' then a.usename::text else 'others' end as role,
  count(*) as connections
from pg_stat_activity a
where a.backend_type = 'client backend'
group by 1
order by 1;

-- name: role_settings(roles)
-- What a role's sessions begin with, by its own settings.
select r.rolname::text as role, split_part(s.setting, '=', 1) as name, split_part(s.setting, '=', 2) as value
from pg_roles r
cross join unnest(r.rolconfig) as s (setting)
where r.rolname = any(:roles::text[])
order by 1, 2;

-- name: tables()
-- Each table with its partitions: size, rows, what was updated in place, what is dead, when it was cleared and analysed.
select
  coalesce(i.inhparent::regclass, t.relid::regclass)::text as name,
  count(*) as parts,
  sum(pg_total_relation_size(t.relid))::bigint as bytes,
  sum(t.n_live_tup)::bigint as live,
  sum(t.n_dead_tup)::bigint as dead,
  sum(t.n_tup_upd)::bigint as updated,
  sum(t.n_tup_hot_upd)::bigint as updated_in_place,
  sum(t.seq_scan)::bigint as read_through,
  max(greatest(t.last_vacuum, t.last_autovacuum)) as vacuumed_at,
  max(greatest(t.last_analyze, t.last_autoanalyze)) as analysed_at,
  min((select o.option_value::integer from pg_options_to_table(c.reloptions) o where o.option_name = 'fillfactor')) as fillfactor
from pg_stat_user_tables t
join pg_class c on c.oid = t.relid
left join pg_inherits i on i.inhrelid = t.relid
where t.schemaname = 'ecluse'
group by 1
order by 3 desc, 1;

-- name: entry_sealed_at(log_id, index)$
-- When an entry was sealed: entries are in the order of time, so a day's number is found by halving.
select e.sealed_at from ecluse.ledger_entry e where e.log_id = ecluse.current_log(:log_id::smallint) and e.index = :index::bigint;

-- name: rights()
-- Every right to schema, tables, columns and functions of ours, and who owns them: compared with sql/grants.sql.
select 'schema' as kind, n.nspname::text as name, n.nspowner::regrole::text as owner, coalesce(n.nspacl::text, '') as rights
from pg_namespace n
where n.nspname = 'ecluse'
union all
select 'table', c.oid::regclass::text, c.relowner::regrole::text, coalesce(c.relacl::text, '')
from pg_class c
where c.relnamespace = 'ecluse'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
union all
select 'column', c.oid::regclass::text || '.' || a.attname, c.relowner::regrole::text, a.attacl::text
from pg_attribute a
join pg_class c on c.oid = a.attrelid
where c.relnamespace = 'ecluse'::regnamespace and a.attacl is not null
union all
select 'function', p.oid::regprocedure::text, p.proowner::regrole::text, coalesce(p.proacl::text, '')
from pg_proc p
where p.pronamespace = 'ecluse'::regnamespace;
