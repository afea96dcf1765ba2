"""`sluice github`: the repository's settings and workflows."""
