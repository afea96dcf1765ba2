"""The exchange's own books of an account, read and kept apart from what bots say."""
