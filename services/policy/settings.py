"""The policy service's settings: those every service has."""

from libs.common.settings import Settings


class PolicySettings(Settings):
    @property
    def peers(self) -> dict[str, str]:
        """The other services' URLs, by name."""
        return {
            "quote": self.quote_url,
            "claims": self.claims_url,
            "notifier": self.notifier_url,
        }
