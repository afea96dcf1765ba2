"""Tell how healthy bots are."""

from collections.abc import Iterable, Iterator

from pipelines.adapters.health import Health, HealthReason
from pipelines.errors import ExitCode


def health(told: Health, *, as_json: bool) -> ExitCode:
    """Say of each bot whether it can manage its orders; the exit code says it of all.

    Where nothing is wrong, and something could not be evaluated, that is neither.
    """
    code = _code(told)
    if as_json:
        print(told.model_dump_json())
        return code
    for reason in lines(told.host):
        print(f"the host: {reason}")
    for bot in told.bots:
        word = "healthy" if bot.healthy else "not healthy"
        print(f"{bot.environment} {bot.strategy} {bot.release or 'nobody knows what'}: {word}")
        for line in lines(bot.reasons):
            print(f"  {line}")
    if not told.bots:
        print("no bot is here")
    return code


def lines(reasons: Iterable[HealthReason]) -> Iterator[str]:
    """Each reason as people read it."""
    for each in reasons:
        mark = "✗" if each.state == "failed" else "?"
        yield f"{mark} {each.check}: {each.text}, since {each.since:%Y-%m-%d %H:%M} UTC"


def _code(told: Health) -> ExitCode:
    reasons = [*told.host, *(reason for bot in told.bots for reason in bot.reasons)]
    if any(each.state == "failed" for each in reasons):
        return ExitCode.SAID_NO
    return ExitCode.CANNOT_TELL if reasons or not told.bots else ExitCode.DONE
