-- A cover is remembered from PolicyIssued on, for letters that go out before it is paid: its
-- premium, which is what was paid, is known from PolicyPaid on.
ALTER TABLE covers ALTER COLUMN premium_minor DROP NOT NULL;
