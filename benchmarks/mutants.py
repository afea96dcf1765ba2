"""Do the tests notice when a rule is gone? Changes one thing at a time, and runs the fast tests.

The modules are those that decide about money: what may enter, what becomes of open trades, what
nobody looks after, and what stops a bot. A mutant is one of them with one thing changed
(`mutating.py`). It is killed when a test fails, and survives when none does. Each survivor is a
rule without a test, or no rule at all. One that cannot even be imported is counted nowhere.

`--module NAME` looks at one module. It needs Cosmic Ray, which is not among the locked
requirements since nothing else does: `uv pip install --python .venv cosmic-ray==8.7.0`.
"""

import argparse
import json
import sys
from dataclasses import dataclass

try:
    from mutating import Mutant, mutants
    from patching import function_of, patched
except ModuleNotFoundError as error:
    sys.exit(f"error: {error}\nhint: uv pip install --python .venv cosmic-ray==8.7.0")
from trying import ROOT, Answer, tried

GOAL = 0.9
DOMAIN = ROOT / "pipelines" / "domain"

GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "eligibility": {
        "eligibility": ("eligibility",),
        "approving": ("eligibility",),
        "hotfix": ("hotfix",),
    },
    "handover": {
        "handover": ("handover", "planning"),
        "adoption": ("adoption",),
        "successor": ("successor",),
        "planning": ("planning",),
        "deployment": ("planning",),
    },
    "reconciliation": {
        "account": ("reconciliation",),
        "known": ("reconciliation",),
        "orphan": ("reconciliation",),
        "reconciliation": ("reconciliation",),
        "sighting": ("reconciliation",),
        "budget": ("budget",),
    },
    "protections": {
        "limits": ("protections",),
        "watch": ("watch", "protections"),
        "protections": ("protections",),
        "worth": ("worth",),
    },
}
"""Which tests of `tests/domain` each module has."""

AFRESH = {"hotfix", "limits"}
"""Their tests use them while they are collected: each mutant is loaded anew."""


@dataclass(frozen=True)
class Tally:
    """What became of the mutants of a module, or of several."""

    name: str
    whole: int
    survivors: list[Mutant]

    @classmethod
    def of(cls, name: str, parts: list["Tally"]) -> "Tally":
        """All of them in one."""
        left = [mutant for part in parts for mutant in part.survivors]
        return cls(name, sum(part.whole for part in parts), left)

    @property
    def killed(self) -> int:
        return self.whole - len(self.survivors)

    @property
    def share(self) -> float:
        """The killed ones, as a fraction; 0 where there is none."""
        return self.killed / self.whole if self.whole else 0.0

    def __str__(self) -> str:
        return f"{self.name:<18}{self.whole:>6} mutants{self.killed:>6} killed{self.share:>8.1%}"


def examined(module: str, tests: tuple[str, ...]) -> Tally:
    """Every mutant of a module held against its tests.

    :raises RuntimeError: when the tests fail without any change.
    """
    path = DOMAIN / f"{module}.py"
    files = [f"tests/domain/test_{name}.py" for name in tests]
    if tried(path, [path.read_text], files) != [Answer.SURVIVED]:
        raise RuntimeError(f"{module}: its tests fail without a change")
    every = mutants(path)
    quick = [each for each in every if module not in AFRESH and function_of(path, each.line)]
    other = [each for each in every if each not in quick]
    answers = [*patched(path, quick, files)] if quick else []
    answers += tried(path, [each.read for each in other], files)
    pairs = zip((*quick, *other), answers, strict=True)
    told = [(mutant, answer) for mutant, answer in pairs if answer is not Answer.STILLBORN]
    survivors = [mutant for mutant, answer in told if answer is Answer.SURVIVED]
    return Tally(module, len(told), survivors)


def main() -> None:
    """Parse the arguments, try, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line for machines")
    parser.add_argument("--module", choices=[name for each in GROUPS.values() for name in each])
    asked = parser.parse_args()
    tallies = []
    for group, modules in GROUPS.items():
        of_group = []
        for module, tests in modules.items():
            if asked.module in {None, module}:
                of_group.append(examined(module, tests))
                print(_told(of_group[-1]), file=sys.stderr, flush=True)
        if of_group:
            tallies.append(Tally.of(group, of_group))
    print(_for_machines(tallies) if asked.json else _table(tallies))


def _told(tally: Tally) -> str:
    left = (
        f"    pipelines/domain/{tally.name}.py:{each.line} {each.kind}: {each.change}"
        for each in tally.survivors
    )
    return "\n".join((str(tally), *left))


def _table(groups: list[Tally]) -> str:
    rows = [f"{each}{'' if each.share >= GOAL else '    missed'}" for each in groups]
    return "\n".join(rows)


def _for_machines(groups: list[Tally]) -> str:
    figures = [
        figure
        for each in groups
        for figure in (
            {"name": f"{each.name}_mutants", "value": each.whole, "unit": "mutants"},
            {"name": f"{each.name}_killed", "value": each.killed, "unit": "mutants"},
            {"name": f"{each.name}_killed_share", "value": round(each.share, 3), "unit": ""},
        )
    ]
    survivors = [
        {"module": each.path.stem, "line": each.line, "kind": each.kind, "change": each.change}
        for group in groups
        for each in group.survivors
    ]
    return json.dumps({"figures": figures, "survivors": survivors})


if __name__ == "__main__":
    main()
