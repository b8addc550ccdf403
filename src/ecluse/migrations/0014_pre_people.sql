-- people who sign in: officers, passkeys, invitations, sign-ins
-- depends: 0013_pre_emergency
-- migrate: apply
-- Whatever lets somebody in (officer, passkey) is written by a sealed control entry, and fsck compares the two. Of every secret the database knows the
-- SHA-256 and nothing that opens anything: of a cookie, of a link, of a challenge.

-- ── who there is ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.officer (
  id        text        not null constraint officer_pk primary key constraint officer_id_ck check (id ~ '^off_[a-z2-7]{26}$'),
  name      text        not null,
  name_salt bytea       not null, -- the entry holds SHA-256 of it and the name; forgotten with the name
  roles     text[]      not null,
  added_at  timestamptz not null,
  closed_at timestamptz, -- null: may sign in
  constraint officer_name_ck check (length(name) between 1 and 120 and length(name_salt) = 32 or name = '' and name_salt = '' and closed_at is not null),
  constraint officer_roles_ck check (cardinality(roles) between 1 and 5 and roles <@ array['administrator', 'dpo', 'security', 'case-worker', 'reader']),
  constraint officer_closed_ck check (added_at <= closed_at)
);
comment on table ecluse.officer is 'Staff of the controller who may sign in at the console. Added and closed by sealed control entries; other roles are another officer.';
comment on column ecluse.officer.name is 'staff: name of an officer; retention: while the account is open, then 12 months';

create table ecluse.passkey (
  credential_id bytea       not null constraint passkey_pk primary key constraint passkey_credential_ck check (length(credential_id) between 16 and 1023),
  officer_id    text        references ecluse.officer (id), -- null: an agent's
  agent_id      text        references ecluse.agent (id),   -- null: an officer's
  public_key    bytea       not null, -- COSE, as WebAuthn gives it
  sign_count    bigint      not null constraint passkey_count_ck check (sign_count >= 0),
  backed_up     boolean     not null,
  label         text        not null constraint passkey_label_ck check (length(label) <= 80),
  added_at      timestamptz not null,
  revoked_at    timestamptz, -- null: in use
  used_at       timestamptz, -- null: never used since
  constraint passkey_holder_ck check (num_nonnulls(officer_id, agent_id) = 1),
  constraint passkey_revoked_ck check (added_at <= revoked_at)
);
comment on table ecluse.passkey is 'Public halves of passkeys (WebAuthn). Added and revoked by sealed control entries.';
comment on column ecluse.passkey.agent_id is 'staff: whose it is; retention: while the contract runs, then 12 months';
comment on column ecluse.passkey.officer_id is 'staff: whose it is; retention: while the account is open, then 12 months';
comment on column ecluse.passkey.label is 'staff: how its holder calls it; retention: until 12 months after it is revoked or the account closed';
comment on column ecluse.passkey.used_at is 'staff: when it was used last; retention: until 12 months after it is revoked or the account closed';
create index passkey_officer_ix on ecluse.passkey (officer_id) where officer_id is not null;
create index passkey_agent_ix on ecluse.passkey (agent_id) where agent_id is not null;

-- A processor's desk: the client that its agents' browsers are keys of. It is no machine: it gets no token.
create unique index client_desk_uq on ecluse.client (processor_id) where role = 'desk';
-- Each sign-in at a desk leaves a key behind that is revoked: those in use stay few.
create index client_key_live_ix on ecluse.client_key (client_id, thumbprint) where revoked_at is null;

