"""Secrets: their names, whose they are, and a value that does not show itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
"""A name that is also a folder: of an environment, a host, an account."""


class SecretName(StrEnum):
    """Every secret there is. Bots are given those of exchanges (`pipelines.freqtrade.bot`)."""

    EXCHANGE_KEY = "exchange_key"
    EXCHANGE_SECRET = "exchange_secret"
    EXCHANGE_PASSWORD = "exchange_password"
    TELEGRAM_TOKEN = "telegram_token"

    @property
    def of_account(self) -> bool:
        """True when every account of an environment has its own; the other one is the agent's."""
        return self.value.startswith("exchange_")


OPENS = (SecretName.EXCHANGE_KEY, SecretName.EXCHANGE_SECRET)
"""What a bot must have to trade with money, and must not have to trade on paper."""


@dataclass(frozen=True, order=True)
class Scope:
    """Whose a secret is: an environment's, or of one exchange account in it."""

    environment: str
    account: str = ""

    def __str__(self) -> str:
        return f"{self.environment}/{self.account}" if self.account else self.environment


@dataclass(frozen=True)
class Secret:
    """A value. Neither printing nor an error message shows it: ask for it with `reveal`."""

    _value: str

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__
