"""Trades, and everything that is recomputed from trades and candles. Pure numpy."""
