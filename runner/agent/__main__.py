"""`python -m runner.agent`."""

from runner.agent import main

main()
