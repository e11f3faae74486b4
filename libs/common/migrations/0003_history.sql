-- What became of each thing, and by whom: the events said of it, kept for good.

CREATE TABLE history (
    tenant_id text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    acted_by text NOT NULL,
    data json NOT NULL,
    PRIMARY KEY (tenant_id, key, sequence)
);
CALL tenant_table('history');
CALL append_only('history');
