"""Which tools a verdict was made with."""

import platform
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pipelines
from pipelines.domain.couplings.arrangement import Pin
from pipelines.domain.document import sha256


@cache
def tool_versions() -> dict[str, str]:
    """Versions of everything that a verdict depends on, Sluice's own code included."""
    names = ("freqtrade", "numpy", "pandas", "pytest", "ruff")
    return {
        "sluice": f"{pipelines.__version__}+{_own_code()[:12]}",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def freqtrade_pin(root: Path) -> Pin:
    """freqtrade as the project at `root` requires, locks, and has it installed."""
    return Pin(
        required=_line(root / "requirements/runtime.in"),
        locked=_line(root / "requirements/runtime.txt").removeprefix("freqtrade=="),
        installed=tool_versions()["freqtrade"],
    )


def _line(path: Path) -> str:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(r"^freqtrade(?![\w-])[^\s;#\\]*", text, re.MULTILINE)
    return found.group() if found else ""


def _own_code() -> str:
    root = Path(pipelines.__file__).parent
    files = sorted(path for path in root.rglob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in files))
