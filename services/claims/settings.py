"""The claims service's settings: those every service has, and its virus scanner."""

from libs.common.settings import Settings


class ClaimsSettings(Settings):
    # A clamd that looks at uploaded files: host:port, or unix:/path. Empty: nobody does.
    clamd: str = ""
