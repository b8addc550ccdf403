"""Statements about people who sign in (PostgreSQL, role ``ecluse_app``). Trusted store; challenges may be lost, everything else may not.

What lets somebody in is never written here: `ecluse.control` does that, with its sealed entry. Instants are the database's clock's.
"""

from __future__ import annotations

from typing import Final

_SUSPENDED: Final = """
exists (select from ecluse.hold h where h.released_at is null and h.effect = 'suspend' and h.from_at <= n.t and n.t < h.until_at
        and (h.scope, h.scope_id) in (('agent', a.id), ('processor', a.processor_id), ('contract', a.processor_id), ('client', {client})))
"""
"""Whether an agent ``a`` may not act at ``n.t``: itself, its processor, the contract or the desk is suspended. Frozen is told at the desk."""

ISSUE: Final = """
insert into ecluse.sign_in_challenge as c (slot, digest, purpose, bound_to, expires_at)
values ($1, $2, $3, $4, ecluse.clock() + interval '5 minutes')
on conflict (slot) do update set digest = excluded.digest, purpose = excluded.purpose, bound_to = excluded.bound_to, expires_at = excluded.expires_at
where c.expires_at <= ecluse.clock() or $5 returning slot
"""
"""Keep a challenge, in a free slot only, or ($5) in any: however many are asked for, they take no more room."""

SPEND: Final = """
delete from ecluse.sign_in_challenge where slot = $1 and digest = $2 and purpose = $3 and expires_at > ecluse.clock() returning bound_to
"""
"""Spend a challenge of one purpose, once."""

LINK: Final = """
select i.kind, coalesce(o.id, a.id) as holder, coalesce(o.name, a.label) as name, a.processor_id, i.made_by, i.approved_by,
       i.kind = 'recover' and i.approved_at is null as waits
from ecluse.invitation i left join ecluse.officer o on o.id = i.officer_id left join ecluse.agent a on a.id = i.agent_id
where i.secret_sha256 = $1 and i.used_at is null and ecluse.clock() < i.expires_at and o.closed_at is null
"""
"""A one-time link that is good, or waits for its second person."""

PASSKEYS_OF: Final = """
select credential_id, label, backed_up, added_at, used_at from ecluse.passkey
where $1 in (officer_id, agent_id) and revoked_at is null order by added_at
"""
"""Somebody's passkeys in use."""

PASSKEY: Final = f"""
with n as materialized (select ecluse.clock() as t)
select k.public_key, k.sign_count, k.officer_id, k.agent_id, coalesce(o.name, a.label) as name, o.roles, a.processor_id, c.id as client_id
from n cross join ecluse.passkey k
left join ecluse.officer o on o.id = k.officer_id
left join ecluse.agent a on a.id = k.agent_id
left join ecluse.client c on c.processor_id = a.processor_id and c.role = 'desk'
where k.credential_id = $1 and k.revoked_at is null and o.closed_at is null and (a.id is null or c.id is not null and not {_SUSPENDED.format(client="c.id")})
"""  # noqa: S608 - our own constant
"""A passkey in use, of somebody who may sign in now."""

USE: Final = """
update ecluse.passkey set sign_count = $2, backed_up = $3, used_at = ecluse.clock()
where credential_id = $1 and sign_count = $4 and revoked_at is null returning used_at
"""
"""Say that a passkey was used, if nobody used it meanwhile ($4: its counter as it was checked)."""

BEGIN: Final = """
with n as materialized (select ecluse.clock() as t)
insert into ecluse.sign_in (cookie_sha256, id, officer_id, agent_id, passkey, client_id, thumbprint, started_at, seen_at, stepped_up_at, ends_at)
select $1, $2, $3, $4, $5, $6, $7, n.t, n.t, n.t, n.t + $8::interval from n returning started_at, ends_at
"""
"""A new sign-in."""

