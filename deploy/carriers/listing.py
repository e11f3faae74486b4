"""Which carriers and aggregators may post, and how each proves itself."""

from rich.console import Console
from rich.table import Column, Table

from services.policy.tracking import PROVIDERS


def show_providers(console: Console) -> None:
    """The usual scheme first. No money follows from what one says that is not trusted."""
    names = ("provider", "title", "schemes", "posts", "trusted")
    table = Table(*(Column(name, overflow="fold") for name in names))
    for provider in PROVIDERS.values():
        table.add_row(
            provider.name,
            provider.title,
            ", ".join(provider.schemes),
            ", ".join(sorted(provider.forms)),
            "yes" if provider.is_trusted else "no",
        )
    console.print(table)
