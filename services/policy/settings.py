"""The policy service's settings: those every service has."""

from libs.common.settings import Settings


class PolicySettings(Settings):
    pass
