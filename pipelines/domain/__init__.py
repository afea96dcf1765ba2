"""What Sluice talks about. Pure: no I/O, no clock, no environment, no randomness."""
