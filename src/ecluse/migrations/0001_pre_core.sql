-- the core schema: ledger, contracts, identity, schedule, budgets and the one door
-- depends:
-- migrate: apply
-- Read this file from top to bottom: each table's comment says what it holds, who writes it and what it may lose.
-- Instants are timestamptz in UTC; intervals are half-open. Columns that hold a person's reference carry a comment with their retention.
create schema ecluse;
revoke all on schema ecluse from public;
-- The clock of every decision. Production has no switch for it; a test database replaces this function as its owner.
create function ecluse.clock() returns timestamptz language sql volatile as 'select clock_timestamp()';

-- ── ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.ledger_log (
  id         smallint    not null constraint ledger_log_pk primary key,
  name       text        not null constraint ledger_log_name_uq unique,
  origin     text        not null constraint ledger_log_origin_uq unique,
  vkey       text        not null,
  created_at timestamptz not null
);
comment on table ecluse.ledger_log is 'One row a log. Created only by ledger init.';

create table ecluse.ledger_head (
  log_id      smallint    not null constraint ledger_head_pk primary key references ecluse.ledger_log (id),
  size        bigint      not null constraint ledger_head_size_ck check (size >= 0),
  control_seq bigint      not null constraint ledger_head_seq_ck check (control_seq >= 0),
  last_at     timestamptz not null
) with (fillfactor = 10);
comment on table ecluse.ledger_head is 'The lock that every writer takes first. size: entries sealed; control_seq: rises with every change of what may be disclosed; last_at: clock of the last seal, never goes back.';

create table ecluse.ledger_entry (
  log_id    smallint    not null,
  index     bigint      not null,
  leaf      bytea       not null,
  sealed_at timestamptz not null,
  constraint ledger_entry_pk primary key (log_id, index)
) partition by range (index);
comment on table ecluse.ledger_entry is 'The leaves, append-only. Partitioned by index, never by time: two months could hold the same index.';

create table ecluse.opening (
  log_id        smallint    not null,
  index         bigint      not null,
  sealed_at     timestamptz not null,
  event         text        not null,
  disclosure_id text,       -- null: a control entry
  processor_id  text,       -- null: a control entry of no processor
  agent_id      text,       -- null: none named
  subject_ref   text,       -- null: a control entry, or a handle that is not this processor's
  fields        text        not null,
  salts         bytea       not null,
  constraint opening_pk primary key (log_id, index, sealed_at)
) partition by range (sealed_at);
comment on table ecluse.opening is 'What opens an entry''s commitment: names and values of its fields in order, and 32 bytes of salt for each. Erasable; never updated.';
comment on column ecluse.opening.subject_ref is 'person: reference; retention 12 months';
comment on column ecluse.opening.fields is 'person: reference, and what was given in which form; retention 12 months';
comment on column ecluse.opening.agent_id is 'staff: reference; retention 12 months';
create index opening_disclosure_ix on ecluse.opening (disclosure_id) where disclosure_id is not null;
create table ecluse.opening_default partition of ecluse.opening default;

create table ecluse.ledger_tile (
  log_id smallint not null,
  level  smallint not null,
  tile   bigint   not null,
  hashes bytea    not null constraint ledger_tile_width_ck check (length(hashes) between 32 and 8192 and length(hashes) % 32 = 0),
  constraint ledger_tile_pk primary key (log_id, level, tile)
);
comment on table ecluse.ledger_tile is 'Tiles of 256 hashes (C2SP tlog-tiles), the last of a level partial. Derived from the entries: may be lost and rebuilt.';

create table ecluse.ledger_checkpoint (
  log_id    smallint    not null,
  size      bigint      not null,
  root      bytea       not null,
  note      text        not null,
  signed_at timestamptz not null,
  constraint ledger_checkpoint_pk primary key (log_id, size)
);
comment on table ecluse.ledger_checkpoint is 'Signed heads (C2SP tlog-checkpoint). The signer also keeps the last one outside this database.';

-- ── processors, their contracts, agents and machines ─────────────────────────────────────────────────────────────────────────
create table ecluse.processor (
  id       text        not null constraint processor_pk primary key,
  name     text        not null,
  log_id   smallint    not null references ecluse.ledger_log (id),
  added_at timestamptz not null
);
comment on table ecluse.processor is 'A third party. Its log never changes.';

create table ecluse.contract (
  processor_id text        not null references ecluse.processor (id),
  version      integer     not null constraint contract_version_ck check (version > 0),
  reference    text        not null,
  text         text        not null,
  hash         text        not null,
  applied_seq  bigint      not null,
  applied_at   timestamptz not null,
  applied_by   text        not null,
  constraint contract_pk primary key (processor_id, version)
);
comment on table ecluse.contract is 'Contract files as applied, every version. The highest version is in force.';
comment on column ecluse.contract.applied_by is 'staff: who applied it; retention: while the contract runs, then 12 months';

