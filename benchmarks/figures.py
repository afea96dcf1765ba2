"""Figures with their goals, and how every benchmark shows them."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# What starts exchanges for tests serves here too, and is not installed.
sys.path.append(str(Path(__file__).resolve().parent.parent))


@dataclass(frozen=True)
class Figure:
    """One measured number. `goal` is `>=` or `<` and a number; empty where there is none."""

    name: str
    value: float
    unit: str
    goal: str = ""

    @property
    def reached(self) -> bool:
        """Whether the goal is met; true where there is none."""
        sign, _, number = self.goal.partition(" ")
        if not sign:
            return True
        return self.value >= float(number) if sign == ">=" else self.value < float(number)


Measure = Callable[[Path | None, Path], list[Figure]]
"""From recorded candles, if any, and an empty state folder to figures."""


def table(figures: list[Figure]) -> str:
    """The figures with their goals beside them."""
    rows = [
        f"{f.name:<28}{f.value:>10.2f} {f.unit:<22}{f.goal:<8}{'' if f.reached else 'missed'}"
        for f in figures
    ]
    return "\n".join(row.rstrip() for row in rows)


def show(about: str, measure: Measure) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="one line for machines")
    parser.add_argument("--candles", type=Path, help="recorded candles instead of the embedded")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        figures = measure(asked.candles and asked.candles.resolve(), Path(home))
    if asked.json:
        kept = [{"name": f.name, "value": round(f.value, 3), "unit": f.unit} for f in figures]
        print(json.dumps({"figures": kept}))
    else:
        print(table(figures))
