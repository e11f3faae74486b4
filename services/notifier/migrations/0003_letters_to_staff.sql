-- Some letters go to a tenant's staff, who are reached at the address in tenants.yaml.
SET LOCAL lock_timeout = '5s';
ALTER TABLE notifications DROP CONSTRAINT notifications_recipient_check;
ALTER TABLE notifications ADD CONSTRAINT notifications_recipient_check
    CHECK (recipient IN ('customer', 'staff'));
