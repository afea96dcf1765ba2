"""Tell a report to people and machines."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from pipelines.domain.attack import Attempt
from pipelines.domain.verdict import Finding, Status
from pipelines.errors import ExitCode
from pipelines.reports import attacks, machine, plain, terminal
from pipelines.reports.model import Report
from pipelines.reports.progress import Progress
from pipelines.workflow.data import Pinned, Verification
from pipelines.workflow.importing import ImportReport

CODES = {
    Status.PASSED: ExitCode.DONE,
    Status.FAILED: ExitCode.SAID_NO,
    Status.ERRORED: ExitCode.CANNOT_TELL,
    Status.SKIPPED: ExitCode.CANNOT_TELL,
}


def progress(*, quiet: bool = False) -> Progress:
    """How far long work is, on standard error."""
    return Progress(quiet=quiet)


def tell(report: Report, *, as_json: bool) -> ExitCode:
    """Print a report, for a machine on standard output or for people; its exit code.

    With JSON on standard output, people still read theirs on standard error.
    """
    if as_json:
        sys.stdout.write(machine.as_json(report) + "\n")
    if report.strategies:
        terminal.render(report, Console(stderr=as_json, highlight=False))
    else:
        print("nothing to check", file=sys.stderr if as_json else sys.stdout)
    return CODES[report.status]


def imported(report: ImportReport, root: Path) -> ExitCode:
    """Say what became of every strategy that was to be imported."""
    for one in report.imported:
        print(f"{one.class_name} from {one.source}: strategies/{one.name}/")
        for guess in one.guesses:
            print(f"  guessed: {guess}")
        for finding in one.obstacles:
            print(f"  will not pass: {_inline(finding)}")
    for passed in report.passed_over:
        named = f"{passed.class_name} from " if passed.class_name else ""
        print(f"{named}{passed.source}: not imported: {passed.reason}")
        if passed.hint:
            print(f"  hint: {passed.hint}")
    return ExitCode.DONE if report.imported else ExitCode.SAID_NO


def _inline(finding: Finding) -> str:
    parts = (finding.what, finding.actual, finding.hint)
    return plain.plain("; ".join(part for part in parts if part))


def attacked(attempts: tuple[Attempt, ...], *, as_json: bool) -> ExitCode:
    """Say which attacks on the isolation were stopped, and what got through."""
    if as_json:
        rows = [attempt.model_dump() for attempt in attempts]
        sys.stdout.write(json.dumps({"attacks": rows}) + "\n")
    attacks.render(attempts, Console(stderr=as_json, highlight=False))
    through = any(attempt.through for attempt in attempts)
    return ExitCode.SAID_NO if through else ExitCode.DONE


def verified(report: Verification, *, as_json: bool) -> ExitCode:
    """Say which series of the lock are sound, and what is wrong with the others."""
    if as_json:
        rows = [asdict(one) for one in report.series]
        sys.stdout.write(json.dumps({"series": rows}) + "\n")
    out = sys.stderr if as_json else sys.stdout
    for one in report.unsound:
        for problem in one.problems:
            print(f"{one.where}: {problem}", file=out)
        print(f"hint: {one.hint}", file=out)
    sound = len(report.series) - len(report.unsound)
    print(f"{sound} of {len(report.series)} series are what data.lock says", file=out)
    return ExitCode.SAID_NO if report.unsound else ExitCode.DONE


def pinned(report: Pinned) -> ExitCode:
    """Say what was pinned and what that changed."""
    for name in report.changed:
        print(f"changed: {name}")
    for name in report.dropped:
        print(f"dropped: {name}")
    print(f"environments/data.lock: pinned {report.name}")
    return ExitCode.DONE


def write(report: Report, out: Path) -> Path:
    """Write the report as a folder of web pages, Markdown, JSON and JUnit XML; the page to open.

    :raises BadInput: when the folder holds something that is no report, or cannot be written.
    """
    from pipelines.reports import folder  # drawing is slow to import, and only needed here

    return folder.write(report, out)
