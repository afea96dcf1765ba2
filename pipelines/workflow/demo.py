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
    command = ["check", *market, *workers, "--out", str(report)]
    print(f"$ sluice {shlex.join(command)}", flush=True)
    shared = ["--root", str(place.root), "--home", str(out / HOME)]
    ended = subprocess.run([sys.executable, "-m", "pipelines.cli", *shared, *command], check=False)
    if candles is None:
        print("\nthe candles were synthetic: what passed here admits nothing beyond this demo")
        print("on real candles: sluice demo --candles FOLDER")
    said = ExitCode(ended.returncode)
    # A gate that says no has done its job; only one that could not tell has not.
    return ExitCode.DONE if said is ExitCode.SAID_NO else said
