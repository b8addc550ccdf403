-- What papers read, all as ecluse_reader. Every statement is of one instant: what was not yet so then is not there.

-- name: paper_processors(at)
-- Every version of every contract applied by an instant, oldest first.
select p.id, p.name, c.version, c.reference, c.text, c.hash, c.applied_at, c.applied_by
from ecluse.processor p
join ecluse.contract c on c.processor_id = p.id
where c.applied_at <= :at::timestamptz
order by p.id, c.version;

-- name: paper_evidence(at)
-- Documents accepted by an instant, newest first.
select e.id, e.processor_id, e.kind, e.title, e.issuer, e.scope, e.sites, e.period_from, e.period_until, e.reviewed_on, e.ends_on, e.bridges,
  e.sub_processors::text as sub_processors, e.sha256, e.accepted_by, e.accepted_at, e.withdrawn_at
from ecluse.evidence e
where e.accepted_at <= :at::timestamptz
order by e.processor_id, e.kind, e.accepted_at desc, e.id;

-- name: paper_findings(at)
-- Findings opened by an instant, oldest first.
select f.id, f.processor_id, f.source, f.severity, f.title, f.due_on, f.opened_at, f.closed_at, f.closing
from ecluse.finding f
where f.opened_at <= :at::timestamptz
order by f.processor_id, f.opened_at, f.id;

-- name: paper_overrides(at)
-- Overrides approved by an instant, oldest first.
select o.id, o.processor_id, o.reasons, o.why, o.hours, o.asked_by, o.approved_by, o.approved_at, o.revoked_at
from ecluse.gate_override o
where o.approved_at <= :at::timestamptz
order by o.processor_id, o.approved_at, o.id;

-- name: paper_holds(at)
-- Holds on a processor or its contract, placed by an instant, oldest first.
select h.id, h.scope_id as processor_id, h.scope, h.effect, h.reason, h.placed_by, h.from_at, nullif(h.until_at, 'infinity') as until_at, h.released_at
from ecluse.hold h
where h.scope in ('processor', 'contract') and h.effect <> 'keep' and h.from_at <= :at::timestamptz
order by h.scope_id, h.from_at, h.id;

-- name: paper_applied(at)
-- The entries by which contracts were put in force, with their leaves and openings.
select o.processor_id, o.log_id, o.index, o.fields, o.salts, e.leaf
from ecluse.opening o
join ecluse.ledger_entry e on e.log_id = o.log_id and e.index = o.index
where o.event = 'control:contract:applied' and o.disclosure_id is null and o.sealed_at <= :at::timestamptz
order by o.log_id, o.index;

-- name: paper_checkpoint(log_id, at)
-- The head of a log signed last by an instant.
select c.size, c.root, c.note, c.signed_at
from ecluse.ledger_checkpoint c
where c.log_id = :log_id::smallint and c.signed_at <= :at::timestamptz
order by c.size desc
limit 1;

-- name: paper_quorum(log_id, at)
-- Since when the witness policy then in force asks for a quorum; no row without a policy.
select p.quorum_since
from ecluse.ledger_policy p
where p.log_id = :log_id::smallint and p.applied_at <= :at::timestamptz
order by p.version desc
limit 1;

-- name: paper_refusals(since, until)
-- How many requests were refused in an interval, by processor and the reason that it was told.
select o.processor_id, coalesce(substring(o.fields from '\["reason","([a-z-]+)"\]'), '-') as reason, count(*) as refusals
from ecluse.opening o
where o.event in ('disclosure:person:refused', 'disclosure:person:undetermined', 'disclosure:sheet:refused') and o.processor_id is not null
  and o.sealed_at >= :since::timestamptz and o.sealed_at < :until::timestamptz
group by 1, 2
order by 1, 2;

-- name: paper_refusals_of(since, until, processor)
-- How many requests of one processor were refused in an interval, by the reason that it was told.
select o.processor_id, coalesce(substring(o.fields from '\["reason","([a-z-]+)"\]'), '-') as reason, count(*) as refusals
from ecluse.opening o
where o.event in ('disclosure:person:refused', 'disclosure:person:undetermined', 'disclosure:sheet:refused') and o.disclosure_id is not null
  and o.sealed_at >= :since::timestamptz and o.sealed_at < :until::timestamptz and o.processor_id = :processor::text
group by 1, 2
order by 1, 2;

-- name: paper_kept()
-- Every column that holds a person's reference or names one of the staff, and what its comment says of how long.
select c.relname || '.' || a.attname as name, col_description(c.oid, a.attnum) as said
from pg_catalog.pg_class c
join pg_catalog.pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'ecluse'::regnamespace and not c.relispartition and a.attnum > 0 and col_description(c.oid, a.attnum) ~ '^(person|staff):'
order by 1;
