-- What carriers and aggregators post: kept as it came, read afterwards, one history per parcel.

-- Who may post, and the sealed secrets that prove it.
CREATE TABLE tracking_hooks (
    tenant_id text NOT NULL,
    provider text NOT NULL,
    -- The provider's ways to prove itself differ: which of them this one uses.
    scheme text NOT NULL,
    sealed_secret bytea NOT NULL,
    -- The one before, good until then: a rotation must not lose what is on its way.
    sealed_former bytea,
    former_until timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, provider),
    CHECK ((sealed_former IS NULL) = (former_until IS NULL))
);
CALL tenant_table('tracking_hooks');

-- A notice is named by the hash of tenant, provider and body: the same bytes again are a repeat.
CREATE TABLE tracking_notices (
    notice_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    provider text NOT NULL,
    body bytea NOT NULL,
    headers text NOT NULL,
    size_bytes integer NOT NULL,
    -- Real time, whatever a test clock shows.
    received_at timestamptz NOT NULL
);
CREATE INDEX tracking_notices_by_age ON tracking_notices (tenant_id, received_at, notice_id);
CALL tenant_table('tracking_notices');
CALL append_only('tracking_notices');

-- Those to be read, and to be read again.
CREATE TABLE tracking_queue (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text NOT NULL,
    notice_id text NOT NULL,
    is_again boolean NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX tracking_queue_by_tenant ON tracking_queue (tenant_id, id);
CALL tenant_table('tracking_queue');
CALL worker_table('tracking_queue');

-- What a notice was last read as.
CREATE TABLE tracking_readings (
    notice_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    provider text NOT NULL,
    state text NOT NULL CHECK (state IN ('READ', 'UNREADABLE', 'FAILED')),
    message_id text NOT NULL,
    kind text NOT NULL,
    detail text NOT NULL,
    scans integer NOT NULL,
    -- Of them, those of a policy's parcel; and how many codes it brought that no map has.
    matched integer NOT NULL,
    unknown integer NOT NULL,
    read_at timestamptz NOT NULL
);
CREATE INDEX tracking_readings_wanting ON tracking_readings (tenant_id, provider)
    WHERE state <> 'READ' OR unknown > 0;
CALL tenant_table('tracking_readings');

-- Numbers that were no policy's when their notices were read: read again once one is.
CREATE TABLE unmatched_parcels (
    tenant_id text NOT NULL,
    tracking_number text NOT NULL,
    notice_id text NOT NULL,
    PRIMARY KEY (tenant_id, tracking_number, notice_id)
);
CALL tenant_table('unmatched_parcels');

CREATE TABLE unknown_codes (
    tenant_id text NOT NULL,
    provider text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('status', 'sub')),
    code text NOT NULL,
    notices bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    -- One that has it.
    notice_id text NOT NULL,
    PRIMARY KEY (tenant_id, provider, kind, code)
);
CALL tenant_table('unknown_codes');

-- By the day, in real time. `received` are new notices, counted when they are read.
CREATE TABLE tracking_counts (
    tenant_id text NOT NULL,
    provider text NOT NULL,
    day date NOT NULL,
    received bigint NOT NULL DEFAULT 0,
    repeated bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    last_received_at timestamptz,
    PRIMARY KEY (tenant_id, provider, day)
);
CALL tenant_table('tracking_counts');

ALTER TABLE scans
    -- Where it was said, and in whose words; empty for a scan in neutral ones.
    ADD COLUMN provider text NOT NULL DEFAULT '',
    ADD COLUMN notice_id text NOT NULL DEFAULT '',
    ADD COLUMN code text NOT NULL DEFAULT '',
    ADD COLUMN time_raw text NOT NULL DEFAULT '',
    ADD COLUMN is_zoned boolean NOT NULL DEFAULT true,
    ADD COLUMN is_trusted boolean NOT NULL DEFAULT true,
    ADD COLUMN is_withdrawn boolean NOT NULL DEFAULT false,
    -- A scan whose code a longer map knows, or that was taken back, is written again, never over.
    ADD COLUMN reading smallint NOT NULL DEFAULT 1,
    ALTER COLUMN occurred_at DROP NOT NULL,
    -- Scans are written while their policy is locked, and no policy is ever removed: a look at the
    -- policy for each of them was a tenth of what reading costs the database.
    DROP CONSTRAINT scans_policy_id_fkey,
    DROP CONSTRAINT scans_pkey,
    ADD PRIMARY KEY (policy_id, scan_id, reading);

-- A policy is mostly asked for by tenant and id. Where a table is new and has no statistics yet, the
-- planner took the index of the tenant's age for it, and read all of theirs: 800 ms instead of 30 for
-- 500 of 4,000 policies.
CREATE UNIQUE INDEX policies_of_tenant ON policies (tenant_id, policy_id);
-- When something last moved the parcel, or it left: what is quiet is found by it, among those on their
-- way. It is in no index itself, so that none has to follow every scan, and a page keeps room for them.
ALTER TABLE policies ADD COLUMN moved_at timestamptz;
UPDATE policies SET moved_at = coalesce(
    (tracking ->> 'last_update_at')::timestamptz, (tracking ->> 'dispatched_at')::timestamptz);
CREATE INDEX policies_active ON policies (tenant_id, policy_id) WHERE state = 'ACTIVE';
ALTER TABLE policies SET (fillfactor = 80);

-- A ship-out that was reported stands whatever is said of scans; one that a scan stood for does not.
UPDATE policies p SET tracking = jsonb_set(
    tracking, '{reported_dispatched_at}', tracking -> 'dispatched_at')
WHERE tracking ->> 'dispatched_at' IS NOT NULL AND NOT EXISTS (
    SELECT FROM scans s WHERE s.policy_id = p.policy_id
        AND s.occurred_at = (p.tracking ->> 'dispatched_at')::timestamptz);
