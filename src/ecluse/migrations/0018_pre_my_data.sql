-- the person's own page: one-time links that a portal hands out, and the visits that they open
-- depends: 0017_pre_desk
-- migrate: apply
-- A row is a link (until_at null, digest of the secret in the link) and, once somebody follows it, a visit (digest of the cookie's secret): the same row
-- under another digest, so that a link is good once, whoever comes second. A link lives for 10 minutes, a visit for 60, 15 without a sign of life.
create table ecluse.usage_visit (
  digest      bytea       not null constraint usage_visit_pk primary key constraint usage_visit_digest_ck check (length(digest) = 32),
  subject_ref text        not null constraint usage_visit_person_ck check (subject_ref ~ '^[a-z][a-z0-9_-]{1,62}:.'),
  client_id   text        not null references ecluse.client (id),
  thumbprint  text        not null,
  made_at     timestamptz not null,
  seen_at     timestamptz not null,
  ends_at     timestamptz not null,
  until_at    timestamptz, -- null: a link; else the end of what the visit looks at, so that its pages stand still
  constraint usage_visit_life_ck check (ends_at <= made_at + case when until_at is null then interval '10 minutes' else interval '70 minutes' end)
);
comment on table ecluse.usage_visit is 'Links to a person''s own page, and visits of it, by the SHA-256 of what opens them. May be lost: the portal makes another link.';
comment on column ecluse.usage_visit.subject_ref is 'person: reference; retention: until the visit ends, at most 70 minutes';
create index usage_visit_ends_ix on ecluse.usage_visit (ends_at);
create index usage_visit_client_ix on ecluse.usage_visit (client_id, made_at);
create index usage_visit_person_ix on ecluse.usage_visit using hash (subject_ref);

-- Whether the portal that made a link stood all the time since: no hold on it in between, its key in use. What was stopped once stays over.
create function ecluse.usage_stood(p_client text, p_thumbprint text, p_since timestamptz, p_now timestamptz) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (select from ecluse.client c join ecluse.client_key k on k.client_id = c.id and k.thumbprint = p_thumbprint and k.revoked_at is null
                 where c.id = p_client and c.role = 'portal')
     and not exists (select from ecluse.hold h where h.scope = 'client' and h.scope_id = p_client and h.effect <> 'keep'
                     and h.from_at <= p_now and least(h.until_at, h.released_at) > p_since)
$$;

-- How many records a portal asked for in this minute: those that it looked at, and those that it made a link to.
create function ecluse.usage_asked(p_client text, p_now timestamptz) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
  select (select count(*) from ecluse.usage_look u where u.client_id = p_client and u.visit is null and u.sealed_at >= date_trunc('minute', p_now, 'UTC'))
       + (select count(*) from ecluse.usage_visit v where v.client_id = p_client and v.made_at >= date_trunc('minute', p_now, 'UTC'))
$$;

-- Make a link. It shows nothing yet: no entry. Wants a proof of key that the gate has spent, as a look. Under the head's lock, so that the rate is exact in
-- all gates together, and a hold that was sealed before is seen. Outcomes: made | stopped | limited.
create function ecluse.usage_link(
  p_log smallint, p_slot integer, p_proof bytea, p_client text, p_thumbprint text, p_subject text, p_digest bytea, p_limit integer)
returns table (outcome text, expires_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz;
begin
  perform 1 from ecluse.ledger_head l where l.log_id = p_log for update;
  t := ecluse.clock();
  perform 1 from ecluse.proof_spent x where x.slot = p_slot and x.digest = p_proof;
  if not found then raise exception 'no such proof was spent' using errcode = 'insufficient_privilege'; end if;
  if not ecluse.usage_stood(p_client, p_thumbprint, t, t) then return query select 'stopped', null::timestamptz; return; end if;
  if ecluse.usage_asked(p_client, t) >= p_limit then return query select 'limited', null::timestamptz; return; end if;
  insert into ecluse.usage_visit (digest, subject_ref, client_id, thumbprint, made_at, seen_at, ends_at)
  values (p_digest, p_subject, p_client, p_thumbprint, t, t, t + interval '10 minutes');
  return query select 'made', t + interval '10 minutes';
end $$;

-- Follow a link: it becomes a visit, once. No row: it was used, is over, or never was; which of them is nobody's business.
create function ecluse.usage_enter(p_link bytea, p_visit bytea) returns table (ends_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock();
begin
  return query
  update ecluse.usage_visit v set digest = p_visit, seen_at = t, ends_at = t + interval '60 minutes', until_at = t
  where v.digest = p_link and v.until_at is null and t < v.ends_at and ecluse.usage_stood(v.client_id, v.thumbprint, v.made_at, t)
  returning v.ends_at;
end $$;

-- Whose visit a cookie opens: a sign of life, written once a minute. No row: it is over. p_renew: its pages go up to now.
create function ecluse.usage_visited(p_visit bytea, p_renew boolean)
returns table (subject_ref text, client_id text, thumbprint text, until_at timestamptz, ends_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare t timestamptz := ecluse.clock(); v ecluse.usage_visit;
begin
  select * into v from ecluse.usage_visit x
  where x.digest = p_visit and x.until_at is not null and t < x.ends_at and t < x.seen_at + interval '15 minutes';
  if not found then return; end if;
  if not ecluse.usage_stood(v.client_id, v.thumbprint, v.made_at, t) then
    delete from ecluse.usage_visit x where x.digest = p_visit;
    return;
  end if;
  if p_renew or v.seen_at <= t - interval '1 minute' then
    update ecluse.usage_visit x set seen_at = t, until_at = case when p_renew then t else x.until_at end
    where x.digest = p_visit returning * into v;
    if not found then return; end if; -- closed meanwhile
  end if;
  return query select v.subject_ref, v.client_id, v.thumbprint, v.until_at, v.ends_at;
end $$;

-- Close a visit.
create function ecluse.usage_leave(p_visit bytea) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  delete from ecluse.usage_visit v where v.digest = p_visit
$$;

-- The look that this visit sealed for a page not five minutes ago, and how many lines it said: reading it again shows nothing more, and needs no entry.
create function ecluse.usage_again(p_visit bytea, p_to timestamptz, p_before_log smallint, p_before_index bigint, p_most integer)
returns table (digest bytea, lines integer, total integer)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select u.digest, (f.v ->> 'count')::integer, (select count(*)::integer from ecluse.usage_lines(o.subject_ref, null, p_to, null, null, ecluse.clock(), 10000))
  from ecluse.usage_look u
  join ecluse.opening o on o.log_id = u.log_id and o.index = u.index and o.sealed_at = u.sealed_at
  cross join lateral (select jsonb_object_agg(e.v ->> 0, e.v -> 1) as v from jsonb_array_elements(o.fields::jsonb) e (v)) f
  where u.visit = p_visit and u.sealed_at > ecluse.clock() - interval '4 minutes 50 seconds'
    and (f.v -> 'detail' ->> 'to')::timestamptz = p_to and (f.v -> 'detail' ->> 'most')::integer = p_most
    and (f.v -> 'detail' -> 'before' ->> 0)::smallint is not distinct from p_before_log
    and (f.v -> 'detail' -> 'before' ->> 1)::bigint is not distinct from p_before_index
  order by u.sealed_at desc
  limit 1
$$;
-- migrate: rollback
