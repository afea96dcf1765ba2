"""What `sluice check` refuses before it looks at a strategy: files that do not go together."""

import re
import shutil
from pathlib import Path

import pytest

from pipelines.adapters.versions import freqtrade_pin, tool_versions
from pipelines.domain.couplings import RULES
from pipelines.domain.couplings.arrangement import Pin
from pipelines.domain.couplings.retired import RETIRED
from pipelines.domain.environment import Environment
from pipelines.errors import BadInput, Problems
from pipelines.workflow.couplings import refuse_clashes
from pipelines.workflow.place import Place


@pytest.fixture
def here(project: Path) -> Place:
    return Place(project, project / "home")


def edit(here: Place, name: str, old: str, new: str) -> None:
    path = here.root / "environments" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def refused(here: Place) -> Problems:
    with pytest.raises(Problems) as caught:
        refuse_clashes(here)
    return caught.value


def test_the_shipped_trains_go_together(here: Place, root: Path) -> None:
    refuse_clashes(here)
    shutil.copytree(root / "strategies", here.root / "strategies", dirs_exist_ok=True)
    refuse_clashes(here)


def test_clashes_of_every_train_are_told_at_once_each_with_its_place_and_hint(here: Place) -> None:
    edit(here, "prod.yaml", "initial_state: paused", "initial_state: running")
    edit(here, "demo/prod.yaml", "rehearsal: true", "rehearsal: false")
    told = list(refused(here).told())
    assert [message.partition(": should")[0] for message, _ in told] == [
        "environments/demo/prod.yaml: exchange.rehearsal",
        "environments/prod.yaml: initial_state",
    ]
    assert all(hint for _, hint in told)


def test_a_variable_that_overrides_a_bot_is_refused(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREQTRADE__EXCHANGE__SECRET", "t0p-5ecret")
    (problem,) = refused(here).problems
    assert "FREQTRADE__EXCHANGE__SECRET: should be none" in problem.message
    assert "t0p-5ecret" not in problem.message + problem.hint


def test_a_strategy_is_led_through_the_whole_train(here: Place, root: Path) -> None:
    edit(here, "prod.yaml", "account: prod", "account: sandbox")
    refuse_clashes(here)
    name = "trend_breakout"
    shutil.copytree(root / "strategies" / name, here.root / "strategies" / name)
    assert "trend_breakout in prod and trend_breakout in sandbox" in refused(here).message


def test_strategies_that_may_never_meet_are_not_held_against_each_other(
    here: Place, root: Path
) -> None:
    shutil.copytree(root / "strategies", here.root / "strategies", dirs_exist_ok=True)
    edit(here, "prod.yaml", "secrets:", "accounts: {trend_breakout: trend}\nsecrets:")
    refuse_clashes(here)


def test_a_strategy_that_cannot_be_read_is_left_to_its_verdict(here: Place) -> None:
    (here.root / "strategies" / "broken").mkdir()
    (here.root / "strategies" / "broken" / "strategy.yaml").write_text("class: [")
    refuse_clashes(here)


def test_broken_files_are_told_all_at_once(here: Place) -> None:
    edit(here, "prod.yaml", "host: pi", "hots: pi")
    edit(here, "sandbox.yaml", "mode: live", "mode: paper")
    said = refused(here).message
    for part in ("prod.yaml:4: hots: is not a known key", "prod.yaml:2: host: is missing",
                 "sandbox.yaml:4: mode: should be 'dry_run' or 'live'"):  # fmt: skip
        assert part in said


def test_trust_is_no_environment(here: Place) -> None:
    (here.root / "environments" / "trust.yaml").write_text("roles: {}\n")
    refuse_clashes(here)


@pytest.mark.parametrize("key", [key for key in RETIRED if "." not in key and key != "exchange"])
def test_a_retired_key_says_what_to_write_in_its_place(here: Place, key: str) -> None:
    edit(here, "prod.yaml", "name: prod", f"name: prod\n{key}: 1")
    (problem,) = refused(here).problems
    assert (problem.key, problem.hint) == (key, RETIRED[key])


@pytest.mark.parametrize("key", [key for key in RETIRED if "." in key])
def test_a_retired_key_of_the_exchange_says_so_too(here: Place, key: str) -> None:
    bare = key.partition(".")[2]
    edit(here, "prod.yaml", "{name: binance}", f"{{name: binance, {bare}: hidden}}")
    (problem,) = refused(here).problems
    assert (problem.key, problem.hint) == (key, RETIRED[key])
    assert "hidden" not in problem.message


def test_the_old_form_of_the_exchange_says_what_to_write(here: Place) -> None:
    edit(here, "prod.yaml", "{name: binance}", "binance")
    (problem,) = refused(here).problems
    assert problem.hint == RETIRED["exchange"]


def test_no_key_is_retired_and_known() -> None:
    assert [key for key in RETIRED if key in Environment.model_fields] == ["exchange"]


def test_freqtrade_is_pinned_here(root: Path) -> None:
    pin = freqtrade_pin(root)
    assert pin.required == f"freqtrade=={pin.locked}"
    assert pin.installed == pin.locked == tool_versions()["freqtrade"]
    assert re.fullmatch(r"\d{4}\.\d+", pin.locked)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("# freqtrade==1\nfreqtrade\n", "freqtrade"),
        ("freqtrade>=2026.9  # why\n", "freqtrade>=2026.9"),
        ("freqtrade[hyperopt]==2026.9\n", "freqtrade[hyperopt]==2026.9"),
        ("freqtrade-client==1\n", ""),
        ("pandas\n", ""),
    ],
)
def test_a_pin_is_read_as_it_is_written(tmp_path: Path, written: str, read: str) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/runtime.in").write_text(written)
    assert freqtrade_pin(tmp_path) == Pin(read, "", tool_versions()["freqtrade"])


def test_bad_input_is_what_it_is(here: Place) -> None:
    edit(here, "prod.yaml", "initial_state: paused", "initial_state: running")
    assert isinstance(refused(here), BadInput)
    assert "initial state" in RULES
