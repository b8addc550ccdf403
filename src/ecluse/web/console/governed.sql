-- What the first pages of the console read, as role ecluse_reader. Nobody's personal data is in an answer: a held person is only counted.

-- name: instant(log_id)
-- The head of a log and the database's clock.
select h.size, h.control_seq, h.last_at, ecluse.clock() as at
from ecluse.ledger_head h
where h.log_id = :log_id::smallint;

-- name: processors()
-- Each processor with its contract in force and how many people and machines it has. Read once a control entry, never once a page.
select
  p.id,
  p.name,
  p.added_at,
  c.version,
  c.reference,
  c.text,
  c.hash,
  c.applied_at,
  c.applied_by,
  (select count(*) from ecluse.agent a where a.processor_id = p.id) as agents,
  (select count(*) from ecluse.client k where k.processor_id = p.id) as clients
from ecluse.processor p
left join lateral (
  select v.version, v.reference, v.text, v.hash, v.applied_at, v.applied_by
  from ecluse.contract v
  where v.processor_id = p.id
  order by v.version desc
  limit 1
) c on true
where p.id not in ('sandbox', 'sandbox-neighbour')
order by p.id;

-- name: holds()
-- Holds that are not released and not over: a person's without the person.
select
  h.id,
  h.scope,
  case when h.scope = 'person' then null else h.scope_id end as scope_id,
  h.effect,
  h.reason,
  h.placed_by,
  h.from_at,
  nullif(h.until_at, 'infinity') as until_at,
  coalesce(a.processor_id, k.processor_id, p.id) as processor_id,
  coalesce(a.label, k.label, p.name) as label
from ecluse.hold h
left join ecluse.agent a on h.scope = 'agent' and a.id = h.scope_id
left join ecluse.client k on h.scope = 'client' and k.id = h.scope_id
left join ecluse.processor p on h.scope in ('processor', 'contract') and p.id = h.scope_id
where h.released_at is null and h.until_at > ecluse.clock() and h.scope <> 'person'
order by h.from_at desc, h.id
limit 500;

-- name: persons_held()
-- How many holds on persons are in force, a thousand at most.
select count(*)
from (
  select from ecluse.hold h
  where h.scope = 'person' and h.released_at is null and h.from_at <= ecluse.clock() and ecluse.clock() < h.until_at
  limit 1000
) few;

-- name: persons_today(at)
-- Distinct persons of the present UTC day, by processor.
select substr(b.scope, 11) as processor_id, b.persons
from ecluse.budget_count b
where b.unit = 'd' and b.bucket = date_trunc('day', :at::timestamptz, 'UTC') and b.scope ~ '^processor:' and b.scope not like 'processor:sandbox%';

-- name: persons_of(at, processor)
-- Distinct persons of one processor in the present UTC day and month.
select b.unit, b.persons
from ecluse.budget_count b
where (b.unit, b.bucket, b.scope) in (
  ('d', date_trunc('day', :at::timestamptz, 'UTC'), 'processor:' || :processor::text),
  ('m', date_trunc('month', :at::timestamptz, 'UTC'), 'processor:' || :processor::text)
);

-- name: waiting_documents()
-- Documents that wait for a person, the oldest first.
select e.id, e.processor_id, e.kind, e.title, e.submitted_at
from ecluse.evidence e
where e.accepted_at is null and e.rejected_at is null
order by e.submitted_at, e.id
limit 51;

-- name: waiting_overrides()
-- Overrides that somebody asked for within a day, the oldest first.
select o.id, o.processor_id, o.hours, coalesce(f.name, o.asked_by) as asked_by, o.asked_at
from ecluse.gate_override o
left join ecluse.officer f on f.id = o.asked_by
where o.approved_at is null and o.asked_at > (select ecluse.clock()) - interval '24 hours'
order by o.asked_at, o.id
limit 51;

-- name: waiting_responses()
-- Questionnaires that were handed in and not judged, the oldest first.
select r.id, r.processor_id, r.handed_in_at
from ecluse.questionnaire_response r
where r.handed_in_at is not null and r.evidence_id is null
order by r.handed_in_at, r.id
limit 51;

-- name: waiting_findings(until)
-- Open findings due by a day, the one due first at the top.
select f.id, f.processor_id, f.title, f.severity, f.due_on
from ecluse.finding f
where f.closed_at is null and f.due_on <= :until::date
order by f.due_on, f.id
limit 51;

-- name: waiting_emergencies()
-- Emergencies that wait for their review, the oldest first.
select e.id, e.attribute, e.opened_by, e.opened_at
from ecluse.emergency e
where e.reviewed_at is null
order by e.opened_at, e.id
limit 51;

-- name: waiting_lookups()
-- Look-ups that wait for a second officer, the oldest first: of whom and why is not here.
select l.id, coalesce(f.name, l.asked_by) as asked_by, l.asked_at
from ecluse.lookup l
left join ecluse.officer f on f.id = l.asked_by
where l.decided_at is null and l.expires_at > (select ecluse.clock())
order by l.expires_at, l.id
limit 51;

