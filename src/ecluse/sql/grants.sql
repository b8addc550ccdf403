-- The one list of who may do what. Run by the owner after every migration; it first takes everything away. A test compares it with the catalogue.
revoke all on all tables in schema ecluse from public, ecluse_app, ecluse_jobs, ecluse_eraser, ecluse_reader, ecluse_sealer, ecluse_usage;
revoke all on all sequences in schema ecluse from public, ecluse_app, ecluse_jobs, ecluse_eraser, ecluse_reader, ecluse_sealer, ecluse_usage;
revoke all on all functions in schema ecluse from public, ecluse_app, ecluse_jobs, ecluse_eraser, ecluse_reader, ecluse_sealer, ecluse_usage;
revoke all on schema ecluse from public, ecluse_app, ecluse_jobs, ecluse_eraser, ecluse_reader, ecluse_sealer, ecluse_usage;
grant usage on schema ecluse to ecluse_app, ecluse_jobs, ecluse_eraser, ecluse_reader, ecluse_sealer, ecluse_usage;
grant execute on function ecluse.clock() to ecluse_app, ecluse_jobs, ecluse_reader, ecluse_sealer, ecluse_eraser;

-- ecluse_sealer owns the functions that write, and those that read history for the gate; nobody logs in as it
grant create on schema ecluse to ecluse_sealer;
alter function ecluse.seal owner to ecluse_sealer;
alter function ecluse.control owner to ecluse_sealer;
alter function ecluse.apply_schedule owner to ecluse_sealer;
alter function ecluse.spend owner to ecluse_sealer;
alter function ecluse.purge owner to ecluse_sealer;
alter function ecluse.refusals_due owner to ecluse_sealer;
alter function ecluse.note_refusals owner to ecluse_sealer;
alter function ecluse.drop_pending owner to ecluse_sealer;
alter function ecluse.refuse_unsealed_rows owner to ecluse_sealer;
alter function ecluse.gather owner to ecluse_sealer;
alter function ecluse.sealed_before owner to ecluse_sealer;
alter function ecluse.entry_of owner to ecluse_sealer;
alter function ecluse.unsigned_since owner to ecluse_sealer;
alter function ecluse.record_outcome owner to ecluse_sealer;
alter function ecluse.outcomes_due owner to ecluse_sealer;
alter function ecluse.settle_outcome owner to ecluse_sealer;
alter function ecluse.retry_outcomes owner to ecluse_sealer;
alter function ecluse.outcome_counts owner to ecluse_sealer;
alter function ecluse.purge_outcomes owner to ecluse_sealer;
alter function ecluse.rekey_log owner to ecluse_sealer;
alter function ecluse.succeed_log owner to ecluse_sealer;
alter function ecluse.current_log owner to ecluse_sealer;
alter function ecluse.uncosigned_since owner to ecluse_sealer;
alter function ecluse.apply_witnesses owner to ecluse_sealer;
alter function ecluse.usage_lines owner to ecluse_sealer;
alter function ecluse.usage_plan owner to ecluse_sealer;
alter function ecluse.usage_seal owner to ecluse_sealer;
alter function ecluse.usage_shown owner to ecluse_sealer;
alter function ecluse.purge_usage owner to ecluse_sealer;
alter function ecluse.first_sealed owner to ecluse_sealer;
alter function ecluse.counts_due owner to ecluse_sealer;
alter function ecluse.note_counts owner to ecluse_sealer;
alter function ecluse.bundle_of owner to ecluse_sealer;
alter function ecluse.seal_erasure owner to ecluse_sealer;
alter function ecluse.govern owner to ecluse_sealer;
alter function ecluse.fold_flows owner to ecluse_sealer;
alter function ecluse.seal_emergency owner to ecluse_sealer;
alter function ecluse.review_emergency owner to ecluse_sealer;
alter function ecluse.emergencies_waiting owner to ecluse_sealer;
alter function ecluse.may_manage owner to ecluse_sealer;
alter function ecluse.invite owner to ecluse_sealer;
alter function ecluse.approve_invitation owner to ecluse_sealer;
alter function ecluse.manage_people owner to ecluse_sealer;
alter function ecluse.purge_people owner to ecluse_sealer;
alter function ecluse.may_look_up owner to ecluse_sealer;
alter function ecluse.decide_lookup owner to ecluse_sealer;
alter function ecluse.seal_lookup owner to ecluse_sealer;
revoke create on schema ecluse from ecluse_sealer;
-- its own, too: the second time the lines at the top take an owner's right to call what it owns
grant execute on function ecluse.seal, ecluse.control, ecluse.apply_schedule, ecluse.spend, ecluse.purge, ecluse.refusals_due, ecluse.note_refusals, ecluse.drop_pending, ecluse.refuse_unsealed_rows to ecluse_sealer;
grant execute on function ecluse.gather, ecluse.sealed_before, ecluse.entry_of, ecluse.unsigned_since to ecluse_sealer;
grant execute on function ecluse.record_outcome, ecluse.outcomes_due, ecluse.settle_outcome, ecluse.retry_outcomes, ecluse.outcome_counts, ecluse.purge_outcomes to ecluse_sealer;
grant execute on function ecluse.rekey_log, ecluse.succeed_log, ecluse.current_log to ecluse_sealer;
grant select, insert, update on ecluse.ledger_key to ecluse_sealer;
grant select, insert on ecluse.ledger_succession to ecluse_sealer;
grant update (log_id) on ecluse.processor to ecluse_sealer;
grant execute on function ecluse.usage_lines, ecluse.usage_plan, ecluse.usage_seal, ecluse.usage_shown, ecluse.purge_usage, ecluse.first_sealed, ecluse.counts_due, ecluse.note_counts, ecluse.bundle_of to ecluse_sealer;
grant select, insert, update, delete on ecluse.usage_deferral to ecluse_sealer;
grant select, insert, delete on ecluse.usage_look to ecluse_sealer;
grant select, insert on ecluse.counts_day to ecluse_sealer;
grant execute on function ecluse.seal_erasure, ecluse.handle_of to ecluse_sealer;
grant select, insert on ecluse.erasure_batch, ecluse.tombstone to ecluse_sealer;
grant select, delete on ecluse.erasure_plan to ecluse_sealer;
grant select on ecluse.erasure_place, ecluse.erasure_request to ecluse_sealer;
grant update (batch) on ecluse.erasure_request to ecluse_sealer;
grant execute on function ecluse.govern to ecluse_sealer;
grant execute on function ecluse.fold_flows, ecluse.opened, ecluse.flow_word to ecluse_sealer;
grant select, insert, update on ecluse.flow_mark, ecluse.flow_seen, ecluse.flow_person, ecluse.flow_attempt to ecluse_sealer;
grant execute on function ecluse.seal_emergency, ecluse.review_emergency, ecluse.emergencies_waiting to ecluse_sealer;
grant select, insert, update on ecluse.emergency to ecluse_sealer;
grant execute on function ecluse.may_manage, ecluse.invite, ecluse.approve_invitation, ecluse.manage_people, ecluse.purge_people to ecluse_sealer;
grant select, insert, update on ecluse.officer, ecluse.passkey to ecluse_sealer;
grant select, insert, update, delete on ecluse.invitation to ecluse_sealer;
grant select, update (ended_at), delete on ecluse.sign_in to ecluse_sealer;
grant select, delete on ecluse.sign_in_challenge, ecluse.walk_in to ecluse_sealer;
grant execute on function ecluse.may_look_up, ecluse.decide_lookup, ecluse.seal_lookup to ecluse_sealer;
grant select, insert, update on ecluse.lookup to ecluse_sealer;
grant select, delete on ecluse.schedule_draft to ecluse_sealer;
grant select, update on ecluse.evidence, ecluse.gate_override to ecluse_sealer;
grant select, insert, update on ecluse.finding to ecluse_sealer;
grant select on ecluse.ledger_checkpoint to ecluse_sealer;
grant execute on function ecluse.uncosigned_since, ecluse.apply_witnesses to ecluse_sealer;
grant select, insert on ecluse.ledger_policy to ecluse_sealer;
grant select on ecluse.ledger_quorum to ecluse_sealer;
grant select, update on ecluse.ledger_head to ecluse_sealer;
grant select, insert on ecluse.ledger_entry, ecluse.opening, ecluse.contract, ecluse.processor, ecluse.agent, ecluse.client, ecluse.schedule_change to ecluse_sealer;
grant select, insert, update on ecluse.client_key, ecluse.hold to ecluse_sealer;
grant select, update, delete on ecluse.schedule_import to ecluse_sealer;
grant select, insert, update, delete on ecluse.session, ecluse.appointment to ecluse_sealer;
grant select, delete on ecluse.schedule_request to ecluse_sealer;
grant select on ecluse.enrolment to ecluse_sealer;
grant select, insert, delete on ecluse.session_agent to ecluse_sealer;
grant select, insert, delete on ecluse.proof_spent, ecluse.budget_person to ecluse_sealer;
grant select, insert, update, delete on ecluse.budget_count, ecluse.idempotency, ecluse.refusal_count to ecluse_sealer;
grant select, insert, update, delete on ecluse.outcome, ecluse.outcome_key to ecluse_sealer;
grant select on ecluse.outcome_feed to ecluse_sealer;
grant usage on sequence ecluse.outcome_seq to ecluse_sealer;

