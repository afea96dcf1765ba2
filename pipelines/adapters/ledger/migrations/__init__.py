"""How the ledger's tables came to be, one step a module; Alembic reads them by their place."""
