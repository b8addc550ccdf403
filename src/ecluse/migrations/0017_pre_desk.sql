-- the desk: spoken codes for walk-ins, and an agent's own sessions by an index
-- depends: 0016_pre_lookup
-- migrate: apply
create table ecluse.walk_in (
  code       text        not null constraint walk_in_pk primary key constraint walk_in_code_ck check (code ~ '^[0-9]{8}$'),
  session_id text        not null references ecluse.session (id) on delete cascade,
  agent_id   text        not null references ecluse.agent (id),
  made_at    timestamptz not null,
  expires_at timestamptz not null,
  constraint walk_in_agent_uq unique (session_id, agent_id),
  constraint walk_in_life_ck check (made_at < expires_at)
);
comment on table ecluse.walk_in is 'Codes that an agent says on the telephone, so that the agency finds her session: eight random digits, an hour. They open nothing. One at a time for an agent and a session.';
comment on column ecluse.walk_in.agent_id is 'staff: reference; retention: an hour, then at most a day';
create index walk_in_expires_ix on ecluse.walk_in (expires_at);
-- my sessions, among all that there ever were
create index session_agent_agent_ix on ecluse.session_agent (agent_id, session_id);
-- migrate: rollback
