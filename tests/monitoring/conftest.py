"""What is observed are the bots of the agent's tests."""

from tests.agent.conftest import approver, lay, runtime, stepped

__all__ = ["approver", "lay", "runtime", "stepped"]
