"""Healthy means able to manage orders. Pure: signs go in, what is wrong comes out.

That a bot answers is no sign of it. What could not be evaluated is not healthy either, and says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pipelines.domain.protections import Unknown

LOOP_SECONDS = 60.0
"""A bot turns every five seconds; within a turn it tries again what the exchange refuses."""

CANDLE_SECONDS = 60.0
"""So long after its close a candle should be analysed."""

PRIVATE_SECONDS = 120.0
"""After so long nobody knows whether the key still works; an account is looked at more often."""

CLOCK_SECONDS = 1.0
"""An exchange refuses what comes from further in its future."""

DISK_BYTES = 256 * 1024 * 1024
"""What the databases and logs of some days need."""

MEMORY_BYTES = 128 * 1024 * 1024
"""With less the next bot that starts has another one killed."""

HOT_CELSIUS = 80.0
"""A Raspberry Pi runs slower from here on."""

BLIND_SECONDS = 60.0
"""So long it is only shown that something could not be evaluated; then it is told."""

START_SECONDS = 180.0
"""What a slow machine may take to start a bot."""

CALM_ROUNDS = 3
"""So often in a row all has to be well until it is told that it is: what flickers is told once."""


class Check(StrEnum):
    """What is asked about a bot, or about its host."""

    PROCESS = "process"
    LOOP = "loop"
    PRIVATE = "private"
    CANDLES = "candles"
    STOPS = "stops"
    LIMITS = "limits"
    CLOCK = "clock"
    DISK = "disk"
    MEMORY = "memory"
    HEAT = "heat"


OF_HOST = frozenset({Check.CLOCK, Check.DISK, Check.MEMORY, Check.HEAT})
"""What every bot of a host suffers from, and is told once for all of them."""

Life = Literal["works", "starts", "stopped", "dead"]


@dataclass(frozen=True)
class Reason:
    """Why something is not healthy. One that is not `known` could not be evaluated."""

    check: Check
    text: str
    known: bool = True


@dataclass(frozen=True)
class Private:
    """Private calls of a bot: seconds since one succeeded, and what the last one failed with."""

    age: float | Unknown
    error: str = ""


@dataclass(frozen=True)
class Candles:
    """Seconds since the close of the newest candle that was analysed of `pair`, the worst one.

    `timeframe` are the seconds of a candle.
    """

    age: float
    pair: str
    timeframe: float


@dataclass(frozen=True)
class Host:
    """What bots need of their machine: free bytes, degrees of its hottest part, none without one.

    `skew` are the seconds by which its clock is ahead of the exchange's, none where nobody signs.
    """

    disk: int | Unknown
    memory: int | Unknown
    heat: float | None = None
    skew: Mapping[str, float | Unknown] = field(default_factory=dict)


@dataclass(frozen=True)
class Signs:
    """What is known of a bot. `phase` is what the agent calls it.

    `turned` are the seconds since it came to the end of a turn, `private` is none on paper, `stops`
    the open trades without one, none where stops don't rest at the exchange. `blind` are the limits
    that could not be evaluated.
    """

    life: Life | Unknown
    phase: str
    turned: float | Unknown
    candles: Candles | Unknown
    private: Private | Unknown | None = None
    stops: tuple[str, ...] | Unknown | None = None
    blind: tuple[str, ...] | Unknown = ()


def reasons(signs: Signs, host: Host) -> tuple[Reason, ...]:
    """Everything that keeps a bot from managing its orders; empty when it is healthy."""
    hosts = (each for each in host_reasons(host) if each.check is not Check.HEAT)
    return (*_of_process(signs), *_stops(signs), *_limits(signs), *hosts)


def host_reasons(host: Host) -> tuple[Reason, ...]:
    """Everything that is wrong with a machine."""
    return (
        *(found for name, skew in host.skew.items() for found in _clock(name, skew)),
        *_free(Check.DISK, host.disk, DISK_BYTES),
        *_free(Check.MEMORY, host.memory, MEMORY_BYTES),
        *_heat(host.heat),
    )


def _of_process(signs: Signs) -> Iterator[Reason]:
    """What is wrong with its process. Of one that does not run nothing else is asked."""
    match signs.life:
        case Unknown(why):
            yield Reason(Check.PROCESS, why, known=False)
        case "dead":
            yield Reason(Check.PROCESS, f"it does not run: {signs.phase}")
        case "stopped":
            yield Reason(Check.PROCESS, "its process is stopped by a signal")
        case "starts":
            yield Reason(Check.PROCESS, f"it is being started: {signs.phase}", known=False)
        case _:
            yield from _loop(signs.turned)
            yield from _private(signs.private)
            yield from _candles(signs.candles)


def _loop(turned: float | Unknown) -> Iterator[Reason]:
    if isinstance(turned, Unknown):
        yield Reason(Check.LOOP, turned.why, known=False)
    elif turned > LOOP_SECONDS:
        yield Reason(Check.LOOP, f"no turn has ended for {_seconds(turned)}")


def _private(private: Private | Unknown | None) -> Iterator[Reason]:
    if private is None:
        return
    if isinstance(private, Unknown):
        yield Reason(Check.PRIVATE, private.why, known=False)
    elif private.error:
        yield Reason(Check.PRIVATE, f"the last private call failed: {private.error}")
    elif isinstance(private.age, Unknown):
        yield Reason(Check.PRIVATE, private.age.why, known=False)
    elif private.age > PRIVATE_SECONDS:
        yield Reason(Check.PRIVATE, f"no private call has succeeded for {_seconds(private.age)}")


def _candles(candles: Candles | Unknown) -> Iterator[Reason]:
    if isinstance(candles, Unknown):
        yield Reason(Check.CANDLES, candles.why, known=False)
    elif candles.age > candles.timeframe + CANDLE_SECONDS:
        age = _seconds(candles.age)
        yield Reason(Check.CANDLES, f"the newest candle of {candles.pair} closed {age} ago")


def _stops(signs: Signs) -> Iterator[Reason]:
    if isinstance(signs.stops, Unknown):
        yield Reason(Check.STOPS, signs.stops.why, known=False)
    elif signs.stops:
        yield Reason(Check.STOPS, "; ".join(signs.stops))


def _limits(signs: Signs) -> Iterator[Reason]:
    if isinstance(signs.blind, Unknown):
        yield Reason(Check.LIMITS, signs.blind.why, known=False)
    elif signs.blind:
        names = ", ".join(sorted(signs.blind))
        yield Reason(Check.LIMITS, f"could not be evaluated: {names}", known=False)


def _clock(exchange: str, skew: float | Unknown) -> Iterator[Reason]:
    if isinstance(skew, Unknown):
        yield Reason(Check.CLOCK, f"{exchange}: {skew.why}", known=False)
    elif abs(skew) > CLOCK_SECONDS:
        way = "ahead of" if skew > 0 else "behind"
        yield Reason(Check.CLOCK, f"the clock is {_seconds(abs(skew))} {way} {exchange}'s")


def _free(check: Check, free: int | Unknown, least: int) -> Iterator[Reason]:
    if isinstance(free, Unknown):
        yield Reason(check, free.why, known=False)
    elif free < least:
        yield Reason(check, f"{free >> 20} MiB of {check} are free, should be {least >> 20}")


def _heat(degrees: float | None) -> Iterator[Reason]:
    if degrees is not None and degrees >= HOT_CELSIUS:
        yield Reason(Check.HEAT, f"the machine is at {degrees:.0f} °C")


def _seconds(span: float) -> str:
    return f"{span:.0f} s" if span >= 10 else f"{span:.1f} s"


@dataclass(frozen=True)
class Ill:
    """What is wrong: since when, and since when of the system's monotonic clock, in seconds."""

    reason: Reason
    since: datetime
    real: float


