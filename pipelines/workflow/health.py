"""How healthy the bots of a host are, as its agent has seen them."""

from pipelines.adapters import agent
from pipelines.adapters.health import Health, OfBots
from pipelines.errors import BadInput
from pipelines.workflow.place import Place


def health(place: Place, environment: str, strategy: str) -> Health:
    """Every bot, or those of an environment and a strategy.

    :raises BadInput: when there is no such bot.
    """
    asked = OfBots(environment=environment, strategy=strategy)
    told = Health.model_validate(agent.ask(place.home, "health", asked), strict=False)
    if not told.bots and environment:
        named = f"{environment} {strategy}".strip()
        raise BadInput(f"{named}: no bot is there", "'sluice status' shows what there is")
    return told
