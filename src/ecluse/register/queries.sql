-- What Écluse asks the register's catalogue. The statement that reads rows is written by statement.py from the checked map.

-- name: columns_of(schemas, tables, columns)
-- The mapped columns that exist: type (a domain's base type), kind of type, and whether this role may read them.
select
  w.n,
  pg_catalog.format_type(b.oid, -1) as type_name,
  b.typtype::text as type_kind,
  pg_catalog.has_column_privilege(c.oid, a.attnum, 'select') as readable
from unnest(:schemas::text[], :tables::text[], :columns::text[]) with ordinality as w(schema_name, table_name, column_name, n)
join pg_catalog.pg_namespace s on s.nspname = w.schema_name
join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relname = w.table_name
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = w.column_name and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid);

-- name: session_of()
-- The role of this connection and the settings that matter for reading.
select
  r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication as powerful,
  current_setting('default_transaction_read_only') as read_only,
  current_setting('server_encoding') as encoding,
  current_setting('server_version_num')::integer as version,
  current_setting('statement_timeout') as statement_timeout,
  current_setting('enable_seqscan') as enable_seqscan
from pg_catalog.pg_roles r
where r.rolname = current_user;

-- name: tables_of(schemas, tables)
-- The mapped tables that exist, and what this role may do with them beyond reading.
select
  w.n,
  c.oid::bigint as oid,
  c.relkind::text as kind,
  pg_catalog.has_schema_privilege(s.oid, 'usage') as reachable,
  pg_catalog.pg_has_role(c.relowner, 'member') as owned,
  c.relrowsecurity as row_security,
  array(
    select lower(p.privilege)
    from unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) as p(privilege)
    where pg_catalog.has_table_privilege(c.oid, p.privilege)
      or (p.privilege in ('INSERT', 'UPDATE') and pg_catalog.has_any_column_privilege(c.oid, p.privilege))
  ) as writes
from unnest(:schemas::text[], :tables::text[]) with ordinality as w(schema_name, table_name, n)
join pg_catalog.pg_namespace s on s.nspname = w.schema_name
join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relname = w.table_name
where c.relkind in ('r', 'p', 'v', 'm', 'f');

-- name: indexes_of(oids)
-- The usable indexes of these tables whose every part is a plain column.
select
  i.indrelid::bigint as oid,
  i.indisunique as is_unique,
  pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate,
  array(
    select a.attname::text
    from unnest(i.indkey::int2[]) with ordinality as k(attnum, n)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where k.n <= i.indnkeyatts
    order by k.n
  ) as columns
from pg_catalog.pg_index i
where i.indrelid = any(:oids::bigint[]::oid[]) and i.indisvalid and 0 <> all(i.indkey::int2[]);

-- name: surplus_of(oids, mapped)
-- What this role may read although nothing of it is mapped: other columns of mapped tables, and other tables and views.
select
  (
    select count(*)
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace s on s.oid = c.relnamespace
    where a.attrelid = any(:oids::bigint[]::oid[]) and a.attnum > 0 and not a.attisdropped
      and (s.nspname || '.' || c.relname || '.' || a.attname) <> all(:mapped::text[])
      and pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'select')
  ) as columns,
  (
    select count(*)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.oid <> all(:oids::bigint[]::oid[])
      and s.nspname <> 'information_schema' and s.nspname !~ '^pg_'
      and pg_catalog.has_schema_privilege(s.oid, 'usage')
      and pg_catalog.has_any_column_privilege(c.oid, 'select')
  ) as tables;
