"""Whoever posts to us, by the name in the address: `POST /v1/tracking/{provider}`."""

from collections.abc import Mapping
from typing import Final

from services.policy.tracking.adapter import Provider
from services.policy.tracking.providers import easypost, neutral

PROVIDERS: Final[Mapping[str, Provider]] = {
    provider.name: provider for provider in (easypost.PROVIDER, neutral.PROVIDER)
}