-- name: undetermined(since)
-- How many requests of some days could not be decided, a thousand at most, and the last one.
select count(*) as found, max(few.sealed_at) as last_at
from (
  select o.sealed_at from ecluse.opening o
  where o.event = 'disclosure:person:undetermined' and o.sealed_at >= :since::timestamptz and o.processor_id not in ('sandbox', 'sandbox-neighbour')
  order by o.sealed_at desc
  limit 1000
) few;

-- name: first_since(log_id, at)
-- The first entry sealed at or after an instant, by halving: some 25 probes for any log.
with recursive halved as (
  select 0::bigint as low, h.size as high
  from ecluse.ledger_head h
  where h.log_id = :log_id::smallint
  union all
  select
    case when e.sealed_at < :at::timestamptz then (b.low + b.high) / 2 + 1 else b.low end,
    case when e.sealed_at < :at::timestamptz then b.high else (b.low + b.high) / 2 end
  from halved b
  join ecluse.ledger_entry e on e.log_id = :log_id::smallint and e.index = (b.low + b.high) / 2
  where b.low < b.high
)
select max(b.low) from halved b;

-- name: tally(log_id, first, past, since)
-- Decisions in a range of entries [first, past) sealed since an instant, by event and public reason. The sandbox is nobody's.
select
  o.event,
  coalesce(w.reason, '') as reason,
  sum(coalesce(w.times, 1))::bigint as times
from ecluse.opening o
left join lateral (
  select
    max(v.said ->> 1) filter (where v.said ->> 0 = 'reason') as reason,
    max((v.said ->> 1)::bigint) filter (where v.said ->> 0 = 'count') as times
  from jsonb_array_elements(o.fields::jsonb) v (said)
) w on o.event not in ('disclosure:person:granted', 'disclosure:sheet:granted', 'disclosure:emergency:granted')
where
  o.log_id = :log_id::smallint and o.index >= :first::bigint and o.index < :past::bigint and o.sealed_at >= :since::timestamptz
  and o.event in (
    'disclosure:person:granted', 'disclosure:sheet:granted', 'disclosure:emergency:granted', 'disclosure:person:refused', 'disclosure:sheet:refused',
    'disclosure:person:undetermined', 'disclosure:refusals:counted'
  )
  and (o.processor_id is null or o.processor_id not in ('sandbox', 'sandbox-neighbour'))
group by o.event, w.reason;

-- name: agents_of(processor)
-- A processor's people by the labels it gave them, oldest first; 201 at most.
select a.id, a.label, a.added_at
from ecluse.agent a
where a.processor_id = :processor::text
order by a.added_at, a.id
limit 201;

-- name: keys_of(processor)
-- A processor's machines with their keys, oldest first; of its desk those in use, as each sign-in there leaves one behind.
select k.id, k.role, k.label, k.added_at, y.thumbprint, y.alg, y.added_at as key_added_at, y.revoked_at
from ecluse.client k
left join lateral (
  select u.thumbprint, u.alg, u.added_at, u.revoked_at from ecluse.client_key u where u.client_id = k.id and u.revoked_at is null
  union all
  select u.thumbprint, u.alg, u.added_at, u.revoked_at from ecluse.client_key u where u.client_id = k.id and u.revoked_at is not null and k.role <> 'desk'
) y on true
where k.processor_id = :processor::text
order by k.added_at, k.id, y.added_at, y.thumbprint
limit 400;

-- name: versions_of(processor)
-- The versions of a processor's contract, the newest first, without their texts.
select c.version, c.reference, c.hash, c.applied_at, c.applied_by
from ecluse.contract c
where c.processor_id = :processor::text
order by c.version desc
limit 100;

-- name: texts_of(processor, version)
-- The text of a version and of the one before it.
select c.version, c.reference, c.text, c.hash, c.applied_at, c.applied_by
from ecluse.contract c
where c.processor_id = :processor::text and c.version in (:version::integer, :version::integer - 1)
order by c.version;

-- name: documents_of(processor, skip)
-- A processor's documents, the newest first: a page of them and one more.
select e.id, e.kind, e.title, e.issuer, e.reviewed_on, e.ends_on, e.submitted_at, e.accepted_at, e.rejected_at, e.withdrawn_at
from ecluse.evidence e
where e.processor_id = :processor::text
order by e.submitted_at desc, e.id
limit 51 offset :skip::integer;

-- name: findings_of(processor)
-- A processor's findings, open ones first, by their due day.
select f.id, f.processor_id, f.source, f.severity, f.title, f.due_on, f.opened_at, f.closed_at
from ecluse.finding f
where f.processor_id = :processor::text
order by f.closed_at is not null, f.due_on, f.id
limit 51;

