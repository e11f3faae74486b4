"""What decisions rest on besides facts."""

from dataclasses import dataclass

from libs.common.errors import NotHereYet
from libs.common.plans.book import PlanBook
from libs.common.plans.tenants import Tenant, Tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decisions rest on besides facts: the plans, and the tenants' limits."""

    plans: PlanBook
    tenants: Tenants

    def tenant(self, tenant_id: str) -> Tenant:
        tenant = self.tenants.get(tenant_id)
        if tenant is None:
            raise NotHereYet(f"Tenant {tenant_id} is not in tenants.yaml here.")
        return tenant
