"""The claims service's settings: those every service has."""

from libs.common.settings import Settings


class ClaimsSettings(Settings):
    pass
