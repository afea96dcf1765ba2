"""`sluice import`: existing strategies become plugins, and what was guessed is said."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from pipelines.adapters import plugins
from pipelines.errors import BadInput
from pipelines.workflow.drafting import snake_case
from pipelines.workflow.importing import Imported, ImportReport, import_

SOURCE = '''
"""Text."""
from freqtrade.strategy import IStrategy, informative


class TrendRider(IStrategy):
    """Rides the trend.

    And gets off.
    """

    INTERFACE_VERSION = 3
    timeframe = '15m'

    @informative('1h')
    def populate_indicators_1h(self, dataframe, metadata):
        return dataframe
'''


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "user_data/strategies"
    folder.mkdir(parents=True)
    return folder


def write(source: Path, name: str, text: str) -> Path:
    path = source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def one(report: ImportReport) -> Imported:
    assert report.passed_over == ()
    assert len(report.imported) == 1
    return report.imported[0]


def obstacles(report: ImportReport) -> str:
    return "\n".join(f"{f.what} | {f.hint}" for f in one(report).obstacles)


def test_makes_a_plugin_of_a_file(project: Path, source: Path) -> None:
    imported = one(import_(project, write(source, "Rider.py", SOURCE), owner="Ada"))
    strategy = plugins.read(project, "trend_rider")
    manifest = strategy.manifest
    assert (imported.name, manifest.class_name) == ("trend_rider", "TrendRider")
    assert (manifest.version, manifest.owner) == ("1.0.0", "Ada")
    assert manifest.summary == "Rides the trend."
    assert (manifest.timeframe, manifest.informative) == ("15m", ("1h",))
    assert manifest.trading_mode == "spot"
    assert manifest.handover == "drain"
    assert imported.obstacles == ()
    assert sorted(path.name for path in imported.files) == [
        "README.md",
        "strategy.py",
        "strategy.yaml",
        "test_trend_rider.py",
    ]


def test_formats_the_code_and_keeps_it_otherwise(project: Path, source: Path) -> None:
    import_(project, write(source, "Rider.py", SOURCE))
    text = plugins.read(project, "trend_rider").source
    assert 'timeframe = "15m"' in text
    assert compile(text, "a", "exec").co_names == compile(SOURCE, "a", "exec").co_names


def test_says_what_it_guessed(project: Path, source: Path) -> None:
    imported = one(import_(project, write(source, "Rider.py", SOURCE)))
    readme = (project / "strategies/trend_rider/README.md").read_text()
    assert [guess.split(":")[0] for guess in imported.guesses] == ["pairs", "handover"]
    assert all(guess in readme for guess in imported.guesses)


def test_takes_the_pairs_of_a_configuration_beside_it(project: Path, source: Path) -> None:
    whitelist = ["LTC/USDT", ".*/USDT", 3, "ETH/USDT"]
    config = {"exchange": {"pair_whitelist": whitelist}}
    (source.parent / "config.json").write_text(json.dumps(config))
    write(source, "Rider.py", SOURCE)
    imported = one(import_(project, source))
    assert plugins.read(project, imported.name).manifest.pairs == ("LTC/USDT", "ETH/USDT")
    assert "pairs: those of config.json" in imported.guesses


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"exchange": 1}', '{"exchange": {"pair_whitelist": ["x"]}}']
)
def test_a_configuration_that_names_no_pairs_is_no_help(
    project: Path, source: Path, text: str
) -> None:
    write(source, "config.json", text)
    imported = one(import_(project, write(source, "Rider.py", SOURCE)))
    assert "embedded market" in imported.guesses[0]


def test_pairs_can_be_named(project: Path, source: Path) -> None:
    import_(project, write(source, "Rider.py", SOURCE), pairs=("ADA/USDT",))
    assert plugins.read(project, "trend_rider").manifest.pairs == ("ADA/USDT",)


def test_pairs_that_the_code_reads_are_added(project: Path, source: Path) -> None:
    text = SOURCE.replace("informative('1h')", "informative('1h', 'XRP/{stake}')")
    import_(project, write(source, "Rider.py", text), pairs=("ADA/USDT",))
    assert plugins.read(project, "trend_rider").manifest.pairs == ("ADA/USDT", "XRP/USDT")


def test_a_class_that_sells_short_becomes_futures_and_says_so(project: Path, source: Path) -> None:
    text = SOURCE.replace("timeframe =", "can_short: bool = True\n    timeframe =")
    report = import_(project, write(source, "Rider.py", text), pairs=("ADA/USDT",))
    assert "trading_mode: futures, because the class says can_short" in one(report).guesses
    assert "recorded futures candles" in obstacles(report)
    assert plugins.read(project, "trend_rider").manifest.pairs == ("ADA/USDT:USDT",)


def test_brings_the_parameter_file_under_the_name_freqtrade_looks_for(
    project: Path, source: Path
) -> None:
    held = {"strategy_name": "TrendRider", "params": {"buy": {"buy_rsi": 30}}}
    write(source, "Rider.json", json.dumps(held))
    imported = one(import_(project, write(source, "Rider.py", SOURCE)))
    assert plugins.read(project, "trend_rider").file("strategy.json") is not None
    assert any("Rider.json, which is called strategy.json now" in g for g in imported.guesses)


@pytest.mark.parametrize("text", ["{", '{"strategy_name": "Other", "params": {}}', "[]"])
def test_leaves_out_parameters_of_another_strategy(project: Path, source: Path, text: str) -> None:
    write(source, "Rider.json", text)
    imported = one(import_(project, write(source, "Rider.py", SOURCE)))
    assert plugins.read(project, "trend_rider").file("strategy.json") is None
    assert any("Rider.json was left out" in guess for guess in imported.guesses)


def test_imports_a_folder_and_every_class_in_it(project: Path, source: Path) -> None:
    write(source, "Rider.py", SOURCE)
    write(
        source,
        "deep/Two.py",
        SOURCE.replace("TrendRider", "First") + SOURCE.replace("TrendRider", "Second"),
    )
    write(source, "notes.py", "X = 1")
    write(source, "__pycache__/old.py", SOURCE)
    write(source, "test_rider.py", SOURCE)
    report = import_(project, source)
    assert [imported.name for imported in report.imported] == ["trend_rider", "first", "second"]
    assert plugins.names(project) == ("first", "second", "trend_rider")


def test_a_class_that_others_derive_from_is_no_plugin(project: Path, source: Path) -> None:
    text = SOURCE + "\n\nclass Faster(TrendRider):\n    timeframe = '5m'\n"
    imported = one(import_(project, write(source, "Rider.py", text)))
    assert (imported.class_name, imported.name) == ("Faster", "faster")
    assert plugins.read(project, "faster").manifest.timeframe == "5m"


def test_a_class_without_a_timeframe_gets_a_guess(project: Path, source: Path) -> None:
    text = SOURCE.replace("timeframe = '15m'", "")
    imported = one(import_(project, write(source, "Rider.py", text.replace("'1h'", "'1d'"))))
    assert "timeframe: 1h, because the class does not write one out" in imported.guesses


# What will not work


def test_says_what_the_policy_will_object_to(project: Path, source: Path) -> None:
    text = SOURCE.replace('"""Text."""', "import pandas_ta\nimport requests")
    told = obstacles(import_(project, write(source, "Rider.py", text)))
    assert "strategies/trend_rider/strategy.py:1: imports pandas_ta | not among the pinned" in told
    assert "strategies/trend_rider/strategy.py:2: imports requests" in told
    assert "ruff says" in told


def test_says_how_to_leave_the_second_interface(project: Path, source: Path) -> None:
    text = """
    from freqtrade.strategy import IStrategy

    class Old(IStrategy):
        INTERFACE_VERSION = 2
        ticker_interval = '5m'
        def populate_buy_trend(self, dataframe, metadata):
            return dataframe
    """
    report = import_(project, write(source, "Old.py", text))
    told = obstacles(report)
    assert "INTERFACE_VERSION | write 'INTERFACE_VERSION = 3'" in told
    assert "populate_buy_trend | rename it" in told
    assert plugins.read(project, "old").manifest.timeframe == "5m"


def test_says_that_freqai_is_not_supported(project: Path, source: Path) -> None:
    text = SOURCE.replace("return dataframe", "return self.freqai.start(dataframe, metadata, self)")
    assert "not supported" in obstacles(import_(project, write(source, "Rider.py", text)))


def test_says_where_code_beside_it_should_go(project: Path, source: Path) -> None:
    write(source, "Levels.py", "X = 1")
    text = SOURCE.replace('"""Text."""', "from Levels import X")
    told = obstacles(import_(project, write(source, "Rider.py", text)))
    assert "needs Levels.py | bring it in as strategies/shared/levels_v1.py" in told


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("Broken.py", b"class A(:\n", "line 1: is no Python: "),
        ("Bytes.py", b"\xff", "line 1: is not UTF-8 text"),
    ],
)
def test_passes_over_what_is_no_python(
    project: Path, source: Path, name: str, content: bytes, reason: str
) -> None:
    (source / name).write_bytes(content)
    write(source, "Rider.py", SOURCE)
    report = import_(project, source)
    assert [imported.name for imported in report.imported] == ["trend_rider"]
    assert report.passed_over[0].source.name == name
    assert report.passed_over[0].reason.startswith(reason)


def test_passes_over_a_timeframe_that_nobody_knows(project: Path, source: Path) -> None:
    write(source, "Rider.py", SOURCE.replace("15m", "12h"))
    (passed,) = import_(project, source).passed_over
    assert passed.reason == "its timeframe is 12h"
    assert passed.hint == "there are 1m, 5m, 15m, 30m, 1h, 4h, 1d"


def test_passes_over_a_second_class_of_one_name(project: Path, source: Path) -> None:
    write(source, "a.py", SOURCE)
    write(source, "b.py", SOURCE)
    report = import_(project, source)
    assert len(report.imported) == 1
    assert "holds a strategy of that name as well" in report.passed_over[0].reason


def test_never_overwrites_a_plugin(project: Path, source: Path) -> None:
    folder = project / "strategies/trend_rider"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    (passed,) = import_(project, write(source, "Rider.py", SOURCE)).passed_over
    assert passed.reason == "strategies/trend_rider: exists already"
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_only_says_what_it_would_do_when_it_is_not_to_write(project: Path, source: Path) -> None:
    report = import_(project, write(source, "Rider.py", SOURCE), write=False)
    assert one(report).name == "trend_rider"
    assert list((project / "strategies").iterdir()) == []


def test_refuses_what_is_not_there_or_holds_nothing(project: Path, source: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file or folder"):
        import_(project, source / "gone")
    with pytest.raises(BadInput, match="holds no strategy"):
        import_(project, source)
    with pytest.raises(BadInput, match="holds no strategy"):
        import_(project, write(source, "notes.py", "X = 1"))


def test_never_runs_what_it_imports(project: Path, source: Path) -> None:
    trap = source / "trap"
    text = f"open({str(trap)!r}, 'w')\n{SOURCE}"
    import_(project, write(source, "Rider.py", text))
    assert not trap.exists()


@pytest.mark.parametrize(
    ("class_name", "name"),
    [("TrendBreakout", "trend_breakout"), ("RSIStrategy", "rsi_strategy"), ("BinHV45", "bin_hv45")],
)
def test_names_the_folder_after_the_class(class_name: str, name: str) -> None:
    assert snake_case(class_name) == name