-- ecluse_app: the gate. It reads what it decides from, and of history one entry at a time; it loads pending places, and passes every other write through the door
revoke all on function ecluse.seal, ecluse.control, ecluse.spend, ecluse.gather, ecluse.sealed_before, ecluse.entry_of, ecluse.unsigned_since, ecluse.apply_schedule, ecluse.purge, ecluse.refusals_due, ecluse.note_refusals, ecluse.ensure_partitions, ecluse.drop_pending, ecluse.refuse_unsealed_rows, ecluse.refuse_unsealed_roster, ecluse.refuse_change from public;
grant execute on function ecluse.seal, ecluse.control, ecluse.spend, ecluse.gather, ecluse.sealed_before, ecluse.entry_of, ecluse.unsigned_since to ecluse_app;
grant select on ecluse.ledger_log, ecluse.ledger_head, ecluse.ledger_tile, ecluse.ledger_checkpoint to ecluse_app;
grant select on ecluse.processor, ecluse.contract, ecluse.agent, ecluse.client, ecluse.client_key, ecluse.hold to ecluse_app;
grant select on ecluse.schedule_change, ecluse.budget_count to ecluse_app;
grant select on ecluse.schedule_import, ecluse.session, ecluse.session_agent, ecluse.enrolment, ecluse.appointment to ecluse_app;
grant insert (id, source, sha256, row_count, actor, started_at, mode, salt) on ecluse.schedule_import to ecluse_app;
grant select, insert, delete on ecluse.schedule_request to ecluse_app;
grant insert (id, source, session_ref, processor_id, purpose, site_id, room, starts_at, ends_at, import_id) on ecluse.session to ecluse_app;
grant insert on ecluse.session_agent, ecluse.enrolment to ecluse_app;
grant insert (processor_id, id, session_id, place_ref, enrolment_id, subject_ref, import_id) on ecluse.appointment to ecluse_app;
grant execute on function ecluse.drop_pending to ecluse_app;
revoke all on function ecluse.record_outcome, ecluse.outcomes_due, ecluse.settle_outcome, ecluse.retry_outcomes, ecluse.outcome_counts, ecluse.purge_outcomes from public;
grant execute on function ecluse.record_outcome, ecluse.retry_outcomes, ecluse.outcome_counts to ecluse_app;
grant select on ecluse.outcome_feed to ecluse_app;
revoke all on function ecluse.first_key, ecluse.rekey_log, ecluse.succeed_log, ecluse.current_log from public;
grant execute on function ecluse.current_log to ecluse_app, ecluse_jobs, ecluse_eraser, ecluse_reader;
grant select on ecluse.ledger_key, ecluse.ledger_succession, ecluse.ledger_anchor to ecluse_app;
revoke all on function ecluse.uncosigned_since, ecluse.apply_witnesses from public;
grant execute on function ecluse.uncosigned_since to ecluse_app;
grant select on ecluse.ledger_policy, ecluse.ledger_cosignature, ecluse.ledger_quorum to ecluse_app;
grant select, insert, delete on ecluse.sandbox_person to ecluse_app;
revoke all on function ecluse.govern from public;
revoke all on function ecluse.fold_flows, ecluse.forget_flows, ecluse.opened, ecluse.flow_word from public;
grant select, insert, delete on ecluse.flow_import to ecluse_app;
revoke all on function ecluse.seal_emergency, ecluse.review_emergency, ecluse.emergencies_waiting from public;
grant execute on function ecluse.seal_emergency, ecluse.emergencies_waiting to ecluse_app;
revoke all on function ecluse.may_look_up, ecluse.decide_lookup, ecluse.seal_lookup from public;
grant execute on function ecluse.seal_lookup to ecluse_app;
grant select, insert, delete on ecluse.schedule_draft to ecluse_app;
grant select (state) on ecluse.notice to ecluse_app;
revoke all on function ecluse.may_manage, ecluse.invite, ecluse.approve_invitation, ecluse.manage_people, ecluse.purge_people from public;
grant execute on function ecluse.invite, ecluse.approve_invitation to ecluse_app;
grant select on ecluse.officer, ecluse.passkey, ecluse.invitation to ecluse_app;
grant update (sign_count, backed_up, used_at) on ecluse.passkey to ecluse_app; -- never fewer: a trigger
grant select, insert, update (seen_at, stepped_up_at, thumbprint, ended_at) on ecluse.sign_in to ecluse_app;
grant select, insert, update, delete on ecluse.sign_in_challenge to ecluse_app;
grant select, insert, delete on ecluse.walk_in to ecluse_app; -- a code opens nothing
grant select on ecluse.evidence, ecluse.evidence_document, ecluse.finding, ecluse.gate_override to ecluse_app;
grant insert (id, processor_id, kind, title, issuer, scope, sites, period_from, period_until, reviewed_on, ends_on, bridges, sub_processors, media_type, bytes, sha256, submitted_by) on ecluse.evidence to ecluse_app;
grant update (rejected_by, rejected_at, rejected_why) on ecluse.evidence to ecluse_app; -- what was accepted stays: a constraint
grant insert on ecluse.evidence_document to ecluse_app;
grant insert (id, processor_id, reasons, why, hours, asked_by) on ecluse.gate_override to ecluse_app;
grant select, insert on ecluse.questionnaire, ecluse.questionnaire_finding to ecluse_app;
grant select on ecluse.questionnaire_response to ecluse_app;
grant insert (id, processor_id, questionnaire, way, secret_sha256, language, made_by, expires_at, answers, contact_name, contact_function, contact_email, saved_at, handed_in_at) on ecluse.questionnaire_response to ecluse_app;
grant update (revoked_by, revoked_at, answers, contact_name, contact_function, contact_email, saved_at, handed_in_at, evidence_id) on ecluse.questionnaire_response to ecluse_app; -- what was handed in stays: a trigger
grant select on public._pogo_migration to ecluse_app; -- a gate does not start on another release's schema

