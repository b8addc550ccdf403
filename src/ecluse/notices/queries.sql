-- Notices, by the role of the workers (ecluse_jobs); `told` by that of readers. Nothing here moves a gate.

-- name: notice_contracts()
-- The contract in force of each processor, and what it was told of its gate last.
select distinct on (c.processor_id) c.processor_id, c.hash, c.applied_at, ecluse.clock() as now,
  (select n.topic from ecluse.notice n
   where n.processor_id = c.processor_id and n.topic in ('gate:frozen', 'gate:closed', 'gate:opened') order by n.noted_at desc, n.at desc limit 1) as told
from ecluse.contract c
where c.processor_id not in ('sandbox', 'sandbox-neighbour')
order by c.processor_id, c.version desc;

-- name: notice_texts(hashes)
-- Texts of contracts not read yet.
select distinct on (c.hash) c.hash, c.text
from ecluse.contract c
where c.hash = any(:hashes::text[]);

-- name: notice_matters(recent)
-- What happened lately beside the gates, and emergencies that wait for their review.
select e.processor_id, 'evidence:submitted' as topic, e.id as reason, e.submitted_at as at, jsonb_build_object('kind', e.kind) as facts
from ecluse.evidence e
where e.submitted_at > ecluse.clock() - :recent::interval and e.accepted_at is null and e.rejected_at is null
union all
select e.processor_id, 'evidence:accepted', e.id, e.accepted_at, jsonb_build_object('kind', e.kind)
from ecluse.evidence e
where e.accepted_at > ecluse.clock() - :recent::interval and e.withdrawn_at is null
union all
select e.processor_id, 'evidence:rejected', e.id, e.rejected_at, jsonb_build_object('kind', e.kind)
from ecluse.evidence e
where e.rejected_at > ecluse.clock() - :recent::interval
union all
select f.processor_id, 'finding:opened', f.id, f.opened_at, jsonb_build_object('severity', f.severity, 'source', f.source, 'due_on', f.due_on)
from ecluse.finding f
where f.opened_at > ecluse.clock() - :recent::interval and f.closed_at is null
union all
select o.processor_id, 'override:asked', o.id, o.asked_at, jsonb_build_object('hours', o.hours, 'reasons', o.reasons)
from ecluse.gate_override o
where o.asked_at > ecluse.clock() - interval '24 hours' and o.approved_at is null and o.revoked_at is null
union all
select o.processor_id, 'override:approved', o.id, o.approved_at, jsonb_build_object('hours', o.hours, 'reasons', o.reasons)
from ecluse.gate_override o
where o.approved_at > ecluse.clock() - :recent::interval and o.revoked_at is null and ecluse.clock() < o.approved_at + o.hours * interval '1 hour'
union all
select o.processor_id, 'override:ended', o.id, w.ended_at, jsonb_build_object('revoked', w.ended_at = o.revoked_at, 'reasons', o.reasons)
from ecluse.gate_override o
cross join lateral (select least(o.approved_at + o.hours * interval '1 hour', o.revoked_at) as ended_at) w
where o.approved_at is not null and w.ended_at <= ecluse.clock() and w.ended_at > ecluse.clock() - :recent::interval
union all
select null, 'emergency:opened', m.id, m.opened_at, jsonb_build_object('attribute', m.attribute)
from ecluse.emergency m
where m.reviewed_at is null
union all
select null, 'emergency:late', m.id, m.opened_at + interval '3 days', jsonb_build_object('attribute', m.attribute)
from ecluse.emergency m
where m.reviewed_at is null and m.opened_at <= ecluse.clock() - interval '3 days';

-- name: note_notices(give_up, processors, topics, reasons, ats, days, audiences, facts)
-- Note who is to be told of what, each once, however many processes note it.
insert into ecluse.notice (processor_id, topic, reason, at, days, audience, facts, noted_at, due_at, give_up_at)
select u.processor_id, u.topic, u.reason, u.at, u.days, u.audience, u.facts::jsonb, ecluse.clock(), ecluse.clock(), ecluse.clock() + :give_up::interval
from unnest(
  :processors::text[], :topics::text[], :reasons::text[], :ats::timestamptz[], :days::integer[], :audiences::text[], :facts::text[]
) as u (processor_id, topic, reason, at, days, audience, facts)
on conflict on constraint notice_once_uq do nothing
returning id;

-- name: take_notices(lease, most)
-- Take what is due for as long as it may last to send it; another process takes others.
update ecluse.notice n
set due_at = ecluse.clock() + :lease::interval, attempts = n.attempts + 1
where n.id in (
  select w.id from ecluse.notice w
  where w.state = 'waiting' and w.due_at <= ecluse.clock() order by w.due_at, w.id limit :most for update skip locked)
returning n.id, n.processor_id, n.topic, n.reason, n.at, n.days, n.audience, n.facts, n.noted_at, n.attempts, n.sent_to;

-- name: settle_notice(problem, sent_to, pause, id)!
-- What became of one attempt; past its time a notice that failed is given up.
update ecluse.notice n
set state = case when :problem::text is null then 'sent' when ecluse.clock() >= n.give_up_at then 'dead' else 'waiting' end,
  problem = :problem::text,
  sent_to = array(select distinct a from unnest(n.sent_to || :sent_to::text[]) as u (a) order by a),
  sent_at = case when cardinality(:sent_to::text[]) > 0 then ecluse.clock() else n.sent_at end,
  due_at = ecluse.clock() + :pause::interval
where n.id = :id::uuid and n.state = 'waiting';

-- name: hurry_notices(again)!
-- What waits is due now; with `again` what was given up waits anew.
update ecluse.notice n
set state = 'waiting', due_at = ecluse.clock(), give_up_at = case when n.state = 'dead' then ecluse.clock() + interval '3 days' else n.give_up_at end
where n.state = 'waiting' or (:again::boolean and n.state = 'dead');

-- name: notice_counts()
-- How many wait, and how many were given up.
select
  (select count(*) from ecluse.notice n where n.state = 'waiting') as waiting,
  (select count(*) from ecluse.notice n where n.state = 'dead') as dead;

-- name: purge_notices()!
-- What has served its time goes.
delete from ecluse.notice
where noted_at < (select ecluse.clock()) - interval '12 months' and state <> 'waiting';

-- name: told(processor, reason, most)
-- Who was told of a processor (null: of all), of a reason (null: of all), newest first.
select n.id, n.processor_id, n.topic, n.reason, n.at, n.days, n.audience, n.facts, n.noted_at, n.state, n.attempts, n.problem, n.sent_at, n.sent_to
from ecluse.notice n
where (:processor::text is null or n.processor_id = :processor::text) and (:reason::text is null or n.reason = :reason::text)
order by n.noted_at desc, n.processor_id, n.topic, n.reason, n.audience
limit :most;
