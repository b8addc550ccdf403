-- notices: who was told what, and when
-- depends: 0013_pre_emergency
-- migrate: apply
-- A row is one matter that one party is to be told of once. It decides nothing: what a gate is, is computed, with or without anybody told.
-- waiting -> sent | dead; dead -> waiting by hand. A process that takes some moves their due_at beyond its own time-out; if it dies, they are due again then.
create table ecluse.notice (
  id           uuid        not null default gen_random_uuid() constraint notice_pk primary key,
  processor_id text        references ecluse.processor (id), -- null: of none
  topic        text        not null,
  reason       text        not null, -- the gate's reason, or the id of a document, finding, override or emergency; empty: none
  at           timestamptz not null,
  days         integer     not null constraint notice_days_ck check (days >= 0),
  audience     text        not null constraint notice_audience_ck check (audience in ('controller', 'processor')),
  facts        jsonb       not null,
  noted_at     timestamptz not null,
  due_at       timestamptz not null,
  give_up_at   timestamptz not null,
  state        text        not null default 'waiting' constraint notice_state_ck check (state in ('waiting', 'sent', 'dead')),
  attempts     integer     not null default 0,
  problem      text,       -- null: the last attempt did not fail, or there was none
  sent_at      timestamptz, -- null: nobody was told yet
  sent_to      text[]      not null default '{}',
  constraint notice_once_uq unique nulls not distinct (processor_id, topic, reason, at, days, audience)
);
comment on table ecluse.notice is 'Who was told what: since or from when (at), how many days before (0: it is so), which party. Typed facts only, no words of people; 12 months.';
comment on column ecluse.notice.sent_to is 'staff: addresses that were told; retention: 12 months';
create index notice_due_ix on ecluse.notice (due_at) where state = 'waiting';
create index notice_dead_ix on ecluse.notice (noted_at) where state = 'dead';
create index notice_noted_ix on ecluse.notice (noted_at);
-- migrate: rollback
