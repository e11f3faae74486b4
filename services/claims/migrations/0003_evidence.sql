-- What files are by their content, whether they were scanned for viruses, and the same file elsewhere.

ALTER TABLE evidence
    ADD COLUMN width integer CHECK (width > 0),
    ADD COLUMN height integer CHECK (height > 0),
    ADD COLUMN duration_ms bigint CHECK (duration_ms >= 0),
    ADD COLUMN pages integer CHECK (pages > 0),
    -- SKIPPED: no scanner was set when it came, or it is of our own making.
    ADD COLUMN scan_state text NOT NULL DEFAULT 'SKIPPED'
        CHECK (scan_state IN ('WAITING', 'CLEAN', 'INFECTED', 'SKIPPED')),
    -- What the scanner calls it.
    ADD COLUMN scan_found text CHECK ((scan_found IS NOT NULL) = (scan_state = 'INFECTED'));
CREATE INDEX evidence_by_content ON evidence (tenant_id, sha256);
