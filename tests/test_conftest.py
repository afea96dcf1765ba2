"""What is missing on a machine: skipped and listed for a user, failed in CI."""

from pathlib import Path

import pytest

TESTS = """
import os
import pytest

@pytest.mark.needs("chromium")
def test_draws(): ...

@pytest.mark.needs("chromium", "dash")
def test_draws_again(): ...

@pytest.mark.needs("candles")
def test_judges(candles_folder): ...

def test_skips_itself():
    pytest.skip("no mood")

def test_has_a_home_of_its_own(home):
    assert os.environ["SLUICE_HOME"] == str(home)
    assert "SLUICE_CANDLES" not in os.environ
"""


@pytest.fixture
def bare(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, root: Path) -> pytest.Pytester:
    """The project's conftest on a machine that has nothing, and nobody's CI."""
    monkeypatch.setenv("PATH", str(pytester.path / "nothing"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nmarkers = needs(component): as in the project\n")
    pytester.makeconftest((root / "tests/conftest.py").read_text())
    pytester.makepyfile(test_it=TESTS)
    return pytester


def test_a_user_sees_what_did_not_run_and_what_to_install(bare: pytest.Pytester) -> None:
    ended = bare.runpytest("-rs")
    table = ended.stdout.str().partition("not run on this machine")[2]

    ended.assert_outcomes(passed=1, skipped=4)
    ended.stdout.fnmatch_lines("SKIPPED* needs chromium: sudo apt-get install chromium")
    assert "chromium      2 tests     sudo apt-get install chromium" in table
    assert "candles       1 test      set SLUICE_CANDLES to a folder of recorded candles" in table
    assert "test_it.py::test_draws_again" in table
    assert "test_it.py::test_skips_itself: no mood" in table


def test_nothing_may_be_skipped_in_ci(
    bare: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")

    ended = bare.runpytest()

    ended.assert_outcomes(passed=1, failed=1, errors=3)
    assert "skipped, which CI does not allow: needs candles" in ended.stdout.str()
    assert "skipped, which CI does not allow: no mood" in ended.stdout.str()


def test_a_module_that_skips_itself_fails_in_ci(
    bare: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    bare.makepyfile(test_it="import pytest\npytest.importorskip('no_such')\n")

    ended = bare.runpytest()

    assert ended.ret == pytest.ExitCode.INTERRUPTED
    assert "skipped, which CI does not allow: could not import 'no_such'" in ended.stdout.str()


def test_refuses_a_component_that_nobody_knows(bare: pytest.Pytester) -> None:
    bare.makepyfile(test_it='import pytest\n@pytest.mark.needs("chrome")\ndef test_x(): ...\n')

    ended = bare.runpytest()

    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    assert "tests/conftest.py has no component chrome" in ended.stderr.str()


def test_recorded_candles_are_found_where_the_variable_says(
    bare: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = bare.mkdir("recorded")
    monkeypatch.setenv("SLUICE_CANDLES", "recorded")
    bare.runpytest("-k", "judges").assert_outcomes(skipped=1)

    (recorded / "BTC_USDT-1d.feather").touch()
    bare.runpytest("-k", "judges").assert_outcomes(passed=1)


def test_ci_installs_every_system_package_that_tests_name(root: Path) -> None:
    remedies = (root / "tests/conftest.py").read_text()
    named = {part.split('"')[0] for part in remedies.split("sudo apt-get install ")[1:]}
    script = (root / ".ci/run").read_text()

    assert named
    assert [package for package in sorted(named) if f":{package}" not in script] == []


def test_a_project_has_environments_and_no_strategies(project: Path) -> None:
    assert (project / "environments/test.yaml").is_file()
    assert list((project / "strategies").iterdir()) == []
