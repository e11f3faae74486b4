"""What the notifier says to the outside, always between transactions: contacts, letters, mail."""
