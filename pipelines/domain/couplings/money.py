"""Rules on what separates paper from money."""

from collections.abc import Iterator
from itertools import combinations

from pipelines.domain.couplings.accounts import label
from pipelines.domain.couplings.arrangement import Arrangement, Clash, Kept
from pipelines.domain.secret import OPENS, SecretName


def stoploss(arranged: Arrangement) -> Iterator[Clash]:
    """A stop is an order at the exchange only where there are orders."""
    for where, environment in arranged.every():
        if environment.mode == "dry_run" and environment.stoploss_on_exchange:
            hint = "on paper it is pretended, and hides how the strategy's own stop does"
            yield Clash(where, "stoploss_on_exchange", "false in dry_run", "true", hint)


def initial_state(arranged: Arrangement) -> Iterator[Clash]:
    """With money a bot does nothing new before the agent has read back what it is."""
    for where, environment in arranged.every():
        if environment.mode == "live" and environment.initial_state == "running":
            hint = "the agent lets it trade once it has verified what really runs"
            yield Clash(where, "initial_state", "paused or stopped in live", "running", hint)


def paper(arranged: Arrangement) -> Iterator[Clash]:
    """What trades on paper holds nothing that opens an account with money."""
    for where, environment in arranged.every():
        if environment.mode != "dry_run":
            continue
        hint = "one changed word would make it trade with money: take it out"
        if environment.account:
            yield Clash(where, "account", "none in dry_run", environment.account, hint)
        for strategy, account in sorted(environment.accounts.items()):
            yield Clash(where, f"accounts.{strategy}", "none in dry_run", account, hint)
        for name in environment.secrets:
            if name.of_account:
                expected = "no exchange secret in dry_run"
                yield Clash(where, "secrets", expected, name, hint)
        for kept in sorted(arranged.host.kept):
            if kept.scope.environment == environment.name and kept.name.of_account:
                remedy = f"take it away: sluice secrets remove {kept.scope} {kept.name}"
                expected = "no exchange secret on the host in dry_run"
                yield Clash(where, "secrets", expected, f"{kept.scope} {kept.name}", remedy)


def keys(arranged: Arrangement) -> Iterator[Clash]:
    """What trades with money names its account and what opens it, and nothing else has its key."""
    for where, environment in arranged.every():
        if environment.mode != "live":
            continue
        if not environment.account:
            hint = "name the exchange account that its bots trade on"
            yield Clash(where, "account", "an account in live", "none", hint)
        for name in OPENS:
            if name not in environment.secrets:
                named = ", ".join(environment.secrets) or "none"
                hint = f"add it: without {name} no order is taken"
                yield Clash(where, "secrets", f"{name} in live", named, hint)
    opened = [k for k in sorted(arranged.host.kept) if k.name is SecretName.EXCHANGE_KEY]
    for one, other in combinations(opened, 2):
        same = one.fingerprint == other.fingerprint
        if same and _account(arranged, one) != _account(arranged, other):
            where, hint = arranged.file_of(other.scope.environment), "make a key for each account"
            expected = f"a key of its own for {other.scope}"
            yield Clash(where, "secrets", expected, f"the one of {one.scope}", hint)


def _account(arranged: Arrangement, kept: Kept) -> str:
    environment = arranged.named(kept.scope.environment)
    return label(environment, kept.scope.account) if environment else ""


def demo(arranged: Arrangement) -> Iterator[Clash]:
    """Demo environments trade on the rehearsal exchange only."""
    for where, environment in arranged.every():
        if environment.demo and not environment.exchange.rehearsal:
            hint = "releases that are labelled demo were examined on made-up candles"
            yield Clash(where, "exchange.rehearsal", "true in the demo", "false", hint)
