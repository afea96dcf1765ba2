"""What shuts strategy code in: how a child is started, watched and ended."""
