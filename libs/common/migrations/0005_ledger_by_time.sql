-- A month's statement reads the transfers of its instants.
CREATE INDEX ledger_transfers_by_time ON ledger_transfers (tenant_id, occurred_at);
