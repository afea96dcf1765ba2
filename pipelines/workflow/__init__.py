"""The imperative shell: one module per command, read from top to bottom."""
