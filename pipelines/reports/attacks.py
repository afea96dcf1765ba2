"""What came of an attack on the isolation, on a terminal."""

from rich import box
from rich.console import Console
from rich.table import Table

from pipelines.domain.attack import BREAKS, REACHES, Attempt
from pipelines.domain.verdict import Status
from pipelines.reports.plain import SYMBOLS, plain
from pipelines.reports.terminal import STYLES, Encodable


def render(attempts: tuple[Attempt, ...], console: Console) -> None:
    """Print a table of all attempts, those that got through with what they did."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("attack", no_wrap=True)
    table.add_column("a strategy tries to")
    table.add_column("", no_wrap=True)
    table.add_column("what came of it", overflow="fold")
    for attempt in attempts:
        status = Status.FAILED if attempt.through else Status.PASSED
        word = "got through" if attempt.through else "stopped"
        tried = REACHES.get(attempt.name) or BREAKS.get(attempt.name, "")
        said = f"{SYMBOLS[status]} {word}"
        table.add_row(attempt.name, tried, f"[{STYLES[status]}]{said}[/]", plain(attempt.said))
    console.print(Encodable(table))
    through = sum(attempt.through for attempt in attempts)
    holds = f"{through} of {len(attempts)} attacks got through" if through else "isolation holds"
    console.print(holds)