create table ecluse.agent (
  id           text        not null constraint agent_pk primary key,
  processor_id text        not null references ecluse.processor (id),
  label        text        not null,
  added_at     timestamptz not null
);
comment on column ecluse.agent.label is 'staff: how the processor calls its agent; retention: while the contract runs, then 12 months';
create index agent_processor_ix on ecluse.agent (processor_id);

create table ecluse.client (
  id           text        not null constraint client_pk primary key,
  role         text        not null constraint client_role_ck check (role in ('processor', 'scheduler', 'portal', 'auditor', 'desk')),
  processor_id text        references ecluse.processor (id),
  label        text        not null,
  added_at     timestamptz not null,
  constraint client_processor_ck check ((role in ('processor', 'desk')) = (processor_id is not null))
);
comment on table ecluse.client is 'A machine: a processor''s, or (no processor) the controller''s own scheduler or portal for persons, or an auditor''s. Role desk is none: the browsers of a processor''s agents are its keys.';

create table ecluse.client_key (
  client_id  text        not null references ecluse.client (id),
  thumbprint text        not null,
  alg        text        not null constraint client_key_alg_ck check (alg in ('ES256', 'EdDSA')),
  jwk        text        not null,
  added_at   timestamptz not null,
  revoked_at timestamptz, -- null: in use
  constraint client_key_pk primary key (client_id, thumbprint)
);
comment on table ecluse.client_key is 'Public halves only.';

create table ecluse.hold (
  id          text        not null constraint hold_pk primary key,
  scope       text        not null constraint hold_scope_ck check (scope in ('processor', 'client', 'agent', 'contract', 'person')),
  scope_id    text        not null,
  effect      text        not null constraint hold_effect_ck check (effect in ('suspend', 'freeze', 'keep')),
  reason      text        not null,
  placed_by   text        not null,
  from_at     timestamptz not null,
  until_at    timestamptz not null default 'infinity',
  released_at timestamptz, -- null: not released
  constraint hold_interval_ck check (from_at < until_at)
);
comment on column ecluse.hold.scope_id is 'person: reference when scope is person; retention: while the hold lasts, then 12 months';
comment on column ecluse.hold.placed_by is 'staff: who placed it; retention: while the hold lasts, then 12 months';
create index hold_live_ix on ecluse.hold (scope, scope_id) where released_at is null;

-- ── schedule ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.schedule_import (
  id         text        not null constraint schedule_import_pk primary key,
  source     text        not null,
  sha256     text        not null,
  row_count  integer     not null,
  actor      text        not null,
  started_at timestamptz not null,
  applied_at timestamptz  -- null: pending; its rows have no effect
);
comment on table ecluse.schedule_import is 'A file of places. Its new rows are loaded first and take effect in the instant that applied_at is set, under the head''s lock.';
comment on column ecluse.schedule_import.actor is 'staff: who sent it; retention 12 months';
create unique index schedule_import_pending_uq on ecluse.schedule_import (source) where applied_at is null;

create table ecluse.session (
  id           text        not null constraint session_pk primary key,
  source       text        not null,
  session_ref  text        not null,
  processor_id text        not null references ecluse.processor (id),
  purpose      text        not null,
  site_id      text        not null,
  room         text        not null,
  starts_at    timestamptz not null,
  ends_at      timestamptz not null,
  import_id    text        not null references ecluse.schedule_import (id),
  changed_seq  bigint      not null default 0,
  constraint session_identity_uq unique (source, session_ref),
  constraint session_interval_ck check (starts_at < ends_at)
);
comment on column ecluse.session.changed_seq is 'control_seq of its last move; 0: never moved';
create index session_processor_ix on ecluse.session (processor_id, starts_at);

create table ecluse.session_agent (
  session_id text not null references ecluse.session (id) on delete cascade,
  agent_id   text not null references ecluse.agent (id),
  constraint session_agent_pk primary key (session_id, agent_id)
);
comment on column ecluse.session_agent.agent_id is 'staff: reference; retention 12 months after the session';

create table ecluse.enrolment (
  id           text not null constraint enrolment_pk primary key,
  processor_id text not null references ecluse.processor (id),
  purpose      text not null,
  course_ref   text not null,
  subject_ref  text not null,
  constraint enrolment_identity_uq unique (processor_id, purpose, course_ref, subject_ref)
);
comment on column ecluse.enrolment.subject_ref is 'person: reference; retention 12 months after the course''s last session';

create table ecluse.appointment (
  processor_id text        not null references ecluse.processor (id),
  id           text        not null,
  session_id   text        not null references ecluse.session (id),
  place_ref    text        not null,
  enrolment_id text        not null references ecluse.enrolment (id),
  subject_ref  text        not null,
  import_id    text        not null references ecluse.schedule_import (id),
  cancelled_at timestamptz, -- null: planned
  reads        integer     not null default 0,
  constraint appointment_pk primary key (processor_id, id),
  constraint appointment_identity_uq unique (session_id, place_ref)
) with (fillfactor = 70);
comment on column ecluse.appointment.subject_ref is 'person: reference; retention 12 months after the session';
comment on column ecluse.appointment.reads is 'disclosures sealed under it; written by seal() only';

