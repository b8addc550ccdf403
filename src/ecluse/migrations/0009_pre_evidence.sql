-- evidence, findings, overrides: what moves a contract's gate beside its dates and clauses
-- depends: 0007_pre_usage 0008_pre_succession
-- migrate: apply
-- Whatever a gate is computed from is accepted by a sealed control entry, and carries the instants between which it counts. Nothing here is a state.

-- ── evidence ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.evidence (
  id             text        not null constraint evidence_pk primary key,
  processor_id   text        not null references ecluse.processor (id),
  kind           text        not null,
  title          text        not null constraint evidence_title_ck check (title <> ''),
  issuer         text        not null,
  scope          text        not null,
  sites          text[]      not null, -- empty: all
  period_from    date,       -- null: of no period
  period_until   date,       -- null: of no period
  reviewed_on    date        not null,
  ends_on        date,       -- null: none of its own
  bridges        text        references ecluse.evidence (id), -- null: no bridge letter
  sub_processors jsonb       not null, -- of a list of them: [{name, address, contact, country, role}]; else []
  media_type     text        not null,
  bytes          integer     not null constraint evidence_bytes_ck check (bytes between 1 and 20971520),
  sha256         text        not null constraint evidence_sha256_ck check (sha256 ~ '^[0-9a-f]{64}$'),
  submitted_by   text        not null,
  submitted_at   timestamptz not null default ecluse.clock(),
  accepted_by    text,       -- null: not accepted
  accepted_at    timestamptz, -- null: not accepted: it counts for nothing
  rejected_by    text,       -- null: not rejected
  rejected_at    timestamptz, -- null: not rejected
  rejected_why   text,       -- null: not rejected
  withdrawn_by   text,       -- null: not withdrawn
  withdrawn_at   timestamptz, -- null: it counts on
  constraint evidence_period_ck check (period_from <= period_until and num_nonnulls(period_from, period_until) <> 1),
  constraint evidence_accepted_ck check (num_nonnulls(accepted_by, accepted_at) <> 1),
  constraint evidence_rejected_ck check (num_nonnulls(rejected_by, rejected_at, rejected_why) in (0, 3) and num_nonnulls(accepted_at, rejected_at) < 2),
  constraint evidence_withdrawn_ck check (num_nonnulls(withdrawn_by, withdrawn_at) <> 1 and (withdrawn_at is null or accepted_at <= withdrawn_at))
);
comment on table ecluse.evidence is 'Documents for or against a processor. Submitted by anybody who may; counts from accepted_at, which only a sealed control entry sets, until withdrawn_at.';
comment on column ecluse.evidence.submitted_by is 'staff: who submitted it; retention: while the contract runs, then 12 months';
comment on column ecluse.evidence.accepted_by is 'staff: who accepted it; retention: while the contract runs, then 12 months';
comment on column ecluse.evidence.rejected_by is 'staff: who rejected it; retention: while the contract runs, then 12 months';
comment on column ecluse.evidence.withdrawn_by is 'staff: who withdrew it; retention: while the contract runs, then 12 months';
comment on column ecluse.evidence.sub_processors is 'staff: contacts of sub-processors; retention: while the contract runs, then 12 months';
create index evidence_processor_ix on ecluse.evidence (processor_id, kind, accepted_at);

create table ecluse.evidence_document (
  evidence_id text  not null constraint evidence_document_pk primary key references ecluse.evidence (id),
  sealed      bytea not null
);
comment on table ecluse.evidence_document is 'The documents themselves: AES-256-GCM under keys/evidence.key, which is not in the database; 12 bytes of nonce first; bound to id and hash.';

-- ── findings ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.finding (
  id           text        not null constraint finding_pk primary key,
  processor_id text        not null references ecluse.processor (id),
  source       text        not null constraint finding_source_ck check (source in ('audit', 'pentest', 'questionnaire', 'incident', 'other')),
  severity     text        not null constraint finding_severity_ck check (severity in ('critical', 'high', 'medium', 'low')),
  title        text        not null constraint finding_title_ck check (title <> ''),
  due_on       date        not null,
  opened_by    text        not null,
  opened_at    timestamptz not null,
  closed_by    text,       -- null: open
  closed_at    timestamptz, -- null: open
  closing      text,       -- null: open
  constraint finding_closed_ck check (num_nonnulls(closed_by, closed_at, closing) in (0, 3))
);
comment on table ecluse.finding is 'What audits, tests and questionnaires found, each with the last day to mend it. Opened and closed by sealed control entries.';
comment on column ecluse.finding.opened_by is 'staff: who opened it; retention: while the contract runs, then 12 months';
comment on column ecluse.finding.closed_by is 'staff: who closed it; retention: while the contract runs, then 12 months';
create index finding_processor_ix on ecluse.finding (processor_id);

