"""`.github/CODEOWNERS`, whose template names nobody yet."""

import re
from pathlib import Path

from pipelines import documents
from pipelines.domain.repository.parts import CodeOwners
from pipelines.domain.repository.planning import Absent
from pipelines.errors import Problem

FILE = ".github/CODEOWNERS"

PLACEHOLDER = "@OWNER"
"""What the template says in the place of the owners."""


_NAMED = re.compile(rf"(?<!\S){PLACEHOLDER}(?!\S)")


def read(root: Path, owners: tuple[str, ...]) -> CodeOwners | Absent:
    """Whom the file names: the placeholder, or whoever has been filled in, which is as wanted."""
    lines = _lines(root)
    if lines is None:
        return Absent()
    named = any(_NAMED.search(line.partition("#")[0]) for line in lines)
    return CodeOwners((PLACEHOLDER,)) if named else CodeOwners(owners)


def fill(root: Path, owners: tuple[str, ...]) -> None:
    """Put the owners in the placeholder's place. The change is still to be committed."""
    written = []
    for line in _lines(root) or []:
        rule, mark, comment = line.partition("#")
        written.append(_NAMED.sub(" ".join(owners), rule) + mark + comment)
    documents.write(root / FILE, "".join(written))


def _lines(root: Path) -> list[str] | None:
    try:
        return (root / FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(FILE, f"cannot be read: {error}") from None
