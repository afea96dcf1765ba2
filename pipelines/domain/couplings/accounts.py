"""Rules on what bots may share: exchange accounts and databases."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations

from pipelines.domain.couplings.arrangement import Arrangement, Bot, Clash
from pipelines.domain.environment import Environment
from pipelines.domain.handover import FIRST, SECOND, Way

_Placed = tuple[Bot, Environment]


def account(arranged: Arrangement) -> Iterator[Clash]:
    """One bot for each account; spot bots share one when nothing of it is both's."""
    for label, together in _by_account(arranged).items():
        for one, other in combinations(together, 2):
            yield from _apart(arranged, label.partition(" at ")[0], one, other)


def balance(arranged: Arrangement) -> Iterator[Clash]:
    """What the bots of an account may use together is there."""
    for label, together in _by_account(arranged).items():
        held = min(environment.portfolio.starting_balance for _, environment in together)
        held = arranged.host.balances.get(label, held)
        asked = sum(
            (environment.portfolio.available_capital or Decimal(0)) * bot.percent / 100
            for bot, environment in together
        )
        if asked > held:
            _, environment = together[-1]
            yield Clash(
                arranged.file_of(environment.name),
                "portfolio.available_capital",
                f"at most {held:f} together on the account {label}",
                f"{asked:f} for {' and '.join(str(bot) for bot, _ in together)}",
                "lower it, or move a strategy to an account of its own with 'accounts'",
            )


def _by_account(arranged: Arrangement) -> dict[str, list[_Placed]]:
    found: dict[str, list[_Placed]] = defaultdict(list)
    for bot, environment in arranged.placed():
        both = {environment.account_of(bot.strategy, berth) for berth in (FIRST, SECOND)}
        for name in sorted(filter(None, both)) if environment.mode == "live" else ():
            found[label(environment, name)].append((bot, environment))
    return found


def label(environment: Environment, account: str) -> str:
    """How an exchange account is told: the same text is the same account."""
    where = environment.exchange
    return f"{account} at {'the rehearsal of ' if where.rehearsal else ''}{where.name}"


def _apart(arranged: Arrangement, own: str, one: _Placed, other: _Placed) -> Iterator[Clash]:
    (first, _), (second, environment) = one, other
    key = f"accounts.{second.strategy}" if second.strategy in environment.accounts else "account"
    key = "handover.account" if own == environment.handover.account else key
    where, actual = arranged.file_of(environment.name), f"{own} for {first} and {second}"
    hint = f"give {second.strategy} an account of its own with 'accounts'"
    if "futures" in {first.trading_mode, second.trading_mode}:
        expected = "an account of its own, as always in futures"
        yield Clash(where, key, expected, actual, hint)
        return
    if both := first.coins & second.coins:
        expected = f"an account of its own, since both trade {', '.join(sorted(both))}"
        yield Clash(where, key, expected, actual, hint)
    for bot, place in (one, other):
        if place.portfolio.available_capital is None:
            expected = f"a limit, since {bot} shares the account {own}"
            file, remedy = arranged.file_of(place.name), "say how much of the account is its own"
            yield Clash(file, "portfolio.available_capital", expected, "none", remedy)


def second(arranged: Arrangement) -> Iterator[Clash]:
    """Two bots that run side by side with money have two accounts."""
    for where, environment in arranged.every():
        handover = environment.handover
        if handover.way is not Way.SIDE_BY_SIDE:
            continue
        key, account = "handover.account", handover.account
        if environment.mode == "dry_run":
            if account:
                hint = "on paper each bot has a wallet of its own: take it out"
                yield Clash(where, key, "none in dry_run", account, hint)
        elif account is None:
            hint = "name a second account, or write 'way: drain'"
            yield Clash(where, key, "an account for the second bot", "none", hint)
        elif account in {environment.account, *environment.accounts.values()}:
            hint = "both bots would sell each other's coins"
            yield Clash(where, key, "an account that no other bot has", account, hint)


def database(arranged: Arrangement) -> Iterator[Clash]:
    """Every bot has a database of its own, and none changes from money to paper or back."""
    used: dict[str, Bot] = {}
    for bot, environment in arranged.placed():
        file = bot.kept_in or environment.database(bot.strategy)
        where = arranged.file_of(environment.name)
        if file in used:
            expected, hint = "a database of its own", "let each bot keep its own trades"
            yield Clash(where, "mode", expected, f"{file} for {used[file]} and {bot}", hint)
        used.setdefault(file, bot)
        mode = arranged.host.databases.get(file, environment.mode)
        if mode != environment.mode:
            expected = f"a database that was never used in {mode}"
            hint = "trades on paper and with money are never mixed: move the file away"
            yield Clash(where, "mode", expected, f"{file} for {bot} in {environment.mode}", hint)
