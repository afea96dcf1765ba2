"""The rehearsal exchange: a real exchange API on loopback that replays candles."""

import sys

from pipelines.errors import ExitCode


def main() -> int:
    """Say that there is no exchange yet."""
    print("error: the exchange is not part of this version", file=sys.stderr)
    print("hint: 'sluice check' and the other gates work without it", file=sys.stderr)
    return ExitCode.BAD_INPUT
