"""What the quote service keeps: `quotes` in SQL, and the `writer` that adds to them."""