-- ── how they come in ─────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.invitation (
  secret_sha256 bytea       not null constraint invitation_pk primary key constraint invitation_secret_ck check (length(secret_sha256) = 32),
  officer_id    text        references ecluse.officer (id), -- null: of an agent
  agent_id      text        references ecluse.agent (id),   -- null: of an officer
  kind          text        not null constraint invitation_kind_ck check (kind in ('enrol', 'recover')),
  made_by       text        not null,
  made_at       timestamptz not null,
  approved_by   text,       -- null: not approved; an enrolment needs none
  approved_at   timestamptz, -- null: as approved_by
  expires_at    timestamptz not null,
  used_at       timestamptz, -- null: not used
  constraint invitation_holder_ck check (num_nonnulls(officer_id, agent_id) = 1),
  constraint invitation_two_ck check (approved_by <> made_by),
  constraint invitation_approved_ck check (num_nonnulls(approved_by, approved_at) in (0, 2)),
  constraint invitation_life_ck check (expires_at <= made_at + interval '24 hours'),
  constraint invitation_used_ck check (used_at is null or (used_at < expires_at and (kind = 'enrol' or approved_at <= used_at)))
);
comment on table ecluse.invitation is 'One-time links for a first passkey, or (recover) for a new one in the place of those that are lost: good for 24 hours and once.';
comment on column ecluse.invitation.agent_id is 'staff: who is invited; retention: 30 days after it expired';
comment on column ecluse.invitation.officer_id is 'staff: who is invited; retention: 30 days after it expired';
comment on column ecluse.invitation.made_by is 'staff: who made it; retention: 30 days after it expired';
comment on column ecluse.invitation.approved_by is 'staff: who approved it; retention: 30 days after it expired';
create unique index invitation_officer_uq on ecluse.invitation (officer_id) where used_at is null and officer_id is not null;
create unique index invitation_agent_uq on ecluse.invitation (agent_id) where used_at is null and agent_id is not null;

create table ecluse.sign_in (
  cookie_sha256 bytea       not null constraint sign_in_pk primary key constraint sign_in_cookie_ck check (length(cookie_sha256) = 32),
  id            text        not null constraint sign_in_id_uq unique constraint sign_in_id_ck check (id ~ '^sgn_[a-z2-7]{26}$'),
  officer_id    text        references ecluse.officer (id), -- null: an agent's
  agent_id      text        references ecluse.agent (id),   -- null: an officer's
  passkey       bytea       not null references ecluse.passkey (credential_id),
  client_id     text        references ecluse.client (id),  -- null: an officer's
  thumbprint    text,       -- null: no desk key is bound to it
  started_at    timestamptz not null,
  seen_at       timestamptz not null,
  stepped_up_at timestamptz not null,
  ends_at       timestamptz not null,
  ended_at      timestamptz, -- null: it lasts until ends_at, or until it was idle too long
  constraint sign_in_holder_ck check (num_nonnulls(officer_id, agent_id) = 1 and (agent_id is null) = (client_id is null)),
  constraint sign_in_key_ck check (thumbprint is null or client_id is not null),
  constraint sign_in_life_ck check (ends_at <= started_at + interval '10 hours')
);
comment on table ecluse.sign_in is 'Browsers that are signed in, by the SHA-256 of their cookie. A cookie is good for no other row, and a row for no second passkey.';
comment on column ecluse.sign_in.agent_id is 'staff: who signed in; retention: 6 months after it ended';
comment on column ecluse.sign_in.officer_id is 'staff: who signed in; retention: 6 months after it ended';
comment on column ecluse.sign_in.started_at is 'staff: when they came; retention: 6 months after it ended';
comment on column ecluse.sign_in.seen_at is 'staff: when they were there last; retention: 6 months after it ended';
create index sign_in_officer_ix on ecluse.sign_in (officer_id, started_at) where officer_id is not null;
create index sign_in_agent_ix on ecluse.sign_in (agent_id, started_at) where agent_id is not null;
create index sign_in_ends_ix on ecluse.sign_in (ends_at);

-- As many places as there are slots, whoever asks and how often: a new challenge takes the place of one that expired.
create table ecluse.sign_in_challenge (
  slot       integer     not null constraint sign_in_challenge_pk primary key constraint sign_in_challenge_slot_ck check (slot between 0 and 65535),
  digest     bytea       not null,
  purpose    text        not null constraint sign_in_challenge_purpose_ck check (purpose in ('enrol', 'sign-in', 'step-up')),
  bound_to   text        not null, -- the invitation's SHA-256, or the sign-in's id; empty: nobody is known yet
  expires_at timestamptz not null
);
comment on table ecluse.sign_in_challenge is 'What a passkey has to sign, by SHA-256: five minutes, once. May be lost: people are asked again.';

-- ── what stays as it was ─────────────────────────────────────────────────────────────────────────────────────────────────────
create trigger officer_once before update on ecluse.officer for each row
  when ((old.id, old.roles, old.added_at) is distinct from (new.id, new.roles, new.added_at) or (old.name <> new.name and new.name <> '')
        or (old.closed_at is not null and old.closed_at is distinct from new.closed_at)) execute function ecluse.refuse_change();
