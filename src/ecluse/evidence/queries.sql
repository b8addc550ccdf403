-- Documents, findings and overrides, read and written with the gate's own role. What makes one of them count is an act of ecluse.control, never a statement here.

-- name: submit_evidence(id, processor, kind, title, issuer, scope, sites, period_from, period_until, reviewed_on, ends_on, bridges, sub_processors, media_type, size_bytes, sha256, actor)!
-- A document as it was handed in: it counts for nothing until a person accepts it.
insert into ecluse.evidence (
  id,
  processor_id,
  kind,
  title,
  issuer,
  scope,
  sites,
  period_from,
  period_until,
  reviewed_on,
  ends_on,
  bridges,
  sub_processors,
  media_type,
  bytes,
  sha256,
  submitted_by
)
values (
  :id::text,
  :processor::text,
  :kind::text,
  :title::text,
  :issuer::text,
  :scope::text,
  :sites::text[],
  :period_from::date,
  :period_until::date,
  :reviewed_on::date,
  :ends_on::date,
  :bridges::text,
  :sub_processors::text::jsonb,
  :media_type::text,
  :size_bytes::integer,
  :sha256::text,
  :actor::text
);

-- name: keep_document(id, sealed)!
-- Its bytes, sealed.
insert into ecluse.evidence_document (evidence_id, sealed)
values (:id::text, :sealed::bytea);

-- name: evidence_by_id(id)^
-- One document's row.
select
  e.id,
  e.processor_id,
  e.kind,
  e.title,
  e.issuer,
  e.scope,
  e.sites,
  e.period_from,
  e.period_until,
  e.reviewed_on,
  e.ends_on,
  e.bridges,
  e.sub_processors,
  e.media_type,
  e.bytes,
  e.sha256,
  e.submitted_by,
  e.submitted_at,
  e.accepted_by,
  e.accepted_at,
  e.rejected_by,
  e.rejected_at,
  e.rejected_why,
  e.withdrawn_by,
  e.withdrawn_at
from ecluse.evidence e
where e.id = :id::text;

-- name: evidence_listed(processor, kind)
-- The documents of a processor (null: of all), of a kind (null: of all), the newest first.
select
  e.id,
  e.processor_id,
  e.kind,
  e.title,
  e.issuer,
  e.scope,
  e.sites,
  e.period_from,
  e.period_until,
  e.reviewed_on,
  e.ends_on,
  e.bridges,
  e.sub_processors,
  e.media_type,
  e.bytes,
  e.sha256,
  e.submitted_by,
  e.submitted_at,
  e.accepted_by,
  e.accepted_at,
  e.rejected_by,
  e.rejected_at,
  e.rejected_why,
  e.withdrawn_by,
  e.withdrawn_at
from ecluse.evidence e
where (:processor::text is null or e.processor_id = :processor::text) and (:kind::text is null or e.kind = :kind::text)
order by e.submitted_at desc, e.id;

-- name: sealed_document(id)$
-- A document's bytes, sealed.
select d.sealed
from ecluse.evidence_document d
where d.evidence_id = :id::text;

-- name: documents_waiting(processor)$
-- How many documents of a processor wait for a person.
select count(*)
from ecluse.evidence e
where e.processor_id = :processor::text and e.accepted_at is null and e.rejected_at is null;

-- name: documents_kept()$
-- Whether any document was ever sealed.
select coalesce((select true from ecluse.evidence_document limit 1), false);

-- name: reject_evidence(id, actor, why)$
-- Say no to a document that waits; null: there is none.
update ecluse.evidence e
set rejected_by = :actor::text, rejected_at = ecluse.clock(), rejected_why = :why::text
where e.id = :id::text and e.accepted_at is null and e.rejected_at is null
returning e.processor_id;

-- name: findings_listed(processor, closed)
-- The findings of a processor (null: of all), the closed ones too if asked for, the one due first at the top.
select
  f.id,
  f.processor_id,
  f.source,
  f.severity,
  f.title,
  f.due_on,
  f.opened_by,
  f.opened_at,
  f.closed_by,
  f.closed_at,
  f.closing
from ecluse.finding f
where (:processor::text is null or f.processor_id = :processor::text) and (:closed::boolean or f.closed_at is null)
order by f.due_on, f.id;

-- name: finding_by_id(id)^
-- One finding.
select
  f.id,
  f.processor_id,
  f.source,
  f.severity,
  f.title,
  f.due_on,
  f.opened_by,
  f.opened_at,
  f.closed_by,
  f.closed_at,
  f.closing
from ecluse.finding f
where f.id = :id::text;

-- name: ask_override(id, processor, reasons, why, hours, actor)!
-- An override that one person asks for: it lifts nothing.
insert into ecluse.gate_override (id, processor_id, reasons, why, hours, asked_by)
values (:id::text, :processor::text, :reasons::text[], :why::text, :hours::integer, :actor::text);

-- name: overrides_listed(processor, over)
-- The overrides of a processor (null: of all), those that are over too if asked for, the newest first.
select
  w.id,
  w.processor_id,
  w.reasons,
  w.why,
  w.hours,
  w.asked_by,
  w.asked_at,
  w.approved_by,
  w.approved_at,
  w.revoked_by,
  w.revoked_at,
  w.until_at,
  w.state
from (
  select
    o.id,
    o.processor_id,
    o.reasons,
    o.why,
    o.hours,
    o.asked_by,
    o.asked_at,
    o.approved_by,
    o.approved_at,
    o.revoked_by,
    o.revoked_at,
    o.approved_at + o.hours * interval '1 hour' as until_at,
    case
      when o.revoked_at is not null then 'revoked'
      when o.approved_at is null and o.asked_at <= ecluse.clock() - interval '24 hours' then 'lapsed'
      when o.approved_at is null then 'asked'
      when ecluse.clock() >= o.approved_at + o.hours * interval '1 hour' then 'over'
      else 'in force'
    end as state
  from ecluse.gate_override o
) w
where (:processor::text is null or w.processor_id = :processor::text) and (:over::boolean or w.state in ('asked', 'in force'))
order by w.asked_at desc, w.id;

-- name: override_by_id(id)^
-- One override.
select
  o.id,
  o.processor_id,
  o.reasons,
  o.why,
  o.hours,
  o.asked_by,
  o.asked_at,
  o.approved_by,
  o.approved_at,
  o.revoked_by,
  o.revoked_at,
  o.approved_at + o.hours * interval '1 hour' as until_at,
  case
    when o.revoked_at is not null then 'revoked'
    when o.approved_at is null and o.asked_at <= ecluse.clock() - interval '24 hours' then 'lapsed'
    when o.approved_at is null then 'asked'
    when ecluse.clock() >= o.approved_at + o.hours * interval '1 hour' then 'over'
    else 'in force'
  end as state
from ecluse.gate_override o
where o.id = :id::text;

-- name: clock_now()$
-- The database's clock.
select ecluse.clock();

-- name: processor_there(processor)$
-- Whether a processor is registered.
select exists (select from ecluse.processor p where p.id = :processor::text);
