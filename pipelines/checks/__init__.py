"""The checks of the gate, in the order in which they run."""

from pipelines.checks import backtest, bias, lint, manifest, unit
from pipelines.checks.workbench import Check

CHECKS: tuple[Check, ...] = (manifest, lint, unit, bias, backtest)
"""Cheap before dear, and what must not run before what runs it."""
