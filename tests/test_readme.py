"""The README tells what a reader will see."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def _blocks(root: Path, language: str) -> list[str]:
    text = (root / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def _timeless(text: str) -> list[str]:
    """Lines without what differs from run to run: seconds, widths, and the place of evidence."""
    lines = re.sub(r"(\d+ min \d+|\d+\.\d) s$", "", text, flags=re.MULTILINE).splitlines()
    words = [" ".join(line.split()) for line in lines if not line.startswith("evidence ")]
    return [line for line in words if line.strip("─")]


@pytest.mark.freqtrade
def test_its_transcript_is_what_the_command_prints(root: Path, tmp_path: Path) -> None:
    transcript, _ = _blocks(root, "console")
    prompt, shown = transcript.split("\n", 1)
    command = prompt.removeprefix("$ ./sluice ").split()
    ended = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "--root", str(root), *command],
        env={**os.environ, "SLUICE_HOME": str(tmp_path), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert _timeless(ended.stdout) == _timeless(shown)


def test_every_command_that_it_shows_exists(root: Path) -> None:
    shown = "\n".join(_blocks(root, "sh"))
    for line in re.findall(r"^\./sluice ([^#\n]+)", shown, re.MULTILINE):
        words = line.split()
        command = words[:2] if words[0] == "data" else words[:1]
        ended = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *command, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, line
        for option in re.findall(r"--[a-z-]+", line):
            assert option in ended.stdout, f"{line}: {option}"


@pytest.mark.needs("candles")
@pytest.mark.freqtrade
def test_its_table_of_strategies_is_what_real_candles_say(
    root: Path, tmp_path: Path, candles_folder: Path
) -> None:
    ended = subprocess.run(
        [
            sys.executable, "-m", "pipelines.cli", "--root", str(root), "--home", str(tmp_path),
            "check", "--only", "backtest", "--candles", str(candles_folder), "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    told = {one["name"]: one for one in json.loads(ended.stdout)["strategies"]}
    rows = re.findall(
        r"^\| \[(\w+)\]\S* \| .*? \| (PASSED|FAILED) \| (.*) \|$",
        (root / "README.md").read_text(),
        re.MULTILINE,
    )
    assert {name for name, _, _ in rows} == set(told)
    for name, status, cells in rows:
        figures = told[name]["verdicts"][0]["measurements"]
        assert told[name]["status"] == status, name
        assert [cell.strip() for cell in cells.split("|")] == [
            f"{100 * float(figures['whole.profit']):.1f} %",
            f"{100 * float(figures['whole.drawdown']):.1f} %",
            f"{float(figures['whole.sharpe']):.2f}",
            f"{100 * float(figures['out_of_sample.profit']):.1f} %",
            f"{float(figures['out_of_sample.sharpe']):.2f}",
        ], name
        own = (root / "strategies" / name / "README.md").read_text()
        assert f"{100 * float(figures['out_of_sample.profit']):+.1f} %" in own, name
