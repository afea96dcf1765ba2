"""The agent: makes an environment run what was promised to it."""

import sys

from pipelines.errors import ExitCode


def main() -> int:
    """Say that there is no agent yet."""
    print("error: the agent is not part of this version", file=sys.stderr)
    print("hint: 'sluice check' and the other gates work without it", file=sys.stderr)
    return ExitCode.BAD_INPUT