-- ── overrides ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table ecluse.gate_override (
  id           text        not null constraint gate_override_pk primary key,
  processor_id text        not null references ecluse.processor (id),
  reasons      text[]      not null constraint gate_override_reasons_ck check (cardinality(reasons) between 1 and 20),
  why          text        not null constraint gate_override_why_ck check (why <> ''),
  hours        integer     not null constraint gate_override_hours_ck check (hours between 1 and 72),
  asked_by     text        not null,
  asked_at     timestamptz not null default ecluse.clock(), -- no role may say another: an approval has a day from here
  approved_by  text,       -- null: asked for, without effect
  approved_at  timestamptz, -- null: asked for, without effect
  revoked_by   text,       -- null: not revoked
  revoked_at   timestamptz, -- null: not revoked
  constraint gate_override_two_ck check (approved_by <> asked_by),
  constraint gate_override_approved_ck check (num_nonnulls(approved_by, approved_at) <> 1),
  constraint gate_override_revoked_ck check (num_nonnulls(revoked_by, revoked_at) <> 1 and (revoked_at is null or approved_at <= revoked_at))
);
comment on table ecluse.gate_override is 'Reasons that two persons lift for at most 72 hours, from approved_at on, which only a sealed control entry sets.';
comment on column ecluse.gate_override.asked_by is 'staff: who asked for it; retention: while the contract runs, then 12 months';
comment on column ecluse.gate_override.approved_by is 'staff: who approved it; retention: while the contract runs, then 12 months';
comment on column ecluse.gate_override.revoked_by is 'staff: who revoked it; retention: while the contract runs, then 12 months';
create index gate_override_processor_ix on ecluse.gate_override (processor_id);

-- ── what control() does for these acts ───────────────────────────────────────────────────────────────────────────────────────
-- evidence:accept, evidence:withdraw (id, actor) · finding:open (id, source, severity, title, due_on, actor) · finding:close (id, closing, actor)
-- override:approve, override:revoke (id, actor). Each is of the processor of its own entry.
create function ecluse.govern(p_act text, p_processor text, p_body jsonb, t timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare v_id text := p_body ->> 'id'; v_actor text := p_body ->> 'actor';
begin
  case p_act
    when 'evidence:accept' then
      update ecluse.evidence e set accepted_by = v_actor, accepted_at = t
      where e.id = v_id and e.processor_id = p_processor and e.accepted_at is null and e.rejected_at is null and e.sha256 = p_body ->> 'sha256';
    when 'evidence:withdraw' then
      update ecluse.evidence e set withdrawn_by = v_actor, withdrawn_at = t
      where e.id = v_id and e.processor_id = p_processor and e.accepted_at is not null and e.withdrawn_at is null;
    when 'finding:open' then
      insert into ecluse.finding (id, processor_id, source, severity, title, due_on, opened_by, opened_at)
      values (v_id, p_processor, p_body ->> 'source', p_body ->> 'severity', p_body ->> 'title', (p_body ->> 'due_on')::date, v_actor, t);
    when 'finding:close' then
      update ecluse.finding f set closed_by = v_actor, closed_at = t, closing = p_body ->> 'closing'
      where f.id = v_id and f.processor_id = p_processor and f.closed_at is null;
    when 'override:approve' then -- asked for within the last day, by another person
      update ecluse.gate_override o set approved_by = v_actor, approved_at = t
      where o.id = v_id and o.processor_id = p_processor and o.approved_at is null and o.revoked_at is null and o.asked_by <> v_actor
        and o.asked_at > t - interval '24 hours' and o.hours = (p_body ->> 'hours')::integer
        and o.reasons = array(select jsonb_array_elements_text(p_body -> 'reasons'));
    when 'override:revoke' then
      update ecluse.gate_override o set revoked_by = v_actor, revoked_at = t
      where o.id = v_id and o.processor_id = p_processor and o.approved_at is not null and o.revoked_at is null and t < o.approved_at + o.hours * interval '1 hour';
  end case;
  if not found then
    raise exception 'nothing there that could be so changed' using errcode = 'no_data_found', constraint = 'govern_target';
  end if;
end $$;
create trigger evidence_keep before delete on ecluse.evidence for each row execute function ecluse.refuse_change();
-- what was rejected or withdrawn stays so: it is handed in anew
create trigger evidence_over before update on ecluse.evidence for each row when (old.rejected_at is not null or old.withdrawn_at is not null)
  execute function ecluse.refuse_change();
create trigger evidence_document_append_only before update or delete on ecluse.evidence_document for each row execute function ecluse.refuse_change();
create trigger finding_keep before delete on ecluse.finding for each row execute function ecluse.refuse_change();
create trigger gate_override_keep before delete on ecluse.gate_override for each row execute function ecluse.refuse_change();
-- migrate: rollback
