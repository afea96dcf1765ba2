"""Commands of the gate: `check`, `new`, `import`, `explain`, `demo`."""

import os
from datetime import datetime
from pathlib import Path

import click

from pipelines.cli.options import (
    FOLDER,
    Options,
    with_candles,
    with_isolation,
    with_jobs,
    with_json,
    with_train,
)
from pipelines.errors import ExitCode


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--changed-since", metavar="REV", help="Only what changed since the merge base.")
@with_candles
@click.option("--only", multiple=True, metavar="CHECK", help="Only this check; may be repeated.")
@with_jobs
@click.option("--out", type=FOLDER, help="Write web pages, Markdown, JSON and JUnit there.")
@with_json
@click.option("--no-cache", is_flag=True, help="Run everything again.")
@with_isolation
@with_train
@click.pass_obj
def check(
    options: Options,
    names: tuple[str, ...],
    changed_since: str | None,
    candles: Path | None,
    only: tuple[str, ...],
    jobs: int | None,
    out: Path | None,
    as_json: bool,
    no_cache: bool,
    isolation: str,
    train: str,
) -> ExitCode:
    """Examine strategies: manifest, lint, unit, bias, backtest.

    Without NAME every strategy is examined. The verdicts are kept as evidence under the home
    folder; an unchanged strategy is answered from there.

    \b
    sluice check                                     every strategy, embedded market
    sluice check my_strategy --candles user_data/data
    sluice check --changed-since origin/main --json  what a pull request runs
    """
    from pipelines.workflow import check as workflow
    from pipelines.workflow import place, tell

    here = place.find(options.root, options.home, train)
    asked = workflow.Asked(
        names=names,
        changed_since=changed_since,
        candles=candles,
        only=only,
        jobs=jobs or os.cpu_count() or 1,
        reads_cache=not no_cache,
        weak=isolation == "weak",
    )
    with tell.progress() as progress:
        report = workflow.check(here, asked, progress, pictures=out is not None)
        page = tell.write(report, out) if out else None
    code = tell.tell(report, as_json=as_json)
    if page:
        click.echo(f"report: {page}", err=as_json)
    return code


@click.command()
@click.argument("name")
@click.option("--owner", default="", help="Who answers for it; by default git's user.name.")
@click.option("--pair", "pairs", multiple=True, help="A pair to trade; may be repeated.")
@click.pass_obj
def new(options: Options, name: str, owner: str, pairs: tuple[str, ...]) -> ExitCode:
    """Make a strategy that passes lint and its own tests at once.

    NAME becomes a folder below strategies/, so it has to be a Python identifier.
    """
    from pipelines.workflow import new as workflow
    from pipelines.workflow import place

    here = place.find(options.root, options.home)
    for path in workflow.new(here.root, name, owner, pairs or workflow.PAIRS):
        click.echo(f"wrote {path.relative_to(here.root)}")
    click.echo(f"next: sluice check {name}")
    return ExitCode.DONE


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--pair", "pairs", multiple=True, help="A pair to trade; may be repeated.")
@click.option("--owner", default="", help="Who answers for it; by default git's user.name.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def import_(
    options: Options, source: Path, pairs: tuple[str, ...], owner: str, dry_run: bool
) -> ExitCode:
    """Make plugins out of freqtrade strategies that you have.

    SOURCE is a file, or a folder such as user_data/strategies. Parameter files come along. What
    had to be guessed, and what the gate will object to, is said for each.
    """
    from pipelines.workflow import importing, place, tell

    here = place.find(options.root, options.home)
    report = importing.import_(here.root, source, pairs, owner, write=not dry_run)
    return tell.imported(report, here.root)


@click.command()
@click.argument("what", metavar="FILE|RELEASE")
@click.argument("environment", required=False)
@click.option("--step", type=click.IntRange(1), default=1, help="Of the stake ramp, from 1.")
@with_json
@click.pass_obj
def explain(
    options: Options, what: str, environment: str | None, step: int, as_json: bool
) -> ExitCode:
    """Retell a piece of evidence, or what speaks for and against a release in an environment.

    \b
    sluice explain FILE                    what was checked, what was found, what it admits
    sluice explain RELEASE ENVIRONMENT     every reason at once; exit code 4 if it may not enter
    """
    from pipelines.workflow import explain as workflow
    from pipelines.workflow import place, tell, tell_train, train

    if environment is None:
        tell.tell(workflow.explain(Path(what)), as_json=as_json)
        return ExitCode.DONE
    here = place.find(options.root, options.home)
    return tell_train.explained(train.explain(here, what, environment, step), as_json=as_json)


@click.command()
@click.option("--out", type=FOLDER, default=Path("out/demo"), help="Where everything is left.")
@with_candles
@click.option("--start", type=click.DateTime(), help="When the exchange begins, in UTC.")
@with_jobs
@click.pass_obj
def demo(
    options: Options, out: Path, candles: Path | None, start: datetime | None, jobs: int | None
) -> ExitCode:
    """Take a strategy through the whole train, and leave a timeline to look at.

    With real freqtrade processes, on a rehearsal exchange, in a project of its own below --out.
    Ctrl-C ends everything that it started.
    """
    from pipelines.workflow import place
    from pipelines.workflow.demo import story

    asked = story.Asked(out, candles, jobs, start or story.START)
    return story.demo(place.find(options.root, options.home), asked)


COMMANDS = (check, new, import_, explain, demo)
