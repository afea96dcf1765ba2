"""`sluice demo`: the main job, done with the public commands alone."""

import shlex
import subprocess
import sys
from pathlib import Path

from pipelines.errors import ExitCode
from pipelines.workflow.place import Place

HOME = "state"


def demo(place: Place, out: Path, candles: Path | None, jobs: int | None) -> ExitCode:
    """Check every shipped strategy and leave the report under `out`."""
    market = ["--candles", str(candles)] if candles else []
    workers = ["--jobs", str(jobs)] if jobs else []
    report = out / "report"
    sluice = [sys.executable, "-m", "pipelines.cli"]
    sluice += ["--root", str(place.root), "--home", str(out / HOME)]
    command = ["check", *market, *workers, *_isolation(sluice), "--out", str(report)]
    print(f"$ sluice {shlex.join(command)}", flush=True)
    ended = subprocess.run([*sluice, *command], check=False)
    if candles is None:
        print("\nthe candles were synthetic: what passed here admits nothing beyond this demo")
        print("on real candles: sluice demo --candles FOLDER")
    said = ExitCode(ended.returncode)
    # A gate that says no has done its job; only one that could not tell has not.
    return ExitCode.DONE if said is ExitCode.SAID_NO else said


def _isolation(sluice: list[str]) -> list[str]:
    """Full isolation where the machine has it: the strategies that are shipped may do without."""
    asked = [*sluice, "doctor", "isolation", "--json"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    if ended.returncode == ExitCode.DONE:
        return []
    print("weak isolation, for the demo only: see 'sluice doctor isolation'")
    return ["--isolation", "weak"]
