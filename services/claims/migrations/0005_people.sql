-- Decisions by people: reasons they override, what a second person agrees to, claims taken back.

ALTER TABLE decisions
    -- Discretionary reasons set aside, [{code, why, by}]: with plan and facts they make it again.
    ADD COLUMN overrides jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN awaits_approval boolean NOT NULL DEFAULT false,
    -- The second person, beside decided_by.
    ADD COLUMN approved_by text;

-- Overrides that two people agreed to: every later decision of the claim goes by them.
ALTER TABLE claims ADD COLUMN overrides jsonb NOT NULL DEFAULT '[]';

CREATE TABLE approvals (
    approval_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    claim_id text NOT NULL REFERENCES claims,
    about text NOT NULL CHECK (about IN ('decision', 'payout')),
    -- A decision's or a payout's id.
    subject_id text NOT NULL,
    why text NOT NULL,
    -- What whoever answers must be allowed.
    scope text NOT NULL CHECK (scope IN ('claims:decide', 'claims:manage', 'payouts:approve')),
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'GRANTED', 'REFUSED', 'VOID')),
    answered_by text CHECK (answered_by <> asked_by),
    answered_at timestamptz,
    note text NOT NULL DEFAULT '',
    void_why text NOT NULL DEFAULT '',
    CHECK (state NOT IN ('GRANTED', 'REFUSED') OR answered_by IS NOT NULL)
);
CREATE UNIQUE INDEX one_open_approval ON approvals (subject_id) WHERE state = 'OPEN';
CREATE INDEX approvals_by_claim ON approvals (tenant_id, claim_id);
CREATE INDEX approvals_by_age ON approvals (tenant_id, asked_at, approval_id);
CALL tenant_table('approvals');

CREATE TABLE withdrawals (
    claim_id text PRIMARY KEY REFERENCES claims,
    tenant_id text NOT NULL,
    withdrawn_by text NOT NULL,
    withdrawn_at timestamptz NOT NULL,
    reason text NOT NULL,
    replaced_by text UNIQUE REFERENCES claims
);
CALL tenant_table('withdrawals');
CALL append_only('withdrawals');

-- A void payout is in nobody's way: a refused advance may be asked for again.
ALTER TABLE payouts DROP CONSTRAINT payouts_decision_id_kind_key;
CREATE UNIQUE INDEX one_payout_a_decision ON payouts (decision_id, kind) WHERE state <> 'VOID';
DROP INDEX one_advance_a_claim;
CREATE UNIQUE INDEX one_advance_a_claim ON payouts (claim_id)
    WHERE kind = 'ADVANCE' AND state <> 'VOID';
