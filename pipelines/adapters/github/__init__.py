"""GitHub's REST API, as far as Sluice asks for it."""
