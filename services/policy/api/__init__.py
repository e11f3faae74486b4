"""The policy service's routes: translate, open, call, render."""

from services.policy.api import (
    batches,
    clocks,
    endings,
    histories,
    internal,
    notices,
    parcels,
    payments,
    policies,
    quiet_parcels,
    snapshots,
    tracking_hooks,
)

ROUTERS = (
    policies.router,
    endings.router,
    payments.router,
    notices.router,
    notices.signed,
    parcels.router,
    histories.router,
    snapshots.router,
    quiet_parcels.router,
    tracking_hooks.router,
    batches.router,
    clocks.router,
    internal.router,
    snapshots.internal,
)
