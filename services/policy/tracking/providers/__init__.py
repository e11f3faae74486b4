"""Whoever posts to us, by the name in the address: `POST /v1/tracking/{provider}`."""

from collections.abc import Mapping
from typing import Final

from services.policy.tracking.adapter import Provider
from services.policy.tracking.providers import (
    aftership,
    amazon,
    dhl_express,
    dhl_unified,
    easypost,
    epcis,
    fedex,
    karrio,
    neutral,
    seventeentrack,
    ship24,
    shippo,
    trackingmore,
    ups,
)

PROVIDERS: Final[Mapping[str, Provider]] = {
    provider.name: provider
    for provider in (
        easypost.PROVIDER,
        shippo.PROVIDER,
        aftership.PROVIDER,
        seventeentrack.PROVIDER,
        ship24.PROVIDER,
        trackingmore.PROVIDER,
        ups.PROVIDER,
        fedex.PROVIDER,
        dhl_unified.PROVIDER,
        dhl_express.PROVIDER,
        amazon.PROVIDER,
        karrio.PROVIDER,
        epcis.PROVIDER,
        neutral.PROVIDER,
    )
}