-- ecluse_jobs: hashes entries into tiles, signs heads, clears what has served its time
grant select on ecluse.ledger_log, ecluse.ledger_head, ecluse.ledger_entry to ecluse_jobs;
grant select, insert, update on ecluse.ledger_tile to ecluse_jobs;
grant select, insert on ecluse.ledger_checkpoint to ecluse_jobs;
grant select on ecluse.ledger_policy to ecluse_jobs;
grant select, insert on ecluse.ledger_cosignature, ecluse.ledger_quorum to ecluse_jobs;
grant execute on function ecluse.uncosigned_since to ecluse_jobs;
grant select on ecluse.ledger_key, ecluse.ledger_succession to ecluse_jobs;
grant update (note) on ecluse.ledger_checkpoint to ecluse_jobs; -- another key's signature of the same head
grant select, insert on ecluse.ledger_anchor to ecluse_jobs;
grant execute on function ecluse.purge, ecluse.refusals_due, ecluse.note_refusals, ecluse.ensure_partitions to ecluse_jobs;
grant execute on function ecluse.outcomes_due, ecluse.settle_outcome, ecluse.outcome_counts, ecluse.purge_outcomes to ecluse_jobs;
grant execute on function ecluse.purge_people to ecluse_jobs;
grant select, insert, update, delete on ecluse.notice to ecluse_jobs; -- who was told; it moves no gate
grant select on ecluse.contract, ecluse.evidence, ecluse.finding, ecluse.gate_override, ecluse.emergency to ecluse_jobs;

