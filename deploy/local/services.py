"""The four services as processes of the local stack, and what they are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import executable
from typing import Final

import httpx

from deploy.local import keys
from deploy.local.kafka import Broker
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import Postgres
from deploy.local.processes import Child, Server, spawn
from deploy.local.smtp import Mailbox

USUAL_PORTS: Final[Mapping[str, int]] = {
    "quote": 8101,
    "policy": 8102,
    "claims": 8103,
    "notifier": 8104,
}
_ASK_SECONDS = 2.0


class Service(Server):
    """One of our services, serving on its port when GET /readyz says so."""

    def __init__(self, name: str, *, port: int, log: Path, env: Mapping[str, str]) -> None:
        super().__init__(name)
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"
        self.log = log
        self.env = env

    def _launch(self) -> Child:
        return spawn(
            self.name,
            [
                *(executable, "-m", "deploy.cli", "serve", self.name),
                *("--host", LOOPBACK, "--port", str(self.port)),
            ],
            log=self.log,
            env=self.env,
        )

    async def _answers(self) -> bool:
        try:
            # No certificates are read for a plain connection, no proxy asked for a loopback.
            async with httpx.AsyncClient(
                verify=False, trust_env=False, timeout=_ASK_SECONDS
            ) as client:
                answer = await client.get(f"{self.url}/readyz")
        except httpx.TransportError:
            return False
        return answer.status_code == 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is there before the services start."""

    postgres: Postgres
    broker: Broker
    mailbox: Mailbox
    keys: Path
    evidence: Path


def environment(
    service: str, surroundings: Surroundings, ports: Mapping[str, int]
) -> dict[str, str]:
    """The variables a service is told its surroundings by (libs/common/settings.py)."""
    around = surroundings
    urls = {
        f"PARCELCOVER_{name.upper()}_URL": f"http://{LOOPBACK}:{port}"
        for name, port in ports.items()
    }
    return urls | {
        "PARCELCOVER_DATABASE_URL": around.postgres.url,
        "KAFKA_BOOTSTRAP_SERVERS": around.broker.bootstrap,
        "PARCELCOVER_KAFKA_IDEMPOTENT": str(around.broker.idempotent).lower(),
        "PARCELCOVER_JWKS": str(around.keys / keys.ISSUER_JWKS),
        "PARCELCOVER_SERVICE_JWKS": str(around.keys / keys.SERVICES_JWKS),
        "PARCELCOVER_SERVICE_KEY": str(keys.key_file(around.keys, service)),
        "PARCELCOVER_SEALING_KEYS": str(around.keys / keys.SEALING_KEYS),
        "PARCELCOVER_SMTP_HOST": around.mailbox.host,
        "PARCELCOVER_SMTP_PORT": str(around.mailbox.port),
        "PARCELCOVER_EVIDENCE": str(around.evidence),
    }