@dataclass(frozen=True)
class Standing:
    """How a bot or a host stands. `told` are the checks that a human knows of since all was well.

    `calm` counts the rounds without anything wrong.
    """

    ills: Mapping[Check, Ill] = field(default_factory=dict)
    told: frozenset[Check] = frozenset()
    calm: int = 0

    @property
    def is_healthy(self) -> bool:
        return not self.ills


@dataclass(frozen=True)
class Changed:
    """What a human has to hear: what is wrong now, or that all is well again."""

    ills: tuple[Ill, ...] = ()
    is_over: bool = False


def followed(
    before: Standing,
    found: Iterable[Reason],
    now: datetime,
    real: float,
    mine: frozenset[Check] = frozenset(Check),
) -> tuple[Standing, Changed]:
    """The standing after a look, and what to tell. Only of `mine` anything is told.

    What is wrong is told at once, what could not be evaluated when it stays so. A check that was
    told is not told again before all was well.
    """
    ills: dict[Check, Ill] = {}
    for reason in found:
        known = before.ills.get(reason.check)
        # Of two reasons for one check the first is told, with the other's words behind it.
        if reason.check in ills:
            first = ills[reason.check].reason
            both = replace(first, text=f"{first.text}; {reason.text}")
            ills[reason.check] = replace(ills[reason.check], reason=both)
            continue
        same = known is not None and known.reason.known == reason.known
        since = known.since if known else now
        ills[reason.check] = Ill(reason, since, known.real if known and same else real)
    calm = 0 if ills else before.calm + 1
    fresh = tuple(
        ill
        for check, ill in ills.items()
        if check in mine and check not in before.told and _is_sure(ill, real)
    )
    told = before.told | {each.reason.check for each in fresh}
    is_over = bool(told) and calm >= CALM_ROUNDS
    after = Standing(ills, frozenset() if is_over else told, calm)
    return after, Changed(fresh, is_over)


def _is_sure(ill: Ill, real: float) -> bool:
    if ill.reason.known:
        return True
    waits = START_SECONDS if ill.reason.check is Check.PROCESS else BLIND_SECONDS
    return real - ill.real >= waits
