"""`sluice docs`: the pages of `docs/`, by topic."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pipelines.errors import BadInput, CannotTell

CHECKOUT = Path(__file__).resolve().parents[2]
"""The project that this code belongs to, wherever it is called from."""


@dataclass(frozen=True)
class Topic:
    """A page: the name to ask for it by, and its heading."""

    name: str
    title: str


def topics(root: Path = CHECKOUT) -> tuple[Topic, ...]:
    """Every page of the project at `root`, by name.

    :raises CannotTell: when this copy of the project has no pages.
    """
    found = tuple(Topic(path.stem, _title(path)) for path in _pages(root))
    if not found:
        raise CannotTell("docs: there are no pages here", "run sluice in a checkout of the project")
    return found


def contents(root: Path = CHECKOUT) -> str:
    """The list of pages, one line each."""
    listed = topics(root)
    width = max(len(topic.name) for topic in listed)
    return "\n".join(f"{topic.name:<{width}}  {topic.title}" for topic in listed)


def page(root: Path, topic: str) -> str:
    """The text of one page, Markdown.

    :raises BadInput: when there is no such topic; the hint names the closest one and all others.
    """
    names = [known.name for known in topics(root)]
    if topic not in names:
        raise BadInput(f"docs: there is no topic {topic!r}", _suggestion(topic, names))
    return (root / "docs" / f"{topic}.md").read_text(encoding="utf-8")


def _pages(root: Path) -> list[Path]:
    return sorted(path for path in (root / "docs").glob("*.md") if path.stem != "README")


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next(lines, "").removeprefix("# ").strip()


def _suggestion(topic: str, names: list[str]) -> str:
    close = get_close_matches(topic.lower(), names, n=1)
    listed = f"topics: {', '.join(names)}"
    return f"did you mean '{close[0]}'? {listed}" if close else listed
