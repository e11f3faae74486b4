"""What a service is told from outside, by environment variables; the defaults suit one machine."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Role = Literal["api", "relay", "consumer", "deadlines"]
ALL_ROLES: frozenset[Role] = frozenset({"api", "relay", "consumer", "deadlines"})

PROGRAMMES = Path(__file__).parent / "plans" / "programmes"


class Settings(BaseSettings):
    """Settings every service has. A field `x_y` is read from `PARCELCOVER_X_Y`."""

    model_config = SettingsConfigDict(env_prefix="PARCELCOVER_", frozen=True, extra="ignore")

    # `{role}` stands for the database role: parcelcover_policy, parcelcover_policy_worker, ...
    # Passwords come from PGPASSFILE, never from here.
    database_url: str = "postgresql://{role}@127.0.0.1:5432/parcelcover"
    database_pool_size: int = 8
    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP_SERVERS"
    )
    # Off only for a broker that cannot do it (Tansu): then a broker's own retry may reorder.
    kafka_idempotent: bool = True

    quote_url: str = "http://127.0.0.1:8101"
    policy_url: str = "http://127.0.0.1:8102"
    claims_url: str = "http://127.0.0.1:8103"
    notifier_url: str = "http://127.0.0.1:8104"

    plans: Path = PROGRAMMES
    tenants: Path = PROGRAMMES.parent / "tenants.yaml"

    # Who may sign callers' tokens: a JWKS file or URL, and the issuer named in them.
    issuer: str = "https://parcelcover.invalid/local"
    jwks: str = ".parcelcover/keys/issuer.jwks.json"
    audience: str = "parcelcover"
    # This service's own signing key, and the public keys of all services.
    service_key: Path = Path(".parcelcover/keys/service.jwk.json")
    service_jwks: str = ".parcelcover/keys/services.jwks.json"

    # Where evidence is kept: a folder, or a bucket's URL such as s3://evidence.
    evidence: str = ".parcelcover/evidence"

    roles: frozenset[Role] = ALL_ROLES
    max_body_bytes: int = 262_144
