-- Questionnaires and responses, read and written with the gate's own role. Nothing here moves a gate.

-- name: keep_text(sha256, ref_id, version, text, actor)!
-- A text that is sent, once.
insert into ecluse.questionnaire (sha256, ref_id, version, text, added_by)
values (:sha256::text, :ref_id::text, :version::text, :text::text, :actor::text)
on conflict (sha256) do nothing;

-- name: text_of(sha256)$
-- A text that was sent.
select text from ecluse.questionnaire where sha256 = :sha256::text;

-- name: processor_there(processor)$
-- Whether a processor is registered.
select exists (select from ecluse.processor where id = :processor::text);

-- name: clock_now()$
-- The database's clock.
select ecluse.clock();

-- name: new_link(id, processor, questionnaire, secret_sha256, language, actor, days)!
-- A link that is open for some days.
insert into ecluse.questionnaire_response (id, processor_id, questionnaire, way, secret_sha256, language, made_by, expires_at)
values (
  :id::text,
  :processor::text,
  :questionnaire::text,
  'link',
  :secret_sha256::bytea,
  :language::text,
  :actor::text,
  ecluse.clock() + make_interval(days => :days::integer)
);

-- name: new_workbook(id, processor, questionnaire, language, actor, answers, name, function, email)!
-- A filled workbook that was read in: handed in at once.
insert into ecluse.questionnaire_response (
  id,
  processor_id,
  questionnaire,
  way,
  language,
  made_by,
  expires_at,
  answers,
  contact_name,
  contact_function,
  contact_email,
  saved_at,
  handed_in_at
)
values (
  :id::text,
  :processor::text,
  :questionnaire::text,
  'workbook',
  :language::text,
  :actor::text,
  ecluse.clock(),
  :answers::text::jsonb,
  :name::text,
  :function::text,
  :email::text,
  ecluse.clock(),
  ecluse.clock()
);

-- name: open_link(secret_sha256)^
-- The response behind a link that is open: one probe, whatever is wrong with the link.
select r.*, p.name as processor_name
from ecluse.questionnaire_response r
join ecluse.processor p on p.id = r.processor_id
where r.secret_sha256 = :secret_sha256::bytea and r.handed_in_at is null and r.revoked_at is null and r.expires_at > ecluse.clock();

-- name: save_draft(secret_sha256, answers)^
-- Answers beside those that are there, question by question: two who fill two parts don't undo each other.
update ecluse.questionnaire_response r
set answers = r.answers || :answers::text::jsonb, saved_at = ecluse.clock()
where r.secret_sha256 = :secret_sha256::bytea and r.handed_in_at is null and r.revoked_at is null and r.expires_at > ecluse.clock()
returning r.id;

-- name: hand_in(secret_sha256, saved_at, answers, name, function, email)^
-- The last act behind a link, if nobody changed an answer since it was read.
update ecluse.questionnaire_response r
set
  answers = :answers::text::jsonb,
  contact_name = :name::text,
  contact_function = :function::text,
  contact_email = :email::text,
  saved_at = ecluse.clock(),
  handed_in_at = ecluse.clock()
where
  r.secret_sha256 = :secret_sha256::bytea and r.handed_in_at is null and r.revoked_at is null and r.expires_at > ecluse.clock()
  and r.saved_at is not distinct from :saved_at::timestamptz
returning r.handed_in_at;

-- name: revoke(id, actor)^
-- End a link that is open.
update ecluse.questionnaire_response r
set revoked_by = :actor::text, revoked_at = ecluse.clock()
where r.id = :id::text and r.way = 'link' and r.handed_in_at is null and r.revoked_at is null
returning r.id;

-- name: responses(processor)
-- Responses, the newest first.
select r.* from ecluse.questionnaire_response r
where :processor::text is null or r.processor_id = :processor::text
order by r.made_at desc, r.id
limit 500;

-- name: response(id)^
-- One response.
select r.* from ecluse.questionnaire_response r where r.id = :id::text;

-- name: claim_evidence(id, evidence)^
-- Note the document that is made of a response, once.
update ecluse.questionnaire_response r set evidence_id = :evidence::text
where r.id = :id::text and r.evidence_id is null and r.handed_in_at is not null
returning r.id;

-- name: note_finding(id, choice, finding)!
-- Note the finding that became of an answer.
insert into ecluse.questionnaire_finding (response_id, choice, finding_id) values (:id::text, :choice::text, :finding::text);

-- name: findings_of(id)
-- The findings that became of a response's answers.
select q.choice, q.finding_id from ecluse.questionnaire_finding q where q.response_id = :id::text;
