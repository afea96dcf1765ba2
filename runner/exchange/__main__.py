"""`python -m runner.exchange`."""

from runner.exchange import main

main()
