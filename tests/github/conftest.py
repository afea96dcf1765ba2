"""Where the workflows are, and what holds them."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def planted() -> Path:
    """The folder of planted workflows."""
    return HERE / "planted"


@pytest.fixture
def flows(root: Path) -> list[Path]:
    """The project's own workflows."""
    return sorted((root / ".github" / "workflows").glob("*.yml"))
