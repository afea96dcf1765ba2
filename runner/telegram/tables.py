"""What the agent tells, as tables for a phone held upright: at most 34 characters wide."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from pipelines.adapters.agent import EnvironmentStatus, Explained, Status, StrategyStatus
from pipelines.adapters.agent_trades import OneTrade, ReleaseTrades
from runner.telegram.wording import said

WIDTH = 34
"""Characters of a fixed width that fit into a message on a screen of 390 pixels."""

_DAYS, _PAIRS, _CLOSED = 7, 6, 5


def pre(lines: Iterable[str], title: str = "") -> str:
    """Lines of a fixed width, under a title."""
    text = "\n".join(line.rstrip()[:WIDTH] for line in lines)
    head = f"<b>{said(title)}</b>\n" if title else ""
    return f"{head}<pre>{said(text) or 'nothing'}</pre>"


def version(release: str | None) -> str:
    """A release's version, short: the strategy stands beside it."""
    return release.partition("@")[2].partition("+")[0] if release else "-"


def money(amount: Decimal | None, *, signed: bool = False) -> str:
    """An amount for people; `?` where nobody can tell."""
    if amount is None:
        return "?"
    return f"{amount:+,.2f}" if signed else f"{amount:,.2f}"


def mark(of: StrategyStatus) -> str:
    """Whether it is as it should be, in two letters."""
    if of.desired is None and of.running is None:
        return "--"
    return "ok" if of.healthy else "!!"


def status(told: Status) -> str:
    """Every bot: what runs, whether it is well, what it has."""
    blocks = []
    for environment in told.environments:
        lines: list[str] = []
        for each in environment.strategies:
            count = "?" if each.open_trades is None else each.open_trades
            lines.append(f"{each.name[:19]:<20}{version(each.running):<11}{mark(each):>3}")
            lines.append(f"  {each.phase:<10}{count:>3} open{money(each.equity):>14}")
        blocks.append(pre(lines, _head(environment)))
    return "\n".join(blocks) or "this host has no environment"


def _head(environment: EnvironmentStatus) -> str:
    mode = "paper" if environment.mode == "dry_run" else "money"
    more = [w for w, so in (("HALTED", environment.halted), ("on hold", environment.hold)) if so]
    return " · ".join((environment.name, mode, *more))


def board(told: Status) -> str:
    """Environments beside each other, strategies below each other, versions where they meet."""
    names = sorted({each.name for env in told.environments for each in env.strategies})
    environments = told.environments[:3]
    lines = ["".join((f"{'':<10}", *(f"{each.name[:7]:>8}" for each in environments)))]
    for name in names:
        cells = (_cell(environment, name) for environment in environments)
        lines.append("".join((f"{name[:9]:<10}", *(f"{cell:>8}" for cell in cells))))
    return f"{pre(lines, 'board')}\n<i>! not as it should be, ? not verified</i>"


def _cell(environment: EnvironmentStatus, name: str) -> str:
    found = next((each for each in environment.strategies if each.name == name), None)
    if found is None or found.desired is None:
        return "-"
    sign = "!" if not found.healthy else ("" if found.verified else "?")
    return f"{version(found.desired)}{sign}"


def health(told: Status) -> str:
    """Which bots are well and what is wrong with the others, from how everything stands."""
    lines = []
    for environment in told.environments:
        for each in environment.strategies:
            lines.append(f"{mark(each)} {environment.name} {each.name}")
            lines += [] if each.healthy else wrapped(each.decision or each.phase)
    return pre(lines, "health")


def wrapped(text: str, indent: str = "   ") -> list[str]:
    """A text in lines that fit."""
    lines, current = [], indent
    for word in text.split():
        if len(current) + len(word) + 1 > WIDTH and current.strip():
            lines.append(current)
            current = indent
        current = f"{current}{'' if current == indent else ' '}{word}"
    return [*lines, current]


def explained(told: Explained) -> str:
    """What speaks for and against a release."""
    head = f"<b>{said(told.release)}</b> → {said(told.environment)}"
    verdict = "nothing speaks against it" if told.eligible else "it may not enter"
    against = [f"✗ {said(each.text)}{_hint(each.hint)}" for each in told.reasons]
    grounds = [f"· {said(each.text)}" for each in told.grounds]
    return "\n".join((head, f"{'✅' if told.eligible else '⛔'} {verdict}", *against, *grounds))


def _hint(hint: str) -> str:
    return f"\n   <code>{said(hint)}</code>" if hint else ""


def balance(told: Status, trades: Iterable[ReleaseTrades]) -> str:
    """What each bot has, beside what its environment began with."""
    currencies = {each.environment: (each.currency, each.capital) for each in trades}
    lines = []
    for environment in told.environments:
        currency, capital = currencies.get(environment.name, ("", None))
        lines.append(f"{environment.name[:12]:<13}of{money(capital):>14} {currency[:4]}")
        lines += [f"  {e.name[:14]:<15}{money(e.equity):>12}" for e in environment.strategies]
    return pre(lines, "balance")


def profit(releases: Iterable[ReleaseTrades]) -> str:
    """Closed trades of each release: how many, how many won, what they earned."""
    lines = []
    for each in releases:
        won = f"{each.whole.won / each.whole.closed:.0%}" if each.whole.closed else "-"
        lines.append(named(each))
        earned = f"{money(each.whole.profit, signed=True)} {each.currency[:4]}"
        lines.append(f"  {each.whole.closed:>4} closed {won:>4}{earned:>16}")
    return pre(lines, "profit by release")


def daily(releases: Iterable[ReleaseTrades]) -> str:
    """The last days of each release."""
    lines = []
    for each in releases:
        if each.days:
            lines.append(named(each))
            lines += [
                f"  {day.of[5:]} {day.closed:>4}{money(day.profit, signed=True):>14}"
                for day in each.days[-_DAYS:]
            ]
    return pre(lines, "daily by release")


def performance(releases: Iterable[ReleaseTrades]) -> str:
    """The pairs of each release, the best first."""
    lines = []
    for each in releases:
        if each.pairs:
            lines.append(named(each))
            best = sorted(each.pairs, key=lambda pair: pair.profit, reverse=True)
            lines += [
                f"  {pair.of[:13]:<14}{pair.closed:>4}{money(pair.profit, signed=True):>13}"
                for pair in best[:_PAIRS]
            ]
    return pre(lines, "pairs by release")


def trades(releases: Iterable[ReleaseTrades], now: datetime) -> str:
    """Open trades, and the last that were closed."""
    lines = []
    for each in releases:
        if each.open or each.latest:
            lines.append(named(each))
            lines += [_open(trade, now) for trade in each.open]
            lines += [_closed(trade) for trade in each.latest[:_CLOSED]]
    return pre(lines, "trades by release")


def _open(trade: OneTrade, now: datetime) -> str:
    hours = max((now - trade.opened).total_seconds() / 3600, 0)
    age = f"{hours:.0f}h" if hours < 72 else f"{hours / 24:.0f}d"
    return f" #{trade.id:<4}{trade.pair[:11]:<12}{trade.stake:>8.0f} {age:>4}"


def _closed(trade: OneTrade) -> str:
    share = "?" if trade.share is None else f"{trade.share:+.1%}"
    return f"  {trade.closed:%m-%d} {trade.pair[:11]:<12}{share:>8}"


def named(each: ReleaseTrades) -> str:
    """Whose trades these are, in a line."""
    unread = " ?" if each.unread else ""
    return f"{each.environment[:9]} {each.strategy[:14]} {version(each.release)}{unread}"
