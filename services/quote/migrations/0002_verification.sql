-- Proof of purchase, and what the staff made of it.

ALTER TABLE quotes
    -- What is answered since the verification; `answer` stays what was said first.
    ADD COLUMN verified json,
    ADD COLUMN missing text[] NOT NULL DEFAULT '{}',
    ADD COLUMN confirmed_at timestamptz,
    ADD COLUMN verified_by text,
    ADD CONSTRAINT confirmed_by_somebody CHECK ((confirmed_at IS NULL) = (verified_by IS NULL));

CREATE TABLE documents (
    evidence_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    quote_id text NOT NULL REFERENCES quotes,
    kind text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    media_type text NOT NULL,
    uploaded_at timestamptz NOT NULL
);
CREATE INDEX documents_by_quote ON documents (tenant_id, quote_id);
CALL tenant_table('documents');
