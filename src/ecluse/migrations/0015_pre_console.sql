-- console: what waits for somebody is found by an index of what waits, at any size
-- depends: 0014_pre_people
-- migrate: apply
create index evidence_waiting_ix on ecluse.evidence (submitted_at) where accepted_at is null and rejected_at is null;
create index finding_open_ix on ecluse.finding (due_on) where closed_at is null;
create index gate_override_asked_ix on ecluse.gate_override (asked_at);
create index questionnaire_response_made_ix on ecluse.questionnaire_response (made_at);
create index questionnaire_response_waiting_ix on ecluse.questionnaire_response (handed_in_at) where handed_in_at is not null and evidence_id is null;
create index emergency_waiting_ix on ecluse.emergency (opened_at) where reviewed_at is null;
create index hold_party_ix on ecluse.hold (from_at) where scope <> 'person';
-- When a hold ends, or ended: those that bite at some time are those that end after it.
create index hold_ends_ix on ecluse.hold ((least(until_at, coalesce(released_at, 'infinity'))));
-- migrate: rollback
