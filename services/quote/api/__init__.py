"""The quote service's routes: the catalogue, quotes, their verification and what customers chose."""
