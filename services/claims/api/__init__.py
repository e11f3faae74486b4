"""The claims service's routes: translate, open, call, render."""

from services.claims.api import claims, evidence, money

ROUTERS = (claims.router, evidence.router, evidence.raw, evidence.files, money.router)