-- ecluse_usage: looks a person's record up, and may do nothing else
revoke all on function ecluse.usage_lines, ecluse.usage_plan, ecluse.usage_seal, ecluse.usage_shown, ecluse.purge_usage, ecluse.first_sealed, ecluse.counts_due, ecluse.note_counts, ecluse.bundle_of from public;
grant execute on function ecluse.usage_plan, ecluse.usage_seal, ecluse.usage_shown to ecluse_usage;
grant execute on function ecluse.bundle_of to ecluse_app, ecluse_jobs, ecluse_reader;
grant execute on function ecluse.purge_usage, ecluse.counts_due, ecluse.note_counts to ecluse_jobs;
grant execute on function ecluse.fold_flows to ecluse_jobs;

-- ecluse_eraser: owns the functions that forget; nobody logs in as it
revoke all on function ecluse.erasable, ecluse.handle_of, ecluse.processor_of_hold, ecluse.kept_at, ecluse.names_any, ecluse.hold_lasts, ecluse.erasure_waiting, ecluse.plan_erasure, ecluse.seal_erasure, ecluse.erase_slice, ecluse.ask_erasure, ecluse.withdraw_erasure, ecluse.erasure_requests, ecluse.erasure_batches, ecluse.erasure_kept from public;
grant create on schema ecluse to ecluse_eraser;
alter function ecluse.plan_erasure owner to ecluse_eraser;
alter function ecluse.erase_slice owner to ecluse_eraser;
alter function ecluse.ask_erasure owner to ecluse_eraser;
alter function ecluse.withdraw_erasure owner to ecluse_eraser;
alter function ecluse.erasure_requests owner to ecluse_eraser;
alter function ecluse.erasure_batches owner to ecluse_eraser;
alter function ecluse.erasure_kept owner to ecluse_eraser;
revoke create on schema ecluse from ecluse_eraser;
grant execute on function ecluse.erasable, ecluse.handle_of, ecluse.processor_of_hold, ecluse.kept_at, ecluse.names_any, ecluse.hold_lasts, ecluse.erasure_waiting to ecluse_eraser;
grant execute on function ecluse.plan_erasure, ecluse.erase_slice, ecluse.ask_erasure, ecluse.withdraw_erasure, ecluse.erasure_requests, ecluse.erasure_batches, ecluse.erasure_kept to ecluse_eraser;
grant select on ecluse.ledger_head, ecluse.agent, ecluse.client, ecluse.schedule_import, ecluse.tombstone to ecluse_eraser;
grant select, delete on ecluse.opening, ecluse.appointment, ecluse.session, ecluse.enrolment, ecluse.outcome, ecluse.schedule_change, ecluse.budget_person, ecluse.hold, ecluse.usage_deferral to ecluse_eraser;
grant update (salt, actor) on ecluse.schedule_import to ecluse_eraser;
grant select, update on ecluse.erasure_batch to ecluse_eraser;
grant select, insert on ecluse.erasure_plan to ecluse_eraser;
grant select, insert, delete on ecluse.erasure_place, ecluse.erasure_request to ecluse_eraser;
grant execute on function ecluse.forget_flows, ecluse.flow_word to ecluse_eraser;
grant select, delete on ecluse.flow_person to ecluse_eraser;
grant select, insert, update on ecluse.flow_gone to ecluse_eraser;
grant select, delete on ecluse.emergency, ecluse.lookup to ecluse_eraser;
grant execute on function ecluse.plan_erasure, ecluse.seal_erasure, ecluse.erase_slice, ecluse.ask_erasure, ecluse.withdraw_erasure, ecluse.erasure_requests, ecluse.erasure_batches, ecluse.erasure_kept to ecluse_jobs;

-- ecluse_reader: fsck, console, exposure, shadow runs
grant execute on function ecluse.handle_of to ecluse_reader;
grant select on all tables in schema ecluse to ecluse_reader;
