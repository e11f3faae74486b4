"""The policy service's settings: those every service has, and the keys that seal secrets."""

from pathlib import Path

from libs.common.settings import Settings


class PolicySettings(Settings):
    # Keys that hooks' secrets are sealed with, one a line, the newest first.
    sealing_keys: Path = Path(".parcelcover/keys/sealing.keys")
    # An own file of carriers' codes, beside the shipped one: provider,kind,code,status,reason.
    status_map: Path | None = None
