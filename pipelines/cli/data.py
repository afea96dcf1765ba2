"""`sluice data`: the candles that strategies are judged on."""

from datetime import UTC, date, datetime
from pathlib import Path

import click

from pipelines.cli.options import FOLDER, Options, with_candles, with_json
from pipelines.errors import BadInput, ExitCode


@click.group()
def data() -> None:
    """Candles: verify them against environments/data.lock, pin, fetch or download them."""


@data.command()
@click.argument("names", nargs=-1, metavar="[SET]...")
@with_candles
@with_json
@click.pass_obj
def verify(
    options: Options, names: tuple[str, ...], candles: Path | None, as_json: bool
) -> ExitCode:
    """Hold every file against the lock: content, gaps, soundness."""
    from pipelines.workflow import data as workflow
    from pipelines.workflow import place, tell

    here = place.find(options.root, options.home)
    report = workflow.verify(here.root, candles, here.candles, datetime.now(UTC), names)
    return tell.verified(report, as_json=as_json)


@data.command()
@click.argument("name", metavar="SET")
@with_candles
@click.option("--exchange", default="binance", show_default=True)
@click.option("--pair", "pairs", multiple=True, help="Only this pair; may be repeated.")
@click.option("--timeframe", "timeframes", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--window",
    "windows",
    multiple=True,
    metavar="NAME=FROM..TO",
    help="A window to judge on, such as bear=2021-11-10..2022-07-31; may be repeated.",
)
@click.option("--source", default="", help="Where the candles came from, in words.")
@click.pass_obj
def pin(
    options: Options,
    name: str,
    candles: Path | None,
    exchange: str,
    pairs: tuple[str, ...],
    timeframes: tuple[str, ...],
    windows: tuple[str, ...],
    source: str,
) -> ExitCode:
    """Write what these candles are into environments/data.lock, known gaps included."""
    from pipelines.workflow import data as workflow
    from pipelines.workflow import place, tell

    here = place.find(options.root, options.home)
    now, spans = datetime.now(UTC), workflow.windows(windows)
    if name == "embedded":
        pinned = workflow.pin_embedded(here.root, now, spans)
    elif candles is None:
        raise BadInput("there are no candles to pin", "name their folder with --candles")
    else:
        pinned = workflow.pin(
            here.root,
            candles,
            name,
            now,
            exchange=exchange,
            pairs=pairs,
            timeframes=timeframes,
            windows=spans,
            source=source,
        )
    return tell.pinned(pinned)


@data.command()
@click.argument("digest")
@click.option("--from", "base", envvar="SLUICE_DATA_URL", default="", help="Folder or URL of sets.")
@click.option("--into", type=FOLDER, default=Path("user_data/sets"), show_default=True)
@click.pass_obj
def fetch(options: Options, digest: str, base: str, into: Path) -> ExitCode:
    """Get a published set by its digest and verify every candle file in it."""
    from pipelines.workflow import place, supply

    if not base:
        raise BadInput("there is no place to fetch from", "name it with --from or SLUICE_DATA_URL")
    root = place.find(options.root, options.home).root
    fetched = supply.fetch(root, digest, base, into, datetime.now(UTC))
    came = f"from {fetched.source}" if fetched.source else "was there already"
    click.echo(f"{fetched.name} {came}; use it with --candles {fetched.folder}")
    return ExitCode.DONE


@data.command()
@click.argument("name", metavar="SET")
@with_candles
@click.option("--into", type=FOLDER, default=Path("out"), show_default=True)
@click.pass_obj
def pack(options: Options, name: str, candles: Path | None, into: Path) -> ExitCode:
    """Write a set as one file, named by its digest, for others to fetch."""
    from pipelines.workflow import place, supply

    if candles is None:
        raise BadInput("there are no candles to pack", "name their folder with --candles")
    root = place.find(options.root, options.home).root
    click.echo(f"wrote {supply.pack(root, candles, name, into, datetime.now(UTC))}")
    return ExitCode.DONE


@data.command()
@click.option("--pair", "pairs", multiple=True, required=True, help="May be repeated.")
@click.option("--timeframe", "timeframes", multiple=True, default=("1h", "1d"), show_default=True)
@click.option("--days", type=click.IntRange(1), help="The last so many days.")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day.")
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Last day.")
@click.option("--exchange", default="binance", show_default=True)
@click.option("--into", type=FOLDER, default=Path("user_data/data"), show_default=True)
def download(
    pairs: tuple[str, ...],
    timeframes: tuple[str, ...],
    days: int | None,
    start: datetime | None,
    end: datetime | None,
    exchange: str,
    into: Path,
) -> ExitCode:
    """Get candles with freqtrade's own downloader. Then: `sluice data pin`."""
    from pipelines.workflow import supply

    if days and start:
        raise BadInput("--days and --start say two different things", "give one of them")
    asked = supply.asked(pairs, timeframes, days, _day(start), _day(end))
    got = supply.download(into, *asked, datetime.now(UTC), exchange=exchange)
    for path, rows in got.files:
        click.echo(f"{path}: {rows} candles")
    return ExitCode.DONE


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
