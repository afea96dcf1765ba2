"""`python -m pipelines.cli`: the same as `sluice`."""

from pipelines.cli import main

main()
