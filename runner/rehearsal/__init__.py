"""Rehearsals: a real bot is driven through the exchange's time, and held to its books."""
