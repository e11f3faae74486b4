"""The claims service's routes: translate, open, call, render."""

from services.claims.api import claims, evidence, money, trace

ROUTERS = (claims.router, evidence.router, evidence.raw, money.router, trace.router)
