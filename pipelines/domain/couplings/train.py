"""Rules on the train: who comes after whom, how much is at risk, and who lets a release on."""

from collections.abc import Iterator

from pipelines.domain.couplings.arrangement import Arrangement, Clash
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approval

_DAY = 24


def name(arranged: Arrangement) -> Iterator[Clash]:
    """An environment is called by its file, and is the demo's exactly when it lies there."""
    for where, environment in arranged.every():
        stem = where.rpartition("/")[2].removesuffix(".yaml")
        if environment.name != stem:
            hint = "rename the file or the environment: commands know it by this name"
            yield Clash(where, "name", stem, environment.name, hint)
        there = "/demo/" in where
        if environment.demo != there:
            hint = "what is shortened lies in environments/demo/, and only that"
            yield Clash(where, "demo", _yes(there), _yes(environment.demo), hint)


def _yes(truth: bool) -> str:
    return "true" if truth else "false"


def upstream(arranged: Arrangement) -> Iterator[Clash]:
    """Every upstream is there, nothing comes after itself, and money comes after paper."""
    names = sorted(environment.name for _, environment in arranged.every())
    for where, environment in arranged.every():
        wanted, before = environment.policy.upstream, arranged.named(environment.policy.upstream)
        key = "policy.upstream"
        if wanted is None:
            if environment.mode == "live":
                hint = "a release has to show on paper first what it does"
                yield Clash(where, key, "an environment on paper", "none", hint)
        elif before is None:
            hint = "name the environment that a release has to come from"
            yield Clash(where, key, f"one of {', '.join(names)}", wanted, hint)
        elif environment in (found := _chain(arranged, environment)):
            shown = " after ".join(each.name for each in (environment, *found))
            hint = "a release could never get into any of them"
            yield Clash(where, key, "a train with a beginning", shown, hint)
        elif environment.mode == "dry_run" and before.mode == "live":
            hint = "paper shows nothing any more once money was at risk"
            yield Clash(where, key, "an environment on paper", f"{wanted}, which is live", hint)


def _chain(arranged: Arrangement, environment: Environment) -> tuple[Environment, ...]:
    """Everything upstream, nearest first; it ends where it comes to itself."""
    found: list[Environment] = []
    before = arranged.named(environment.policy.upstream)
    while before and before not in found:
        found.append(before)
        before = arranged.named(before.policy.upstream)
    return tuple(found)


def size(arranged: Arrangement) -> Iterator[Clash]:
    """Of two environments with money the upstream one risks less, in the same currency."""
    for where, environment in arranged.every():
        live = [each for each in _chain(arranged, environment) if each.mode == "live"]
        if environment.mode != "live" or not live or environment in live:
            continue
        before, own, less = live[0].name, environment.portfolio, live[0].portfolio
        if own.stake_currency != less.stake_currency:
            key, hint = "portfolio.stake_currency", "what is earned could not be compared"
            expected = f"{less.stake_currency}, as in {before}"
            yield Clash(where, key, expected, own.stake_currency, hint)
        elif less.at_risk >= own.at_risk:
            expected = f"more at risk than in {before}, which is {less.at_risk:f}"
            hint = f"make {before} smaller: it is there to lose little"
            yield Clash(where, "portfolio", expected, f"{own.at_risk:f}", hint)


def soak(arranged: Arrangement) -> Iterator[Clash]:
    """Who has an upstream waits there, at least a day outside the demo, and for trades."""
    for where, environment in arranged.every():
        policy = environment.policy
        if policy.upstream is None:
            continue
        if policy.soak is None:
            hint = "say how long and for how many trades a release runs upstream"
            yield Clash(where, "policy.soak", "days and trades", "none", hint)
            continue
        if policy.soak.trades < 1:
            hint = "without a trade upstream nothing was seen"
            yield Clash(where, "policy.soak.trades", "at least 1", str(policy.soak.trades), hint)
        if policy.soak.hours < _DAY and not environment.demo:
            hint = "a shortened soak belongs into environments/demo/"
            actual = f"{policy.soak.hours:f} hours"
            yield Clash(where, "policy.soak", "at least a day", actual, hint)


def approval(arranged: Arrangement) -> Iterator[Clash]:
    """Money takes a signature that the agent itself can verify."""
    for where, environment in arranged.every():
        policy, key = environment.policy, "policy.approval"
        if environment.mode == "live" and policy.approval not in {Approval.TAG, Approval.SIGNED}:
            hint = "whoever may merge, or nobody at all, would decide over money"
            yield Clash(where, key, "tag or signed", policy.approval, hint)
        if policy.approval is Approval.SIGNED and policy.signatures < 1:
            hint = "an approval without a signature is none"
            yield Clash(where, "policy.signatures", "at least 1", str(policy.signatures), hint)
