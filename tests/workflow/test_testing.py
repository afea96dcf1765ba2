"""`sluice test`: pytest in a child, its arguments passed on, its exit code mapped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from pipelines.workflow import testing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose tests are these."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  slow:\n  freqtrade:\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_passes(): ...\n"
        "@pytest.mark.slow\ndef test_is_slow(): assert False\n"
        "@pytest.mark.freqtrade\ndef test_starts_freqtrade(): assert False\n"
    )
    return tmp_path


def test_what_is_fast_leaves_out_what_is_slow_and_closes_with_pytests_own_line(
    ground: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert testing.test(ground, ("-q",), True) is ExitCode.DONE
    assert capfd.readouterr().out.splitlines()[-1].startswith("1 passed, 2 deselected in ")


def test_without_arguments_files_are_spread_over_the_cores(
    ground: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (ground / f"test_{name}.py").write_text(
            "import os, pathlib\n"
            f"def test_one(): pathlib.Path('{name}1').write_text(str(os.getpid()))\n"
            f"def test_two(): pathlib.Path('{name}2').write_text(str(os.getpid()))\n"
        )

    assert testing.test(ground, (), True) is ExitCode.DONE

    assert "5 passed" in capfd.readouterr().out.splitlines()[-1]
    assert (ground / "a1").read_text() == (ground / "a2").read_text() != str(os.getpid())
    assert (ground / "b1").read_text() == (ground / "b2").read_text() != str(os.getpid())


def test_a_failing_test_is_a_no(ground: Path) -> None:
    assert testing.test(ground, (), False) is ExitCode.SAID_NO


def test_arguments_go_to_pytest(ground: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert testing.test(ground, ("--co", "-q", "-k", "passes"), False) is ExitCode.DONE
    assert "test_it.py::test_passes" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-k", "nothing"), ExitCode.CANNOT_TELL),
        (("--no-such-option",), ExitCode.BAD_INPUT),
        (("test_broken.py",), ExitCode.CANNOT_TELL),
    ],
)
def test_no_test_is_no_pass(ground: Path, arguments: tuple[str, ...], code: ExitCode) -> None:
    (ground / "test_broken.py").write_text("import no_such_module\n")
    assert testing.test(ground, arguments, False) is code


def test_ctrl_c_lets_pytest_sum_up(ground: Path) -> None:
    (ground / "test_it.py").write_text(
        "import pathlib, time\ndef test_waits():\n"
        "    pathlib.Path('waiting').touch()\n    time.sleep(60)\n"
    )
    program = (
        "import sys; from pathlib import Path; from pipelines.workflow import testing; "
        "sys.exit(testing.test(Path(sys.argv[1]), (), False))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(ground)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        deadline = time.monotonic() + 30
        while not (ground / "waiting").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGINT)
        said = child.communicate(timeout=30)[0]

    assert child.returncode == ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in said
    assert "no tests ran in" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("ends", "code"), [(0, ExitCode.DONE), (1, ExitCode.SAID_NO), (100, ExitCode.CANNOT_TELL)]
)
def test_as_ci_does_is_what_ci_runs(tmp_path: Path, ends: int, code: ExitCode) -> None:
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" >said\nexit {ends}\n')
    script.chmod(0o755)
    assert testing.as_ci_does(tmp_path, ("-k", "one"), True) is code
    assert (tmp_path / "said").read_text() == "--fast -k one\n"
