"""Commands that workflows on GitHub call, and those that look after the repository there."""
