"""Rules on the host: its variables, its freqtrade, its secrets."""

import re
from collections.abc import Iterator

from pipelines.domain.couplings.arrangement import Arrangement, Clash
from pipelines.domain.environment import Environment
from pipelines.domain.secret import Scope, SecretName

PREFIX = "FREQTRADE__"
"""Variables that begin so override a bot's configuration, whatever the files say."""

_EXACT = re.compile(r"freqtrade==(\d[\w.]*)")


def variables(arranged: Arrangement) -> Iterator[Clash]:
    """No variable changes what a bot was configured to do."""
    for name in sorted(arranged.host.variables):
        if name.startswith(PREFIX):
            hint = "freqtrade lets it override every file, and guesses its type: unset it"
            yield Clash("the host's variables", name, "none of freqtrade's", "set", hint)


def pinned(arranged: Arrangement) -> Iterator[Clash]:
    """freqtrade is required exactly, locked as required, and installed as locked."""
    pin = arranged.host.freqtrade
    if pin is None:
        return
    exact = _EXACT.fullmatch(pin.required)
    hint = "write freqtrade==VERSION, then run requirements/compile.sh"
    if not exact:
        actual = pin.required or "nothing"
        yield Clash("requirements/runtime.in", "freqtrade", "an exact version", actual, hint)
    elif exact[1] != pin.locked:
        actual = pin.locked or "nothing"
        yield Clash("requirements/runtime.txt", "freqtrade", exact[1], actual, hint)
    if pin.locked and pin.installed != pin.locked:
        remedy, actual = "run ./sluice, which installs what is locked", pin.installed or "nothing"
        yield Clash("the installation", "freqtrade", pin.locked, actual, remedy)


def secrets(arranged: Arrangement) -> Iterator[Clash]:
    """Every secret that an environment's bots need lies on its host."""
    kept = {(each.scope, each.name) for each in arranged.host.kept}
    for where, environment in arranged.every():
        if environment.name not in arranged.host.examined:
            continue
        for scope, name in wanted(environment):
            if (scope, name) not in kept:
                hint = f"sluice secrets set {scope} {name}"
                yield Clash(where, "secrets", f"{scope} {name} on the host", "none", hint)


def wanted(environment: Environment) -> Iterator[tuple[Scope, SecretName]]:
    """Every secret that an environment's bots need, with whose it is: each account has its own."""
    second = environment.handover.account or ""
    own = {environment.account or "", second, *environment.accounts.values()} - {""}
    for name in environment.needs:
        for account in sorted(own) if name.of_account else ("",):
            yield Scope(environment.name, account), name


def strategies(arranged: Arrangement) -> Iterator[Clash]:
    """Who has an account of its own is a strategy."""
    for where, environment in arranged.every():
        for name in sorted(environment.accounts):
            if arranged.strategies and name not in arranged.strategies:
                expected = f"one of {', '.join(sorted(arranged.strategies))}"
                hint = "check the spelling: its bot would trade on the common account"
                yield Clash(where, f"accounts.{name}", expected, name, hint)
