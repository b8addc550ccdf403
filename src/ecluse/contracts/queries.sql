-- What a gate is computed from beside its contract. Only what a sealed entry accepted or approved is read; the rest counts for nothing.

-- name: documents_of(processors, past)
-- Accepted documents, oldest first; with `past` without those withdrawn longer ago, the newest of each kind apart: it tells "lapsed" from "missing".
select
  e.id, e.processor_id, e.kind, least(e.reviewed_on, date '9999-12-31') as reviewed_on, least(e.ends_on, date '9999-12-31') as ends_on,
  e.sites, e.bridges, e.accepted_at, e.withdrawn_at,
  case when e.sub_processors = '[]' then '{}'::text[]
    else array(select s ->> 'name' from jsonb_array_elements(e.sub_processors) s where s ->> 'name' is not null) end as names
from ecluse.evidence e
where e.processor_id = any(:processors::text[]) and e.accepted_at is not null
  and (
    :past::interval is null or e.withdrawn_at is null or e.withdrawn_at > ecluse.clock() - :past::interval
    or not exists (
      select from ecluse.evidence n where n.processor_id = e.processor_id and n.kind = e.kind and n.accepted_at > e.accepted_at)
  )
order by e.processor_id, e.accepted_at, e.id;

-- name: findings_of(processors, past)
-- Findings, oldest first; with `past` without those closed longer ago.
select f.id, f.processor_id, f.severity, least(f.due_on, date '9999-12-31') as due_on, f.opened_at, f.closed_at
from ecluse.finding f
where f.processor_id = any(:processors::text[])
  and (:past::interval is null or f.closed_at is null or f.closed_at > ecluse.clock() - :past::interval)
order by f.processor_id, f.opened_at, f.id;

-- name: overrides_of(processors, past)
-- Approved overrides, oldest first; with `past` without those over longer ago.
select o.id, o.processor_id, o.reasons, o.approved_at, o.approved_at + o.hours * interval '1 hour' as until_at, o.revoked_at
from ecluse.gate_override o
where o.processor_id = any(:processors::text[]) and o.approved_at is not null and o.approved_by <> o.asked_by
  and (:past::interval is null or o.approved_at > ecluse.clock() - :past::interval - o.hours * interval '1 hour')
order by o.processor_id, o.approved_at, o.id;

-- name: versions_of(processor)
-- Every version of a processor's contract, oldest first.
select c.version, c.applied_at, c.text
from ecluse.contract c
where c.processor_id = :processor
order by c.version;