create table ecluse.schedule_change (
  processor_id   text        not null references ecluse.processor (id),
  seq            bigint      not null,
  ordinal        integer     not null,
  kind           text        not null constraint schedule_change_kind_ck check (kind in ('moved', 'cancelled', 'reinstated')),
  session_id     text        not null,
  appointment_id text,       -- null: the whole session moved
  changed_at     timestamptz not null,
  constraint schedule_change_pk primary key (processor_id, seq, ordinal)
);
comment on table ecluse.schedule_change is 'What a processor is told under /v1/changes; seq is the control_seq of the import.';

-- ── what has been spent ──────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.budget_person (
  unit        text        not null constraint budget_person_unit_ck check (unit in ('h', 'd', 'm')),
  bucket      timestamptz not null,
  scope       text        not null,
  subject_ref text        not null,
  constraint budget_person_pk primary key (unit, bucket, scope, subject_ref)
);
comment on column ecluse.budget_person.subject_ref is 'person: reference; retention: until its hour, day or month is over, then at most a day';

create table ecluse.budget_count (
  unit    text        not null,
  bucket  timestamptz not null,
  scope   text        not null,
  persons integer     not null,
  constraint budget_count_pk primary key (unit, bucket, scope)
) with (fillfactor = 50);

create table ecluse.idempotency (
  client_id     text        not null,
  endpoint      text        not null,
  key           text        not null,
  request_hash  bytea       not null,
  log_id        smallint    not null,
  index         bigint      not null,
  entries       integer     not null,
  sealed_at     timestamptz not null,
  redeliveries  integer     not null default 0,
  constraint idempotency_pk primary key (client_id, endpoint, key)
) with (fillfactor = 80);
comment on table ecluse.idempotency is 'Grants that may be answered again: ten minutes.';

create table ecluse.proof_spent (
  slot   integer not null,
  digest bytea   not null,
  constraint proof_spent_pk primary key (slot, digest)
);
comment on table ecluse.proof_spent is 'Single-use proofs and assertions. Logged on purpose: after a crash an unlogged table is empty and a proof would live again.';

create table ecluse.refusal_count (
  client_id text    not null,
  minute    integer not null,             -- since 1970
  sealed    integer not null,
  counted   integer not null,             -- not sealed one by one
  noted     bigint,                       -- null: no entry says how many were counted
  constraint refusal_count_pk primary key (client_id, minute)
) with (fillfactor = 50);
comment on table ecluse.refusal_count is 'Refusals of a client in a minute: a quarter of an hour, and until its counted entry is sealed.';

-- ── append-only, by trigger as well as by grant ──────────────────────────────────────────────────────────────────────────────
create function ecluse.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'append-only: % on % is refused', tg_op, tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger ledger_entry_append_only before update or delete on ecluse.ledger_entry for each row execute function ecluse.refuse_change();
create trigger ledger_entry_keep before truncate on ecluse.ledger_entry for each statement execute function ecluse.refuse_change();
create trigger opening_append_only before update on ecluse.opening for each row execute function ecluse.refuse_change();
create trigger opening_keep before truncate on ecluse.opening for each statement execute function ecluse.refuse_change();
create trigger contract_append_only before update or delete on ecluse.contract for each row execute function ecluse.refuse_change();
create trigger schedule_change_append_only before update on ecluse.schedule_change for each row execute function ecluse.refuse_change();

-- Partitions ahead of need: entries by 2^24, openings by month. A missing month falls into the default; a missing range of entries
-- would refuse every seal, so 16 ranges (268 million entries) stand from the start and two are always ahead.
-- An opening is digests and salts, which no compression makes smaller: kept in its row it is one write, not three.
create function ecluse.ensure_partitions() returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  month timestamptz; part text; step bigint := 1 << 24; lo bigint; top bigint;
begin
  -- entries before openings, the order in which a seal meets them
  select coalesce(max(h.size), 0) / step + 2 into top from ecluse.ledger_head h;
  for p in 0..greatest(top, 15) loop
    part := 'ledger_entry_' || lpad(p::text, 5, '0'); lo := p * step;
    if to_regclass('ecluse.' || part) is null then
      execute format('create table ecluse.%I partition of ecluse.ledger_entry for values from (%L) to (%L)', part, lo, lo + step);
    end if;
  end loop;
  for m in 0..2 loop
    month := date_trunc('month', ecluse.clock(), 'UTC') + make_interval(months => m);
    part := 'opening_' || to_char(month at time zone 'UTC', 'YYYYMM');
    if to_regclass('ecluse.' || part) is null
       and not exists (select 1 from ecluse.opening_default d where d.sealed_at >= month and d.sealed_at < month + interval '1 month') then
      execute format('create table ecluse.%I partition of ecluse.opening for values from (%L) to (%L) with (toast_tuple_target = 8160)', part, month, month + interval '1 month');
    end if;
  end loop;
end $$;
select ecluse.ensure_partitions();
-- migrate: rollback
