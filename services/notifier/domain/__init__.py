"""What is told to whom, in which words, and when to give up: pure functions over plain values."""
