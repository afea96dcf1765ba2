"""Incidents are played on the trains of the agent's tests."""

from tests.agent.conftest import approver, lay, runtime, stepped

__all__ = ["approver", "lay", "runtime", "stepped"]
