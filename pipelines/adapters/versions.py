"""Which tools a verdict was made with."""

import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pipelines
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


def _own_code() -> str:
    root = Path(pipelines.__file__).parent
    files = sorted(path for path in root.rglob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in files))
