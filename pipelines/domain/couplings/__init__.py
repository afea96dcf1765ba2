"""The linter of couplings: what environments, bots and a host must keep to among each other.

It runs in `sluice check` and before every deployment, on whatever is known at that time.
"""

from collections.abc import Callable, Iterator

from pipelines.domain.couplings import accounts, host, money, train
from pipelines.domain.couplings.arrangement import Arrangement, Clash

Rule = Callable[[Arrangement], Iterator[Clash]]

RULES: dict[str, Rule] = {
    "name": train.name,
    "upstream": train.upstream,
    "size": train.size,
    "soak": train.soak,
    "approval": train.approval,
    "stoploss": money.stoploss,
    "initial state": money.initial_state,
    "paper": money.paper,
    "keys": money.keys,
    "demo": money.demo,
    "account": accounts.account,
    "second account": accounts.second,
    "balance": accounts.balance,
    "database": accounts.database,
    "variables": host.variables,
    "freqtrade": host.pinned,
    "secrets": host.secrets,
    "strategies": host.strategies,
}
"""Every rule by the name that `sluice docs couplings` explains it under."""


def clashes(arranged: Arrangement) -> tuple[Clash, ...]:
    """Everything that does not go together, all at once, each thing once."""
    return tuple(sorted({clash for rule in RULES.values() for clash in rule(arranged)}))
