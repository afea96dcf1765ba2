"""`sluice new`: a plugin that passes lint, the manifest check and its tests as it stands."""

import json
from pathlib import Path

from pipelines.adapters import git
from pipelines.workflow.planting import PAIRS, from_template, plant, refuse_taken

__all__ = ["PAIRS", "class_for", "new"]


def new(root: Path, name: str, owner: str = "", pairs: tuple[str, ...] = PAIRS) -> tuple[Path, ...]:
    """Scaffold `strategies/<name>` and return the files written.

    The owner is by default who git says the user is.

    :raises BadInput: when the name will not do or is taken; nothing is written then.
    """
    refuse_taken(root, name)
    class_name = class_for(name)
    words = {
        "name": name,
        "class_name": class_name,
        "version": "0.1.0",
        "owner": json.dumps(owner or git.user_name(root) or "unknown", ensure_ascii=False),
        "summary": "Buys new highs in a rising market",
        "pairs": ", ".join(pairs),
        "timeframe": "1h",
        "informative": "",
        "trading_mode": "spot",
        "handover": "drain",
    }
    files = {
        "strategy.yaml": from_template("strategy.yaml", words),
        "strategy.py": from_template("strategy.py", words),
        f"test_{name}.py": from_template("test.py", words),
        "README.md": from_template("README.md", words),
    }
    return plant(root, {name: files})


def class_for(name: str) -> str:
    """The class name that goes with a plugin's name: `trend_breakout` has TrendBreakout."""
    camel = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return camel if camel[:1].isalpha() else f"Strategy{camel}"
