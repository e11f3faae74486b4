-- Money beyond one payout: reserves, sendings of a payout, vouchers, and what is owed back.

-- What an undecided claim is expected to cost, as it stands in the ledger.
ALTER TABLE claims
    ADD COLUMN reserve_minor bigint NOT NULL DEFAULT 0 CHECK (reserve_minor >= 0),
    ADD COLUMN reserve_currency text,
    ADD CONSTRAINT reserve_in_a_currency CHECK (reserve_minor = 0 OR reserve_currency IS NOT NULL);

-- EXCESS: what the insurer paid above an advance. A decision's difference may be paid beside it.
ALTER TABLE payouts
    DROP CONSTRAINT payouts_kind_check,
    ADD CONSTRAINT payouts_kind_check CHECK (kind IN ('PAYOUT', 'ADVANCE', 'EXCESS')),
    -- The sendings so far.
    ADD COLUMN attempt integer NOT NULL DEFAULT 0 CHECK (attempt >= 0);
UPDATE payouts SET attempt = 1 WHERE sent_at IS NOT NULL;

-- Each sending of a payout, with the payment system's answer to it.
CREATE TABLE payout_attempts (
    payout_id text NOT NULL REFERENCES payouts,
    attempt integer NOT NULL CHECK (attempt > 0),
    tenant_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('SENT', 'CONFIRMED', 'FAILED')),
    reference text,
    sent_at timestamptz NOT NULL,
    settled_at timestamptz,
    PRIMARY KEY (payout_id, attempt),
    CONSTRAINT answered CHECK (
        (state = 'SENT') = (reference IS NULL) AND (state = 'SENT') = (settled_at IS NULL))
);
CALL tenant_table('payout_attempts');
INSERT INTO payout_attempts
SELECT payout_id, 1, tenant_id, CASE state WHEN 'CONFIRMED' THEN state WHEN 'FAILED' THEN state ELSE 'SENT' END,
       reference, sent_at, settled_at
FROM payouts WHERE sent_at IS NOT NULL AND state IN ('SENT', 'CONFIRMED', 'FAILED');

CREATE TABLE vouchers (
    voucher_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    claim_id text NOT NULL REFERENCES claims,
    payout_id text NOT NULL UNIQUE REFERENCES payouts,
    policy_id text NOT NULL,
    -- What its owner says at the counter.
    code text NOT NULL,
    value_minor bigint NOT NULL CHECK (value_minor > 0),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('ISSUED', 'USED', 'EXPIRED')),
    issued_at timestamptz NOT NULL,
    -- The last local day; NULL where the plan sets none.
    expires_on date,
    used_at timestamptz,
    reference text,
    second_fee_minor bigint CHECK (second_fee_minor >= 0),
    covered_minor bigint NOT NULL DEFAULT 0 CHECK (covered_minor >= 0),
    customer_pays_minor bigint NOT NULL DEFAULT 0 CHECK (customer_pays_minor >= 0),
    lapsed_minor bigint NOT NULL DEFAULT 0 CHECK (lapsed_minor >= 0),
    UNIQUE (tenant_id, code),
    -- To the cent: covered and lapsed are the voucher, covered and paid the second shipment (CS-29, CS-30).
    CONSTRAINT used_once CHECK (CASE state
        WHEN 'ISSUED' THEN used_at IS NULL AND covered_minor + lapsed_minor = 0
        WHEN 'EXPIRED' THEN used_at IS NULL AND lapsed_minor = value_minor
        ELSE used_at IS NOT NULL AND reference IS NOT NULL
            AND covered_minor + lapsed_minor = value_minor
            AND covered_minor + customer_pays_minor = second_fee_minor END)
);
CREATE INDEX vouchers_by_claim ON vouchers (tenant_id, claim_id);
CALL tenant_table('vouchers');

CREATE TABLE repayments (
    repayment_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    claim_id text NOT NULL REFERENCES claims,
    why text NOT NULL CHECK (why IN ('CARRIER_PAID_LATE', 'PARCEL_FOUND', 'FRAUD', 'PAID_TWICE')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    received_minor bigint NOT NULL DEFAULT 0
        CHECK (received_minor >= 0 AND received_minor <= amount_minor),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'RECEIVED', 'WRITTEN_OFF')),
    due_at timestamptz NOT NULL,
    settled_at timestamptz,
    -- Why it was written off, and who did it.
    note text NOT NULL DEFAULT '',
    CONSTRAINT received_in_full CHECK (CASE state
        WHEN 'OPEN' THEN received_minor < amount_minor AND settled_at IS NULL
        WHEN 'RECEIVED' THEN received_minor = amount_minor AND settled_at IS NOT NULL
        ELSE settled_at IS NOT NULL AND note <> '' END)
);
CREATE INDEX repayments_by_claim ON repayments (tenant_id, claim_id);
CREATE INDEX repayments_by_age ON repayments (tenant_id, due_at, repayment_id);
CALL tenant_table('repayments');

-- What became known of a claim after it was paid: the parcel came to light, or fraud did.
CREATE TABLE late_news (
    claim_id text NOT NULL REFERENCES claims,
    what text NOT NULL CHECK (what IN ('FOUND', 'FRAUD')),
    tenant_id text NOT NULL,
    happened_at timestamptz NOT NULL,
    note text NOT NULL,
    goods_returned boolean NOT NULL DEFAULT false,
    told_by text NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (claim_id, what)
);
CALL tenant_table('late_news');
CALL append_only('late_news');

ALTER TABLE recoveries
    DROP CONSTRAINT recoveries_source_check,
    ADD CONSTRAINT recoveries_source_check CHECK (source IN ('carrier', 'insurer', 'customer')),
    -- Whose the money is: a carrier may pay us what we have paid before (TK-23).
    ADD COLUMN paid_to text NOT NULL DEFAULT 'customer' CHECK (paid_to IN ('customer', 'operator')),
    ADD COLUMN repayment_id text REFERENCES repayments,
    ADD CONSTRAINT repays_something CHECK ((source = 'customer') = (repayment_id IS NOT NULL));