create trigger passkey_once before update on ecluse.passkey for each row
  when ((old.credential_id, old.officer_id, old.agent_id, old.public_key, old.added_at)
        is distinct from (new.credential_id, new.officer_id, new.agent_id, new.public_key, new.added_at) or new.sign_count < old.sign_count
        or (old.revoked_at is not null and old.revoked_at is distinct from new.revoked_at)) execute function ecluse.refuse_change();
create trigger sign_in_once before update on ecluse.sign_in for each row
  when ((old.cookie_sha256, old.id, old.officer_id, old.agent_id, old.passkey, old.client_id, old.started_at, old.ends_at)
        is distinct from (new.cookie_sha256, new.id, new.officer_id, new.agent_id, new.passkey, new.client_id, new.started_at, new.ends_at)
        or (old.thumbprint is not null and old.thumbprint is distinct from new.thumbprint)
        or (old.ended_at is not null and old.ended_at is distinct from new.ended_at)) execute function ecluse.refuse_change();
create trigger officer_keep before delete on ecluse.officer for each row execute function ecluse.refuse_change();
create trigger officer_whole before truncate on ecluse.officer for each statement execute function ecluse.refuse_change();
create trigger passkey_keep before delete on ecluse.passkey for each row execute function ecluse.refuse_change();
create trigger passkey_whole before truncate on ecluse.passkey for each statement execute function ecluse.refuse_change();

-- ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- An officer who acts on accounts is an open administrator. Whoever is no officer (cli:…) is at the installation's own terminal.
create function ecluse.may_manage(p_actor text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select case when p_actor ~ '^off_' then exists (
                select from ecluse.officer o where o.id = p_actor and o.closed_at is null and 'administrator' = any(o.roles))
              else p_actor ~ '^cli:.' end
$$;

-- A link for somebody. Whoever has a passkey gets a new one by recovery only, which waits for another administrator. An open link of theirs is replaced.
-- Returns when it expires; null: nobody to invite, or not to be invited so.
create function ecluse.invite(p_secret bytea, p_holder text, p_kind text, p_actor text) returns timestamptz
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock(); has boolean; v_expires timestamptz := t + interval '24 hours';
begin
  if ecluse.may_manage(p_actor) is not true then return null; end if;
  perform from ecluse.officer o where o.id = p_holder and o.closed_at is null;
  if not found then
    perform from ecluse.agent a where a.id = p_holder;
    if not found then return null; end if;
  end if;
  has := exists (select from ecluse.passkey k where p_holder in (k.officer_id, k.agent_id) and k.revoked_at is null);
  if (has = (p_kind = 'recover')) is not true then return null; end if;
  delete from ecluse.invitation i where p_holder in (i.officer_id, i.agent_id) and i.used_at is null;
  insert into ecluse.invitation (secret_sha256, officer_id, agent_id, kind, made_by, made_at, expires_at)
  values (p_secret, case when p_holder ~ '^off_' then p_holder end, case when p_holder ~ '^agt_' then p_holder end, p_kind, p_actor, t, v_expires);
  return v_expires;
end $$;

-- The second person's word for a recovery: another administrator than who asked, and not the one to be recovered.
create function ecluse.approve_invitation(p_secret bytea, p_actor text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock();
begin
  if ecluse.may_manage(p_actor) is not true then return false; end if;
  update ecluse.invitation i set approved_by = p_actor, approved_at = t
  where i.secret_sha256 = p_secret and i.kind = 'recover' and i.used_at is null and t < i.expires_at and i.approved_at is null
    and i.made_by <> p_actor and i.officer_id is distinct from p_actor;
  return found;
end $$;

-- ── what control() does for these acts ───────────────────────────────────────────────────────────────────────────────────────
-- officer:add (id, name, salt, roles, actor) · officer:close (id, actor)
-- passkey:add (credential, holder, public_key, sign_count, backed_up, label, invitation, made_by, approved_by) · passkey:revoke (credential, holder, actor)
-- Bytes are in hex. People revoke their own passkeys; all else is an administrator's. Whoever is closed, or whose passkey is revoked, is signed out in the same transaction.
create function ecluse.manage_people(p_act text, p_body jsonb, t timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare v_id text := p_body ->> 'id'; v_key bytea := decode(p_body ->> 'credential', 'hex'); v_holder text := p_body ->> 'holder'; v_made ecluse.invitation;
begin
  if p_act <> 'passkey:add' and not (p_act = 'passkey:revoke' and p_body ->> 'actor' = v_holder) and ecluse.may_manage(p_body ->> 'actor') is not true then
    raise exception 'not by an administrator' using errcode = 'no_data_found', constraint = 'people_administrator';
  end if;
  case p_act
    when 'officer:add' then
      insert into ecluse.officer (id, name, name_salt, roles, added_at)
      values (v_id, p_body ->> 'name', decode(p_body ->> 'salt', 'hex'), array(select jsonb_array_elements_text(p_body -> 'roles')), t);
    when 'officer:close' then
      if exists (select from ecluse.officer o where o.id = v_id and 'administrator' = any(o.roles))
         and not exists (select from ecluse.officer o where o.id <> v_id and o.closed_at is null and 'administrator' = any(o.roles)) then
        raise exception 'the last administrator stays' using errcode = 'no_data_found', constraint = 'officer_last';
      end if;
      update ecluse.officer o set closed_at = t where o.id = v_id and o.closed_at is null;
      if not found then raise exception 'no such officer' using errcode = 'no_data_found', constraint = 'officer_open'; end if;
      update ecluse.sign_in s set ended_at = t where s.officer_id = v_id and s.ended_at is null;
    when 'passkey:add' then -- once, in time, for whom the link was made, and of a recovery with two persons' word
      update ecluse.invitation i set used_at = t
      where i.secret_sha256 = decode(p_body ->> 'invitation', 'hex') and v_holder in (i.officer_id, i.agent_id) and i.used_at is null and t < i.expires_at
        and (i.kind = 'enrol' or i.approved_at is not null)
        and i.made_by = p_body ->> 'made_by' and i.approved_by is not distinct from p_body ->> 'approved_by'
        and not exists (select from ecluse.officer o where o.id = i.officer_id and o.closed_at is not null)
        -- a recovery begins with the end of what was lost
        and not exists (select from ecluse.passkey k where v_holder in (k.officer_id, k.agent_id) and k.revoked_at is null)
      returning * into v_made;
      if not found then raise exception 'no such link in force' using errcode = 'no_data_found', constraint = 'invitation_open'; end if;
      insert into ecluse.passkey (credential_id, officer_id, agent_id, public_key, sign_count, backed_up, label, added_at)
      values (v_key, v_made.officer_id, v_made.agent_id, decode(p_body ->> 'public_key', 'hex'), (p_body ->> 'sign_count')::bigint,
              (p_body ->> 'backed_up')::boolean, p_body ->> 'label', t);
    when 'passkey:revoke' then
      update ecluse.passkey k set revoked_at = t where k.credential_id = v_key and v_holder in (k.officer_id, k.agent_id) and k.revoked_at is null;
      if not found then raise exception 'no such passkey in use' using errcode = 'no_data_found', constraint = 'passkey_in_use'; end if;
      update ecluse.sign_in s set ended_at = t where s.passkey = v_key and s.ended_at is null;
  end case;
end $$;

-- What has served its time. Returns the most rows that one statement took.
create function ecluse.purge_people() returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock(); most integer; gone integer;
begin
  delete from ecluse.sign_in_challenge c where c.expires_at <= t;
  get diagnostics most = row_count;
  delete from ecluse.walk_in w where w.expires_at <= t; -- 0016
  get diagnostics gone = row_count; most := greatest(most, gone);
  delete from ecluse.invitation i where i.expires_at <= t - interval '30 days';
  get diagnostics gone = row_count; most := greatest(most, gone);
  delete from ecluse.sign_in s where s.cookie_sha256 in (select x.cookie_sha256 from ecluse.sign_in x where x.ends_at <= t - interval '6 months' limit 2000);
  get diagnostics gone = row_count; most := greatest(most, gone);
  update ecluse.officer o set name = '', name_salt = '' where o.closed_at <= t - interval '12 months' and o.name <> '';
  update ecluse.passkey k set label = '', used_at = null where (k.label <> '' or k.used_at is not null) and least(
    k.revoked_at, (select o.closed_at from ecluse.officer o where o.id = k.officer_id)) <= t - interval '12 months';
  return most;
end $$;
-- migrate: rollback
