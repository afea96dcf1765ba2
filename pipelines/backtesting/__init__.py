"""Runs in child processes only: imports freqtrade and the strategy."""
