"""Knowing how bots do: what they say of themselves, what is kept of it, and who is told."""
