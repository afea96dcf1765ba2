"""The books of the exchange: pure. No I/O, no clock of its own, no randomness.

Money is `Decimal`, times are UTC milliseconds as Binance writes them. What happened is told as
events; a book is nothing but the sum of its events, so the journal can rebuild it.
"""
