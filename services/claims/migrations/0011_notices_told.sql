-- A first contact that is no claim yet: what the claimant told, beside what carriers and silence suggest.

ALTER TABLE claims
    DROP CONSTRAINT claims_cause_check,
    ADD CONSTRAINT claims_cause_check CHECK (cause IN (
        'lost', 'destroyed', 'damaged', 'seized', 'returned', 'silence', 'told'));
