-- witnesses: the policy that names them, their cosignatures, and since when there were enough of them
-- depends: 0004_pre_outcomes
-- migrate: apply
create table ecluse.ledger_policy (
  log_id       smallint    not null references ecluse.ledger_log (id),
  version      integer     not null constraint ledger_policy_version_ck check (version > 0),
  text         text        not null,
  hash         text        not null,
  quorum_since timestamptz, -- null: it asks for no quorum
  applied_seq  bigint      not null,
  applied_at   timestamptz not null,
  applied_by   text        not null,
  constraint ledger_policy_pk primary key (log_id, version)
);
comment on table ecluse.ledger_policy is 'Witness policies (C2SP tlog-policy) as applied, every version. The highest version is in force; before the first there is no quorum to reach.';
comment on column ecluse.ledger_policy.quorum_since is 'Since when a quorum is asked for without a break: another version with other witnesses does not begin it anew.';
comment on column ecluse.ledger_policy.applied_by is 'staff: who applied it; retention: while the log is kept';

create table ecluse.ledger_cosignature (
  log_id      smallint    not null,
  size        bigint      not null,
  vkey        text        not null,
  line        text        not null,
  received_at timestamptz not null,
  constraint ledger_cosignature_pk primary key (log_id, size, vkey)
);
comment on table ecluse.ledger_cosignature is 'What witnesses said of a checkpoint: the note''s signature line (C2SP tlog-cosignature) and the key that it was verified by. No key to the checkpoint''s row: a line is worth what its signature is worth.';

create index ledger_cosignature_witness_ix on ecluse.ledger_cosignature (log_id, vkey, size);

create table ecluse.ledger_quorum (
  log_id     smallint    not null,
  size       bigint      not null,
  policy     integer     not null,
  reached_at timestamptz not null,
  constraint ledger_quorum_pk primary key (log_id, size)
);
comment on table ecluse.ledger_quorum is 'From when a checkpoint had the cosignatures that the policy in force (its version) asked for.';

create trigger ledger_policy_append_only before update or delete on ecluse.ledger_policy for each row execute function ecluse.refuse_change();
create trigger ledger_policy_keep before truncate on ecluse.ledger_policy for each statement execute function ecluse.refuse_change();
create trigger ledger_cosignature_append_only before update or delete on ecluse.ledger_cosignature for each row execute function ecluse.refuse_change();
create trigger ledger_cosignature_keep before truncate on ecluse.ledger_cosignature for each statement execute function ecluse.refuse_change();
create trigger ledger_quorum_append_only before update or delete on ecluse.ledger_quorum for each row execute function ecluse.refuse_change();
create trigger ledger_quorum_keep before truncate on ecluse.ledger_quorum for each statement execute function ecluse.refuse_change();

-- Since when entries wait for a quorum: when the oldest of them was sealed, or the first policy with a quorum was applied, whichever was later. Null: none
-- waits, or no quorum is asked for. An entry that is missing counts as the oldest there could be. Index probes only: gather() asks it for every batch.
create function ecluse.uncosigned_since(p_log smallint) returns timestamptz
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan -- it joins nothing
as $$
declare asked timestamptz; covered bigint;
begin
  select p.quorum_since into asked from ecluse.ledger_policy p where p.log_id = p_log order by p.version desc limit 1;
  if asked is null then
    return null;
  end if;
  covered := coalesce((select q.size from ecluse.ledger_quorum q where q.log_id = p_log order by q.size desc limit 1), 0);
  if (covered >= (select h.size from ecluse.ledger_head h where h.log_id = p_log)) is true then
    return null;
  end if;
  return greatest(asked, (select e.sealed_at from ecluse.ledger_entry e where e.log_id = p_log and e.index = covered));
end $$;

-- What control() does for 'witnesses:apply' (version, text, hash, quorum, actor); a null asks for a quorum.
create function ecluse.apply_witnesses(p_log smallint, p_body jsonb, p_seq bigint, t timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare v integer := (p_body ->> 'version')::integer; before timestamptz;
begin
  select p.quorum_since into before from ecluse.ledger_policy p where p.log_id = p_log and p.version = v - 1;
  insert into ecluse.ledger_policy (log_id, version, text, hash, quorum_since, applied_seq, applied_at, applied_by)
  values (p_log, v, p_body ->> 'text', p_body ->> 'hash', case when (p_body ->> 'quorum')::boolean is not false then coalesce(before, t) end,
          p_seq, t, p_body ->> 'actor');
end $$;
-- migrate: rollback