-- name: findings_open(skip)
-- All open findings, the one due first at the top: a page of them and one more.
select f.id, f.processor_id, f.source, f.severity, f.title, f.due_on, f.opened_at, f.closed_at
from ecluse.finding f
where f.closed_at is null
order by f.due_on, f.id
limit 51 offset :skip::integer;

-- name: responses_of(processor)
-- Questionnaires sent to a processor (null: to all), the newest first; of the answers only whether there are any.
select
  r.id, r.processor_id, q.ref_id, q.version, r.way, r.language, r.made_by, r.made_at, r.expires_at, r.revoked_at, r.saved_at, r.handed_in_at, r.evidence_id,
  (select count(*) from jsonb_object_keys(r.answers)) as answered
from ecluse.questionnaire_response r
join ecluse.questionnaire q on q.sha256 = r.questionnaire
where :processor::text is null or r.processor_id = :processor::text
order by r.made_at desc, r.id
limit 51;

-- name: overrides_of(processor)
-- Overrides of a processor (null: of all), the newest first, their state by the database's clock.
select
  o.id, o.processor_id, o.reasons, o.why, o.hours, o.asked_by, o.asked_at, o.approved_by, o.approved_at, o.revoked_by, o.revoked_at,
  o.approved_at + o.hours * interval '1 hour' as until_at,
  case
    when o.revoked_at is not null then 'revoked'
    when o.approved_at is null and o.asked_at <= ecluse.clock() - interval '24 hours' then 'lapsed'
    when o.approved_at is null then 'asked'
    when ecluse.clock() >= o.approved_at + o.hours * interval '1 hour' then 'over'
    else 'in force'
  end as state
from ecluse.gate_override o
where :processor::text is null or o.processor_id = :processor::text
order by o.asked_at desc, o.id
limit 51;

-- name: holds_ended()
-- Holds that were released or are over, what ended last first: a person's without the person.
select
  h.id, h.scope, case when h.scope = 'person' then null else h.scope_id end as scope_id, h.effect, h.reason, h.placed_by, h.from_at,
  nullif(h.until_at, 'infinity') as until_at, h.released_at
from ecluse.hold h
where least(h.until_at, coalesce(h.released_at, 'infinity')) <= (select ecluse.clock())
order by least(h.until_at, coalesce(h.released_at, 'infinity')) desc, h.id
limit 50;

-- name: hold_target(scope, target)
-- What a hold would be on: its name and whose it is.
select p.id as processor_id, p.name as label from ecluse.processor p where :scope::text in ('processor', 'contract') and p.id = :target::text
union all
select a.processor_id, a.label from ecluse.agent a where :scope::text = 'agent' and a.id = :target::text
union all
select k.processor_id, k.label from ecluse.client k where :scope::text = 'client' and k.id = :target::text;

-- name: head_of_log(log_id)
-- A log with its head, its last checkpoint, and the newest one with its quorum.
select
  g.name, g.origin, h.size, h.last_at, c.size as signed_size, c.signed_at, c.root, q.size as quorum_size, q.reached_at,
  a.size as anchor_size, a.stamped_at, a.authority,
  ecluse.clock() as at
from ecluse.ledger_log g
join ecluse.ledger_head h on h.log_id = g.id
left join lateral (
  select k.size, k.signed_at, encode(k.root, 'hex') as root from ecluse.ledger_checkpoint k where k.log_id = g.id order by k.size desc limit 1
) c on true
left join lateral (select k.size, k.reached_at from ecluse.ledger_quorum k where k.log_id = g.id order by k.size desc limit 1) q on true
left join lateral (
  select k.size, k.stamped_at, k.authority from ecluse.ledger_anchor k where k.log_id = g.id order by k.stamped_at desc limit 1
) a on true
where g.id = :log_id::smallint;

-- name: cosigned_last(vkeys, log_id)
-- What each of some witnesses cosigned last.
select w.vkey, k.size, k.received_at
from unnest(:vkeys::text[]) w (vkey)
left join lateral (
  select c.size, c.received_at from ecluse.ledger_cosignature c where c.log_id = :log_id::smallint and c.vkey = w.vkey order by c.size desc limit 1
) k on true;

-- name: anchors(log_id)
-- The newest time stamps on checkpoints.
select a.size, a.authority, a.stamped_at
from ecluse.ledger_anchor a
where a.log_id = :log_id::smallint
order by a.stamped_at desc
limit 10;

-- name: erasures()
-- The last batches of erasure.
select b.id, b.log_id, b.index, b.count, b.sealed_at, b.done_at
from ecluse.erasure_batch b
order by b.id desc
limit 10;

-- name: control_entries(log_id)
-- The newest control entries: what was done, to what, by whom. A person's is without the person.
select o.index, o.sealed_at, o.event, o.processor_id
from ecluse.opening o
where o.log_id = :log_id::smallint and o.disclosure_id is null
order by o.index desc
limit 12;
