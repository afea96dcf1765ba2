"""A strategy: a plugin, a folder that a pull request adds or changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pipelines.domain.candles import TradingMode
from pipelines.domain.document import Document, sha256
from pipelines.domain.thresholds import WindowThresholds

Pair = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$")]
"""A pair as ccxt writes it: `BTC/USDT`, for futures `BTC/USDT:USDT`."""

Timeframe = Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d"]
Version = Annotated[
    # Not \d: other scripts have digits as well, and two spellings would be one version.
    str, StringConstraints(pattern=r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$")
]


class Manifest(Document):
    """`strategy.yaml`: what the folder holds and what it promises.

    `informative` names the further timeframes that the strategy reads, `informative_pairs` the
    pairs that it reads and does not trade; it sees no others. `entry_tags` are tags that it makes
    up as it goes: those that are written out in its source need not stand here.
    `thresholds` are stricter ones of its own, by window.
    """

    class_name: Annotated[str, Field(alias="class", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    version: Version
    owner: Annotated[str, StringConstraints(min_length=1)]
    summary: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1)]
    timeframe: Timeframe
    informative: tuple[Timeframe, ...] = ()
    informative_pairs: tuple[Pair, ...] = ()
    trading_mode: TradingMode = "spot"
    handover: Literal["adopt", "drain", "side_by_side"]
    entry_tags: tuple[Annotated[str, StringConstraints(min_length=1, max_length=255)], ...] = ()
    thresholds: dict[str, WindowThresholds] = Field(default_factory=dict)

    @property
    def timeframes(self) -> tuple[str, ...]:
        """Every timeframe that the strategy reads, its own first."""
        return (self.timeframe, *(t for t in self.informative if t != self.timeframe))

    @property
    def candle_pairs(self) -> tuple[str, ...]:
        """Every pair that the strategy reads, those that it trades first."""
        return (*self.pairs, *(pair for pair in self.informative_pairs if pair not in self.pairs))

    @property
    def release_number(self) -> tuple[int, ...]:
        """The version as numbers, for comparing."""
        return tuple(int(part) for part in self.version.split("."))


@dataclass(frozen=True)
class SourceFile:
    """One file of a plugin: its path below `strategies/`, with forward slashes."""

    path: str
    content: bytes

    @cached_property
    def digest(self) -> str:
        return sha256(self.content)


def subject_digest(digests: Mapping[str, str]) -> str:
    """One digest for the files of a plugin and of its shared code, from theirs by path."""
    return sha256(
        "".join(f"{digest} {path}\n" for path, digest in sorted(digests.items())).encode()
    )


@dataclass(frozen=True)
class Strategy:
    """A plugin as it lies in the repository: its own files and the shared code that it imports."""

    name: str
    manifest: Manifest
    files: tuple[SourceFile, ...]
    shared: tuple[SourceFile, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The subject digest: over every file of the plugin and of the shared code it uses."""
        return subject_digest({file.path: file.digest for file in (*self.files, *self.shared)})

    def file(self, name: str) -> SourceFile | None:
        """The plugin's own file of that name, relative to its folder."""
        wanted = f"{self.name}/{name}"
        return next((file for file in self.files if file.path == wanted), None)

    @property
    def source(self) -> str:
        """The text of `strategy.py`.

        :raises UnicodeDecodeError: when it is not UTF-8.
        """
        file = self.file("strategy.py")
        return file.content.decode() if file else ""
