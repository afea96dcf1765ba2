"""What a bot says of itself, in one block of a file that is written over again and again.

It needs no answer of the bot, so one that hangs keeps nobody waiting; and what is written over in
place needs no room on a full disk, and wears out no card.
"""

import os
import zlib
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from pipelines.domain.document import Document

FILE = "pulse"
"""Its name in a bot's folder."""

_BLOCK = 2048
_TRIES = 3


class Pulse(Document):
    """How a bot does. Times are those of its clock, counts since its process began.

    `turned` is when it last came to the end of a turn, `failed` what that ended with. `candle` is
    the close of the newest candle that was analysed of `pair`, of all its pairs the one that is
    furthest behind, and `lag` the seconds that it took from a close, of the slowest. `timeframe`
    are the seconds of a candle, `seconds` how long all `calls` of the exchange took. `private` is
    when a private one last succeeded, `private_failed` when one failed, with `private_error` unless
    one succeeded since.
    """

    pid: int
    at: AwareDatetime
    timeframe: float
    turns: int = 0
    turned: AwareDatetime | None = None
    failed: str = ""
    pairs: int = 0
    candle: AwareDatetime | None = None
    pair: str = ""
    lag: float | None = None
    calls: int = 0
    failures: int = 0
    seconds: float = 0.0
    private: AwareDatetime | None = None
    private_failed: AwareDatetime | None = None
    private_error: str = ""


def write(path: Path, pulse: Pulse) -> None:
    """Say it. A disk on which there is not even this block loses it and stops nothing."""
    content = pulse.model_dump_json(exclude_defaults=True).encode()
    block = b"%08x\n%s\n" % (zlib.crc32(content), content)
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o644)
        try:
            os.pwrite(descriptor, block.ljust(_BLOCK), 0)
        finally:
            os.close(descriptor)
    except OSError:
        return


def read(path: Path) -> Pulse | None:
    """The last that a bot has said; none when it has said nothing, or nothing whole."""
    for _ in range(_TRIES):
        try:
            with path.open("rb") as file:
                block = file.read(_BLOCK)
        except OSError:
            return None
        digest, _, rest = block.partition(b"\n")
        content = rest.partition(b"\n")[0]
        # It may just be written over: then the next look finds it whole.
        if digest == b"%08x" % zlib.crc32(content):
            try:
                return Pulse.model_validate_json(content)
            except ValidationError:
                return None
    return None
