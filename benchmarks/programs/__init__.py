"""The programs that are timed: each builder prepares its work and returns a function that does it once."""
