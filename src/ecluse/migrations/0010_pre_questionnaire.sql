-- questionnaires: what was asked, of whom, behind which link, and what was answered
-- depends: 0009_pre_evidence
-- migrate: apply
-- Nothing here moves a gate: a response counts once a named person has accepted it as evidence, by the sealed entry of 0009.

create table ecluse.questionnaire (
  sha256   text        not null constraint questionnaire_pk primary key constraint questionnaire_sha256_ck check (sha256 ~ '^[0-9a-f]{64}$'),
  ref_id   text        not null,
  version  text        not null,
  text     text        not null constraint questionnaire_text_ck check (octet_length(text) between 1 and 16777216),
  added_by text        not null,
  added_at timestamptz not null default ecluse.clock()
);
comment on table ecluse.questionnaire is 'Each text that was ever sent, in the library format, by its SHA-256: what was answered is read against what was asked.';
comment on column ecluse.questionnaire.added_by is 'staff: who added it; retention: while it is referred to';

-- sent -> begun (answers) -> handed in -> accepted (evidence_id); a link that is open may expire or be revoked. Whoever hands in twice is not heard twice.
create table ecluse.questionnaire_response (
  id               text        not null constraint questionnaire_response_pk primary key,
  processor_id     text        not null references ecluse.processor (id),
  questionnaire    text        not null references ecluse.questionnaire (sha256),
  way              text        not null constraint questionnaire_response_way_ck check (way in ('link', 'workbook')),
  secret_sha256    bytea       constraint questionnaire_response_secret_uq unique, -- null: a workbook has none
  language         text        not null,
  made_by          text        not null,
  made_at          timestamptz not null default ecluse.clock(),
  expires_at       timestamptz not null,
  revoked_by       text,       -- null: not revoked
  revoked_at       timestamptz, -- null: not revoked
  answers          jsonb       not null default '{}' constraint questionnaire_response_answers_ck check (jsonb_typeof(answers) = 'object'),
  contact_name     text        not null default '',
  contact_function text        not null default '',
  contact_email    text        not null default '',
  saved_at         timestamptz, -- null: nothing answered yet
  handed_in_at     timestamptz, -- null: not handed in
  evidence_id      text        references ecluse.evidence (id), -- null: no document was made of it
  constraint questionnaire_response_link_ck check ((way = 'link') = (secret_sha256 is not null) and octet_length(secret_sha256) = 32),
  constraint questionnaire_response_revoked_ck check (num_nonnulls(revoked_by, revoked_at) <> 1 and num_nonnulls(revoked_at, handed_in_at) < 2),
  constraint questionnaire_response_handed_ck check (handed_in_at is null or (contact_name <> '' and contact_email <> '')),
  constraint questionnaire_response_evidence_ck check (evidence_id is null or handed_in_at is not null)
);
comment on table ecluse.questionnaire_response is 'One processor''s answers to one questionnaire. Of a link the database knows the SHA-256 of its secret, and nothing that opens it.';
comment on column ecluse.questionnaire_response.made_by is 'staff: who sent or read it in; retention: while the contract runs, then 12 months';
comment on column ecluse.questionnaire_response.revoked_by is 'staff: who revoked it; retention: while the contract runs, then 12 months';
comment on column ecluse.questionnaire_response.contact_name is 'staff: who answered for the processor; retention: while the contract runs, then 12 months';
comment on column ecluse.questionnaire_response.contact_function is 'staff: the function of who answered; retention: while the contract runs, then 12 months';
comment on column ecluse.questionnaire_response.contact_email is 'staff: the address of who answered; retention: while the contract runs, then 12 months';
comment on column ecluse.questionnaire_response.answers is 'staff: free text may name somebody, though the page asks not to; retention: while the contract runs, then 12 months';
create index questionnaire_response_processor_ix on ecluse.questionnaire_response (processor_id, made_at);

-- A finding that an answer proposed and a person confirmed: once.
create table ecluse.questionnaire_finding (
  response_id text not null references ecluse.questionnaire_response (id),
  choice      text not null,
  finding_id  text not null references ecluse.finding (id),
  constraint questionnaire_finding_pk primary key (response_id, choice)
);
comment on table ecluse.questionnaire_finding is 'Which answer of a response became which finding, by a person''s confirmation.';

-- What was handed in stays as it was: only that a document was made of it may be added.
create function ecluse.keep_handed_in() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.handed_in_at is not null
     and (to_jsonb(new) - 'evidence_id' is distinct from to_jsonb(old) - 'evidence_id' or (old.evidence_id is not null and new.evidence_id is distinct from old.evidence_id)) then
    raise exception 'a response that was handed in stays as it was' using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger questionnaire_response_handed_in before update on ecluse.questionnaire_response for each row execute function ecluse.keep_handed_in();
create trigger questionnaire_response_keep before delete on ecluse.questionnaire_response for each row execute function ecluse.refuse_change();
create trigger questionnaire_append_only before update or delete on ecluse.questionnaire for each row execute function ecluse.refuse_change();
create trigger questionnaire_finding_append_only before update or delete on ecluse.questionnaire_finding for each row execute function ecluse.refuse_change();
-- migrate: rollback
