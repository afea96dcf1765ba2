"""Configurations of others are read as freqtrade reads them, and held to freqtrade's own reader."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import BadInput, Problem
from pipelines.freqtrade import existing
from pipelines.freqtrade.existing import Settings

Written = Callable[..., tuple[Path, ...]]

COMMENTED = """\
{
    // what is said, with // in it and "quotes"
    "max_open_trades": 3,  /* and
    more */ "stake_currency": "US/*D*/T//",
    "exchange": {
        "name": "binance",
        "key": "a\\"b, ]",
        "pair_whitelist": ["BTC/USDT", "ETH/USDT",],
    },  // the end
}
"""


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(**files: object) -> tuple[Path, ...]:
        paths = []
        for name, content in files.items():
            path = tmp_path / f"{name}.json"
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            paths.append(path)
        return tuple(paths)

    return write


def values(settings: Settings) -> dict[str, object]:
    return {key: each.value for key, each in settings.all.items()}


def test_comments_and_commas_too_many_are_read_over(written: Written) -> None:
    assert values(existing.read(written(config=COMMENTED))) == {
        "max_open_trades": 3,
        "stake_currency": "US/*D*/T//",
        "exchange.name": "binance",
        "exchange.key": 'a"b, ]',
        "exchange.pair_whitelist": ["BTC/USDT", "ETH/USDT"],
    }


@pytest.mark.freqtrade
def test_freqtrade_itself_reads_the_same(written: Written, tmp_path: Path) -> None:
    from freqtrade.configuration.load_config import load_from_files

    written(
        added={"stake_amount": 1, "exchange": {"name": "kraken", "key": "k"}, "dry_run": True},
        second={"exchange": {"secret": "s", "pair_whitelist": ["XRP/USDT"]}, "telegram": {}},
    )
    first = tmp_path / "first.json"
    first.write_text(COMMENTED.replace("{", '{"add_config_files": ["added.json"],', 1))
    files = (first, tmp_path / "second.json")

    theirs = load_from_files([str(path) for path in files])
    theirs = {k: v for k, v in theirs.items() if k not in ("add_config_files", "config_files")}

    ours: dict[str, object] = {}
    for key, value in values(existing.read(files)).items():
        *above, last = key.split(".")
        tree = ours
        for name in above:
            tree = tree.setdefault(name, {})  # type: ignore[assignment]
        tree[last] = value
    assert ours == theirs


def test_a_later_file_wins_and_what_it_replaced_is_known(written: Written) -> None:
    one, two = written(one={"exchange": {"key": "a", "name": "b"}}, two={"exchange": {"key": "c"}})
    settings = existing.read((one, two))
    assert values(settings) == {"exchange.name": "b", "exchange.key": "c"}
    assert settings.all["exchange.key"].file == two
    assert [(each.key, each.value, each.file) for each in settings.under] == [
        ("exchange.key", "a", one)
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1,\n "b": }', ":2: is no JSON: expecting value"),
        ("[]", ": should hold keys and values"),
        ('{"a": {"b": 1, "b": 2}}', ": a.b: stands twice"),
        ('{"a": [{"b": 1}, {"b": 1, "b": 2}]}', ": a[1].b: stands twice"),
        ('{"add_config_files": "x"}', ": add_config_files: should be a list of files"),
        ('{"add_config_files": ["config.json"]}', ": add_config_files: adds files that add files"),
        ('{"add_config_files": ["none.json"]}', "none.json: there is no such file"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(written: Written, text: str, told: str) -> None:
    with pytest.raises(BadInput) as error:
        existing.read(written(config=text))
    assert told in error.value.message


def test_values_of_another_kind_are_told_with_their_key(written: Written) -> None:
    settings = existing.read(written(config={"db_url": 3, "dry_run": "no"}))
    with pytest.raises(Problem, match=r"config.json: db_url: should be text"):
        settings.text("db_url")
    with pytest.raises(Problem, match=r"config.json: dry_run: should be true or false"):
        settings.flag("dry_run", default=True)


def test_text_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(Problem, match="is not UTF-8 text"):
        existing.read((tmp_path / "config.json",))
