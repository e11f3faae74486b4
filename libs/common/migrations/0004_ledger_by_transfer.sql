-- Whether a transfer balances is looked up by the transfer, as the owner. As the service's role, to
-- whom only its tenants' rows show, it was planned by the tenant: each transfer read all of theirs
-- (102 million entries for 4,000 payments).
ALTER FUNCTION refuse_imbalance() SECURITY DEFINER SET search_path FROM CURRENT;
