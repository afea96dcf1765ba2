"""The repository at GitHub: what it should be set to, what it is, and what there is to do."""
