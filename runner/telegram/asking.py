"""The agent, asked over its socket for a user of Telegram: the same verbs that `sluice` has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, JsonValue

from pipelines.adapters import agent
from pipelines.adapters.agent import Explained, Status
from pipelines.adapters.agent_trades import ReleaseTrades, Trades
from pipelines.domain.document import Document
from pipelines.errors import BadInput

_SECONDS = 300.0
"""Selling everything takes its time, and so may a round before it."""


class _Args(Document):
    """Arguments as they are: the agent says what is wrong with them."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True)
class Asking:
    """One user, by his number; nobody in particular with 0."""

    home: Path
    user: int = 0

    def ask(self, verb: str, args: Mapping[str, Any] | None = None) -> JsonValue:
        """Ask for something.

        :raises SluiceError: what the agent says, or that it does not answer.
        """
        by = f"telegram:{self.user}" if self.user else ""
        return agent.ask(self.home, verb, _Args(**(args or {})), _SECONDS, by)

    def status(self) -> Status:
        """How everything stands."""
        return Status.model_validate(self.ask("status"), strict=False)

    def trades(self, environment: str = "", strategy: str = "") -> tuple[ReleaseTrades, ...]:
        """What trades did, by release."""
        told = self.ask("trades", {"environment": environment, "strategy": strategy})
        return Trades.model_validate(told, strict=False).releases

    def explain(self, release: str, environment: str) -> Explained:
        """What speaks for and against a release there."""
        told = self.ask("explain", {"release": release, "environment": environment})
        return Explained.model_validate(told, strict=False)

    def health(self) -> JsonValue:
        """Which bots are not well, and why; None from an agent that tells no more than `status`."""
        try:
            return self.ask("health")
        except BadInput:
            return None
