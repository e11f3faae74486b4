"""The quote service's settings: those every service has."""

from libs.common.settings import Settings


class QuoteSettings(Settings):
    pass
