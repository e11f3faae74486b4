-- Double entry: every transfer sums to zero in each currency, and nothing is ever changed.

CREATE TABLE ledger_transfers (
    transfer_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    kind text NOT NULL,
    -- What the transfer is for, such as a payment's or a payout's id: once per kind.
    reference text NOT NULL,
    policy_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, kind, reference)
);
CREATE INDEX ledger_transfers_by_policy ON ledger_transfers (tenant_id, policy_id);
CALL tenant_table('ledger_transfers');
CALL append_only('ledger_transfers');

CREATE TABLE ledger_entries (
    transfer_id text NOT NULL REFERENCES ledger_transfers,
    line smallint NOT NULL,
    tenant_id text NOT NULL,
    account text NOT NULL,
    -- Debit positive, credit negative.
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    PRIMARY KEY (transfer_id, line)
);
CREATE INDEX ledger_entries_by_account ON ledger_entries (tenant_id, account);
CALL tenant_table('ledger_entries');
CALL append_only('ledger_entries');

CREATE FUNCTION refuse_imbalance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entries WHERE transfer_id = NEW.transfer_id) OR EXISTS (
        SELECT FROM ledger_entries WHERE transfer_id = NEW.transfer_id
        GROUP BY currency HAVING sum(amount_minor) <> 0
    ) THEN
        RAISE EXCEPTION 'transfer % does not sum to zero', NEW.transfer_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger_transfers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_imbalance();
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_imbalance();
