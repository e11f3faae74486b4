"""The quote service's routes: the catalogue, and quotes."""