RESOLVE: Final = f"""
with n as materialized (select ecluse.clock() as t),
live as materialized (
  select s.cookie_sha256, s.id, s.officer_id, s.agent_id, s.client_id, s.thumbprint, s.started_at, s.ends_at, s.stepped_up_at, s.seen_at, n.t,
         coalesce(o.name, a.label) as name, o.roles, a.processor_id
  from n cross join ecluse.sign_in s
  join ecluse.passkey k on k.credential_id = s.passkey and k.revoked_at is null
  left join ecluse.officer o on o.id = s.officer_id
  left join ecluse.agent a on a.id = s.agent_id
  left join ecluse.client_key d on d.client_id = s.client_id and d.thumbprint = s.thumbprint
  where s.cookie_sha256 = $1 and s.ended_at is null and n.t < s.ends_at and s.seen_at > n.t - $2::interval and o.closed_at is null
    and (s.thumbprint is null or d.added_at is not null and d.revoked_at is null)
    and (a.id is null or not {_SUSPENDED.format(client="s.client_id")})
), seen as (
  update ecluse.sign_in s set seen_at = l.t from live l
  where $3::boolean and s.cookie_sha256 = l.cookie_sha256 and s.ended_at is null and s.seen_at <= l.t - interval '1 minute'
)
select id, officer_id, agent_id, client_id, thumbprint, started_at, ends_at, stepped_up_at,
       stepped_up_at + $4::interval - t as fresh_for, name, roles, processor_id
from live
"""  # noqa: S608 - our own constant
"""Who a cookie stands for now, and that they were here (at most once a minute)."""

STEP_UP: Final = (
    "update ecluse.sign_in set stepped_up_at = ecluse.clock() where id = $1 and ended_at is null returning stepped_up_at"
)

END: Final = """
update ecluse.sign_in set ended_at = ecluse.clock() where cookie_sha256 = $1 and ended_at is null
returning coalesce(officer_id, agent_id) as person, client_id, thumbprint
"""
"""End a sign-in, whose it may be."""

LEFT_KEYS: Final = """
select s.client_id, s.thumbprint
from ecluse.sign_in s join ecluse.client_key k on k.client_id = s.client_id and k.thumbprint = s.thumbprint and k.revoked_at is null
where s.agent_id = $1 and (s.ended_at is not null or s.ends_at <= ecluse.clock() or s.seen_at <= ecluse.clock() - $2::interval)
order by s.started_at limit 8
"""
"""Desk keys of an agent's sign-ins that are over and were never signed out."""

OFFICERS: Final = """
select o.id, o.name, o.roles, o.added_at, o.closed_at, coalesce(k.passkeys, 0) as passkeys, s.seen_at, i.kind, i.expires_at, i.made_by,
       i.approved_at is not null as approved
from ecluse.officer o
left join lateral (select count(*) as passkeys from ecluse.passkey k where k.officer_id = o.id and k.revoked_at is null) k on true
left join lateral (select s.seen_at from ecluse.sign_in s where s.officer_id = o.id order by s.started_at desc limit 1) s on true
left join ecluse.invitation i on i.officer_id = o.id and i.used_at is null and ecluse.clock() < i.expires_at
where $1::boolean or o.closed_at is null order by o.closed_at is not null, o.name, o.id limit 500
"""
"""The controller's officers, those who are closed ($1) too."""

AGENTS: Final = """
select a.id, a.label, a.processor_id, a.added_at, coalesce(k.passkeys, 0) as passkeys, s.seen_at, i.kind, i.expires_at, i.made_by,
       i.approved_at is not null as approved
from ecluse.agent a
left join lateral (select count(*) as passkeys from ecluse.passkey k where k.agent_id = a.id and k.revoked_at is null) k on true
left join lateral (select s.seen_at from ecluse.sign_in s where s.agent_id = a.id order by s.started_at desc limit 1) s on true
left join ecluse.invitation i on i.agent_id = a.id and i.used_at is null and ecluse.clock() < i.expires_at
where a.processor_id = $1 order by a.label, a.id limit 500
"""
"""A processor's agents."""

OPEN_RECOVERY: Final = """
select secret_sha256, made_by from ecluse.invitation
where $1 in (officer_id, agent_id) and kind = 'recover' and used_at is null and approved_at is null and ecluse.clock() < expires_at
"""
"""The recovery of somebody that waits for its second person."""

HOLDER: Final = """
select coalesce(k.officer_id, k.agent_id) as holder, k.credential_id, a.processor_id from ecluse.passkey k left join ecluse.agent a on a.id = k.agent_id
where sha256(k.credential_id) = $1 and $2 in (k.officer_id, k.agent_id) and k.revoked_at is null
"""
"""A passkey of somebody, by the name that its entry has."""

DESK: Final = """
select a.processor_id, c.id as client_id from ecluse.agent a left join ecluse.client c on c.processor_id = a.processor_id and c.role = 'desk' where a.id = $1
"""
"""An agent's processor, and its desk if it has one."""
