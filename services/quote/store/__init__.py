"""What the quote service keeps: quotes, verifications and consents, and the `writer` of new quotes."""
