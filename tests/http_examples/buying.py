"""An example's parcel at the checkout."""

from deploy.plans_check import Example
from tests.buying import Checkout as AnyCheckout
from tests.doors import Doors
from tests.http_examples.doors import plan_of, tenant_of
from tests.http_examples.orders import quote_request
from tests.policy.builders import Json


class Checkout(AnyCheckout):
    """One example's shop and staff."""

    def __init__(self, doors: Doors, example: Example) -> None:
        super().__init__(doors, plan_of(example), tenant_of(example))
        self.example = example

    async def ask(self) -> Json:
        """The plan's offer for the example's parcel."""
        return await self.ask_for(quote_request(self.example))
