-- keys of a log over time, a log that follows another, and times that others stamped on it
-- depends: 0004_pre_outcomes
-- migrate: apply
-- ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.ledger_key (
  log_id     smallint    not null references ecluse.ledger_log (id),
  vkey       text        not null,
  from_size  bigint      not null,
  until_size bigint,     -- null: in use
  added_at   timestamptz not null,
  ended_at   timestamptz, -- null: in use
  constraint ledger_key_pk primary key (log_id, vkey),
  constraint ledger_key_interval_ck check (from_size >= 0 and from_size < until_size)
);
comment on table ecluse.ledger_key is 'Keys that sign a log''s checkpoints: each those of sizes [from_size, until_size). ledger_log.vkey is the first of them.';

-- A log begins with the key that its row names.
create function ecluse.first_key() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into ecluse.ledger_key (log_id, vkey, from_size, added_at) values (new.id, new.vkey, 0, new.created_at);
  return null;
end $$;
create trigger ledger_log_first_key after insert on ecluse.ledger_log for each row execute function ecluse.first_key();
insert into ecluse.ledger_key (log_id, vkey, from_size, added_at) select g.id, g.vkey, 0, g.created_at from ecluse.ledger_log g;

-- What control() does for 'log:rekey' (step, vkey): `begin` lets a second key sign beside the first, from the head that holds this entry on; `finish`
-- ends the older one there. p_index: the entry's own.
create function ecluse.rekey_log(p_log smallint, p_body jsonb, p_index bigint, t timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare in_use integer;
begin
  select count(*) into in_use from ecluse.ledger_key k where k.log_id = p_log and k.until_size is null;
  if p_body ->> 'step' = 'begin' and in_use = 1 then
    insert into ecluse.ledger_key (log_id, vkey, from_size, added_at) values (p_log, p_body ->> 'vkey', p_index + 1, t);
  elsif p_body ->> 'step' = 'finish' and in_use = 2 then
    update ecluse.ledger_key k set until_size = p_index + 1, ended_at = t
    where k.log_id = p_log and k.vkey = p_body ->> 'vkey' and k.until_size is null
      and k.from_size = (select min(o.from_size) from ecluse.ledger_key o where o.log_id = p_log and o.until_size is null);
    if not found then raise exception 'not the older key in use' using errcode = 'no_data_found', constraint = 'ledger_key_older'; end if;
  else
    raise exception 'a key is changed in two steps' using errcode = 'no_data_found', constraint = 'ledger_key_steps';
  end if;
end $$;

-- ── successors ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.ledger_succession (
  log_id       smallint    not null constraint ledger_succession_pk primary key references ecluse.ledger_log (id),
  predecessor  smallint    not null constraint ledger_succession_predecessor_uq unique references ecluse.ledger_log (id),
  size         bigint      not null,
  signed_size  bigint      not null,
  succeeded_at timestamptz not null,
  constraint ledger_succession_order_ck check (predecessor < log_id)
);
comment on table ecluse.ledger_succession is 'Which log goes on where another ended. size: entries that were left of that one; signed_size: how many had been signed. The first entry of the new log says the same, and why.';

-- The log that is written now, by any log of its line. Not on the data path: a gate asks when it starts.
create function ecluse.current_log(p_log smallint) returns smallint language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with recursive line (log_id) as (
    select p_log
    union all
    select s.log_id from line l join ecluse.ledger_succession s on s.predecessor = l.log_id)
  select max(l.log_id) from line l
$$;

-- Nothing is ever sealed in a log that was succeeded: seal() and control() answer `stale`, and whatever else would write there fails here.
alter table ecluse.ledger_head add column closed_at timestamptz; -- null: it is written
comment on column ecluse.ledger_head.closed_at is 'when another log took its place';
create trigger ledger_head_closed before update on ecluse.ledger_head for each row when (old.closed_at is not null) execute function ecluse.refuse_change();

-- What control() does for 'log:succeed' (predecessor, size, signed_size): in the new log's first entry. The new head is locked by then; nobody else ever
-- locks two heads. p_seq goes on above the old log's, so that whoever asks for changes after a number misses none.
create function ecluse.succeed_log(p_log smallint, p_body jsonb, p_index bigint, p_seq bigint, t timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare old smallint := (p_body ->> 'predecessor')::smallint;
begin
  update ecluse.ledger_head h set closed_at = t where h.log_id = old and h.size = (p_body ->> 'size')::bigint and h.control_seq < p_seq;
  if not found or p_index <> 0 then
    raise exception 'the log has moved' using errcode = 'no_data_found', constraint = 'ledger_head_moved';
  end if;
  insert into ecluse.ledger_succession (log_id, predecessor, size, signed_size, succeeded_at)
  values (p_log, old, (p_body ->> 'size')::bigint, (p_body ->> 'signed_size')::bigint, t);
  update ecluse.processor p set log_id = p_log where p.log_id = old;
  delete from ecluse.idempotency i where i.log_id = old; -- no retry is answered from a log that is closed: it is a new disclosure
end $$;
comment on table ecluse.processor is 'A third party. Its log never changes, but for the one that succeeds it.';

-- ── anchors ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.ledger_anchor (
  log_id     smallint    not null references ecluse.ledger_log (id),
  size       bigint      not null,
  note       text        not null,
  answer     bytea       not null,
  authority  text        not null,
  stamped_at timestamptz not null,
  constraint ledger_anchor_pk primary key (log_id, size, stamped_at)
);
create index ledger_anchor_stamped_ix on ecluse.ledger_anchor (log_id, stamped_at);
comment on table ecluse.ledger_anchor is 'Time stamps of others (RFC 3161) on checkpoints as served. note: the bytes that were stamped; answer: the DER of the authority''s TimeStampResp.';
create trigger ledger_anchor_append_only before update or delete on ecluse.ledger_anchor for each row execute function ecluse.refuse_change();
create trigger ledger_anchor_keep before truncate on ecluse.ledger_anchor for each statement execute function ecluse.refuse_change();
create trigger ledger_succession_keep before truncate on ecluse.ledger_succession for each statement execute function ecluse.refuse_change();
create trigger ledger_succession_append_only before update or delete on ecluse.ledger_succession for each row execute function ecluse.refuse_change();
-- migrate: rollback
