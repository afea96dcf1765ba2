"""The token that opens GitHub's API: read once, never shown."""

import os
import re
from pathlib import Path

from pipelines.adapters.secrets import refuse_readable
from pipelines.domain.secret import Secret
from pipelines.errors import BadInput, Problem

VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN")
"""Where it may stand; the first counts."""

_LOOKS = re.compile(r"[\x21-\x7e]{8,1000}")


def found(file: Path | None) -> Secret:
    """The token in a file, or else in the environment.

    :raises BadInput: when there is none, others can read its file, or it cannot be one. What it
        is, is not said: a client would tell it in its own error.
    """
    if file:
        return _sound(_read(file), str(file))
    for name in VARIABLES:
        if value := os.environ.get(name):
            return _sound(value, name)
    hint = f"set {' or '.join(VARIABLES)}, or name its file with --token-file"
    raise BadInput("there is no token for GitHub", hint)


def _read(file: Path) -> str:
    refuse_readable(file)
    try:
        return file.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise Problem(str(file), "should hold a token and nothing else") from None
    except OSError as error:
        raise Problem(str(file), f"cannot be read: {error.strerror}") from None


def _sound(text: str, where: str) -> Secret:
    token = text.strip()
    if not _LOOKS.fullmatch(token):
        raise Problem(where, "should hold a token and nothing else")
    return Secret(token)
