"""Links to a file that hold for a quarter of an hour, for whoever has them: signed, and kept nowhere."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from libs.common.auth import BadToken, Keys, ServiceSigner, is_key_of, proven
from libs.common.errors import NotFound, Refusal

TYPE: Final = "parcelcover-link+jws"
# Real time, as with every token, whatever a sandbox's clock shows.
LINK_LIFETIME: Final = timedelta(minutes=15)
MAX_CHARACTERS: Final = 1_024


class UnknownLink(NotFound):
    code = "unknown-link"
    title = "There is nothing behind this link"


class LinkExpired(Refusal):
    code = "link-expired"
    title = "The link has expired"
    status = 410


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What a link opens, and until when."""

    tenant: str
    file: str
    exp: int


class _Header(msgspec.Struct):
    typ: str
    kid: str


_header: Final = msgspec.json.Decoder(_Header)
_link: Final = msgspec.json.Decoder(Link)


def signed_link(
    signer: ServiceSigner, *, tenant_id: str, file: str, now: datetime
) -> tuple[str, datetime]:
    """The token of a link to the file, and when it expires."""
    expires_at = now.replace(microsecond=0) + LINK_LIFETIME
    statement = {"tenant": tenant_id, "file": file, "exp": int(expires_at.timestamp())}
    return signer.attest(TYPE, statement), expires_at


async def opened_link(token: str, keys: Keys, *, service: str, now: datetime) -> Link:
    """What the link is to; UnknownLink where the service never gave it, LinkExpired where it is over."""
    nothing = UnknownLink("The link is not one of ours, or not all of it is there.")
    if len(token) > MAX_CHARACTERS or not token.isascii():
        raise nothing
    try:
        header = _header.decode(urlsafe_b64decode(token.partition(".")[0].encode()))
        if header.typ != TYPE or not is_key_of(header.kid, service):
            raise nothing
        link = _link.decode(proven(token, await keys.get(header.kid)))
    except (BadToken, JoseError, ValueError, TypeError, RecursionError):
        raise nothing from None
    if link.exp <= now.timestamp():
        raise LinkExpired("It held for a quarter of an hour. Ask for a new one.")
    return link
