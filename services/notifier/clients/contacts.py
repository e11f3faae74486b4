"""Where a policy's customer is reached: asked of the policy service when something is sent."""

from collections.abc import Mapping
from urllib.parse import quote

import httpx
import msgspec


class ContactUnavailable(Exception):
    """The policy service did not say; the message says why and names no person."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Personal data: kept no longer than the sending takes. `email` None: not to be written to."""

    policy_id: str
    email: str | None
    locale: str
    order_ref: str


_contacts = msgspec.json.Decoder(Contact)


async def fetch_contact(
    http: httpx.AsyncClient, policy_url: str, policy_id: str, *, headers: Mapping[str, str]
) -> Contact | None:
    """The contact, None where the tenant has no such policy; or ContactUnavailable.

    `headers` carry the tenant's token with which this service may read.
    """
    url = f"{policy_url}/internal/policies/{quote(policy_id, safe='')}/contact"
    try:
        response = await http.get(url, headers=headers)
    except httpx.HTTPError as failure:
        raise ContactUnavailable(f"policy service: {type(failure).__name__}") from failure
    if response.status_code == 404:
        return None
    if response.status_code != 200:
        raise ContactUnavailable(f"policy service: status {response.status_code}")
    try:
        return _contacts.decode(response.content)
    except msgspec.MsgspecError:
        # The decoder's message may quote the answer.
        raise ContactUnavailable("policy service: its answer is not a contact") from None
