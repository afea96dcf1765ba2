"""What environments must keep to among each other, before any strategy is examined."""

import os

from pipelines.adapters import plugins
from pipelines.adapters.versions import freqtrade_pin
from pipelines.domain import couplings
from pipelines.domain.couplings.arrangement import Arrangement, Bot, Clash, Host
from pipelines.domain.strategy import Manifest
from pipelines.errors import BadInput, Problem, Problems
from pipelines.workflow.docs import CHECKOUT
from pipelines.workflow.place import TRAINS, Place


def refuse_clashes(place: Place) -> None:
    """Hold every train of the project against the rules of `sluice docs couplings`.

    Which strategies will run together is not known yet: the agent asks again with all of them.
    Here each takes the way through the train by itself.

    :raises BadInput: when anything does not go together; everything at once.
    """
    host = Host(variables=frozenset(os.environ), freqtrade=freqtrade_pin(CHECKOUT))
    manifests = dict(_manifests(place))
    found: set[Clash] = set()
    for folder in TRAINS:
        train = place.train(folder)
        for name, manifest in manifests.items():
            bots = tuple(
                Bot(environment.name, name, manifest.pairs, manifest.trading_mode)
                for environment in train.values()
            )
            found.update(couplings.clashes(Arrangement(train, frozenset(manifests), bots, host)))
        found.update(couplings.clashes(Arrangement(train, frozenset(manifests), (), host)))
    if found:
        raise Problems(tuple(map(_problem, sorted(found))))


def _manifests(place: Place) -> list[tuple[str, Manifest]]:
    found = []
    for name in plugins.names(place.root):
        try:
            found.append((name, plugins.read(place.root, name).manifest))
        except BadInput:
            # What cannot be read has a verdict of its own coming.
            continue
    return found


def _problem(clash: Clash) -> Problem:
    said = f"should be {clash.expected}, got {clash.actual}"
    return Problem(clash.where, said, key=clash.key, hint=clash.hint)
