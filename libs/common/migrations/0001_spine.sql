-- The spine of a service: who may see what, events out and in, deadlines, clocks, repeated requests.

-- A table of tenants' rows: the service's role sees those of the tenants its transaction names.
CREATE PROCEDURE tenant_table(name regclass) LANGUAGE plpgsql AS $$
DECLARE service text := format('parcelcover_%s', current_schema());
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
        'CREATE POLICY tenants ON %s TO %I '
        'USING (tenant_id = ANY (string_to_array(current_setting(''app.tenants'', true), '','')))',
        name, service);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', name, service);
END $$;

-- A table the worker finds work in, whosever it is.
CREATE PROCEDURE worker_table(name regclass) LANGUAGE plpgsql AS $$
DECLARE worker text := format('parcelcover_%s_worker', current_schema());
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY worker ON %s TO %I USING (true)', name, worker);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', name, worker);
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- Rows that are written once: no right to change them, and a trigger for whoever has it.
CREATE PROCEDURE append_only(name regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON %s FROM %I', name,
                   format('parcelcover_%s', current_schema()));
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s '
                   'FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
END $$;

-- Events out. The count per key is what makes a key's ids rise in commit order: its row stays
-- locked from the append to the commit.
CREATE TABLE event_sequences (
    tenant_id text NOT NULL,
    key text NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CALL tenant_table('event_sequences');

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text NOT NULL,
    shard smallint NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    -- The event without its sequence, which the relay puts in front.
    envelope bytea NOT NULL,
    appended_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX outbox_by_shard ON outbox (shard, id);
CALL tenant_table('outbox');
CALL worker_table('outbox');

-- Events in: what a consumer has seen, in the transaction of what it did about it.
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id text NOT NULL,
    tenant_id text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
-- What a test clock counts; other tenants' rows cost it nothing.
CREATE INDEX inbox_of_sandboxes ON inbox (tenant_id) WHERE tenant_id LIKE 'sbx-%';
CALL tenant_table('inbox');

-- Events that could not be handled, and those of the same key that wait behind them.
CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key text NOT NULL,
    tenant_id text,
    event_id text,
    type text,
    value bytea NOT NULL,
    -- NULL for an event that only waits behind another of its key.
    cause text,
    detail text NOT NULL DEFAULT '',
    parked_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, topic, partition, "offset")
);
CREATE INDEX dead_letters_by_key ON dead_letters (consumer, key, id);
CALL worker_table('dead_letters');

-- What is due when. One of a kind per subject: setting it again moves it.
CREATE TABLE deadlines (
    tenant_id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    due_at timestamptz NOT NULL,
    -- Real time: when a deadline whose handler failed may be tried again.
    retry_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    failure text,
    PRIMARY KEY (tenant_id, kind, subject)
);
CREATE INDEX deadlines_by_due ON deadlines (due_at);
CALL tenant_table('deadlines');
CALL worker_table('deadlines');

-- A sandbox tenant's own time. The policy service moves it, the others follow.
CREATE TABLE test_clocks (
    tenant_id text PRIMARY KEY,
    clock_id text NOT NULL,
    now timestamptz NOT NULL
);
CALL tenant_table('test_clocks');
CALL worker_table('test_clocks');

-- Answers already given, for requests that come twice.
CREATE TABLE idempotency_keys (
    tenant_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    body bytea NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, route, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (answered_at);
CALL tenant_table('idempotency_keys');
