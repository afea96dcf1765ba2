"""A decision: what observations lead to, with its reasons."""

from dataclasses import dataclass
from datetime import datetime

from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.record import Track


@dataclass(frozen=True)
class Promote:
    """The release has shown what it takes to go on."""

    environment: str
    strategy: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Hold:
    """It stays where it is."""

    environment: str
    strategy: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RollBack:
    """Back to the last verified release of the environment: what `to` once promoted."""

    environment: str
    strategy: str
    to: Promotion
    reasons: tuple[str, ...]

    def promotion(self, by: str, at: datetime, *, automatic: bool) -> Promotion:
        """The entry that makes it so, at the stake that the release had."""
        return Promotion(
            kind=Kind.ROLLBACK,
            environment=self.environment,
            strategy=self.strategy,
            release=self.to.release,
            digest=self.to.digest,
            step=self.to.step,
            stake=self.to.stake,
            by=by,
            reason="; ".join(self.reasons),
            automatic=automatic,
            at=at,
        )


@dataclass(frozen=True)
class Escalate:
    """There is nothing good to go back to: no bot, and a human has to know."""

    environment: str
    strategy: str
    reasons: tuple[str, ...]


Decision = Promote | Hold | RollBack | Escalate


def turn_back(
    track: Track, environment: str, strategy: str, reasons: tuple[str, ...]
) -> RollBack | Escalate:
    """Where to go from what is wanted now: a rollback is never rolled back itself."""
    about = (environment, strategy)
    if track.current is None:
        return Escalate(*about, (*reasons, "nothing is wanted here"))
    if track.current.promotion.kind is Kind.ROLLBACK:
        return Escalate(*about, (*reasons, "what is wanted here came by a rollback already"))
    fallback = track.fallback()
    if fallback is None:
        return Escalate(*about, (*reasons, "no other release was ever verified here"))
    return RollBack(*about, fallback.promotion, reasons)
