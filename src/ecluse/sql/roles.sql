-- Run once by a database administrator (superuser or a role that may create roles), in the database meant for Écluse.
-- Passwords are set apart (ecluse init does it for the embedded database; elsewhere: alter role … password). Nothing here may be run by the gate.
do $$
declare r text;
begin
  foreach r in array array['ecluse_owner', 'ecluse_app', 'ecluse_jobs', 'ecluse_reader', 'ecluse_usage'] loop
    if not exists (select 1 from pg_roles where rolname = r) then execute format('create role %I login nosuperuser nocreatedb nocreaterole', r); end if;
  end loop;
  foreach r in array array['ecluse_sealer', 'ecluse_eraser'] loop
    if not exists (select 1 from pg_roles where rolname = r) then execute format('create role %I nologin nosuperuser', r); end if;
  end loop;
  execute format('grant create on database %I to ecluse_owner', current_database());
end $$;
grant ecluse_sealer, ecluse_eraser to ecluse_owner;
alter role ecluse_app set lock_timeout = '4s';
alter role ecluse_app set statement_timeout = '8s';
alter role ecluse_app set idle_in_transaction_session_timeout = '10s';
alter role ecluse_jobs set lock_timeout = '4s';
alter role ecluse_jobs set idle_in_transaction_session_timeout = '60s';
alter role ecluse_reader set default_transaction_read_only = on;
alter role ecluse_usage set lock_timeout = '4s';
alter role ecluse_usage set statement_timeout = '8s';
alter role ecluse_usage set idle_in_transaction_session_timeout = '10s';
