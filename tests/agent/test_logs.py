"""What bots print, in files of a limited size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.adapters.redaction import Redactor
from pipelines.domain.secret import Secret
from runner.bots.logs import Rotating, poured

PRINTING = """
import os, sys
from pathlib import Path
from pipelines.adapters.redaction import Redactor
from pipelines.domain.secret import Secret
from runner.bots.logs import Pump, Rotating

largest = int(sys.argv[2])
pump = Pump(Rotating(Path(sys.argv[1]), largest), Redactor([Secret("correct-horse")]).stream())
exec(sys.stdin.read())
pump.close()
os._exit(0)
"""


def printed(log: Path, program: str, largest: int = 1 << 20) -> str:
    """What stands in a bot's log after it ran this program."""
    argv = [sys.executable, "-c", PRINTING, str(log), str(largest)]
    ended = subprocess.run(
        argv, input=program, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    return log.read_text() if log.is_file() else ""


def test_a_full_file_is_numbered_and_only_so_many_are_kept(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "bot" / "log", largest=10, kept=2)
    for number in range(5):
        log.write(f"line {number}....\n".encode())
    log.close()

    left = {path.name: path.read_text() for path in (tmp_path / "bot").iterdir()}
    assert left == {"log": "line 4....\n", "log.1": "line 3....\n", "log.2": "line 2....\n"}


def test_a_bot_that_is_started_again_goes_on_in_its_file(tmp_path: Path) -> None:
    for line in (b"one\n", b"two\n", b"three\n"):
        log = Rotating(tmp_path / "log", largest=8, kept=1)
        log.write(line)
        log.close()

    assert (tmp_path / "log").read_text() == "three\n"
    assert (tmp_path / "log.1").read_text() == "one\ntwo\n"


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "log")
    log.write(b"x")
    log.close()

    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_loses_lines_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        (tmp_path / "log").write_text("it really is full")
    log = Rotating(tmp_path / "log")
    log.write(b"lost\n")

    (tmp_path / "log").unlink()
    log.write(b"there is room again\n")
    log.close()

    assert (tmp_path / "log").read_text() == "there is room again\n"


def test_everything_that_a_bot_prints_stands_in_its_log(tmp_path: Path) -> None:
    said = printed(
        tmp_path / "log",
        "print('by print', flush=True)\n"
        "os.write(2, b'by a descriptor\\n')\n"
        "os.system('echo by a child')\n",
    )
    assert said.splitlines() == ["by print", "by a descriptor", "by a child"]


def test_a_secret_that_is_cut_in_two_is_not_in_the_log(tmp_path: Path) -> None:
    said = printed(
        tmp_path / "log",
        "import time\n"
        "for part in (b'the key is correct-', b'horse\\n', b'that was it\\n'):\n"
        "    os.write(1, part)\n"
        "    time.sleep(0.2)\n",
    )
    assert "correct" not in said
    assert "horse" not in said
    assert said.endswith("that was it\n")


def test_a_flood_of_lines_fills_no_disk(tmp_path: Path) -> None:
    flood = "for _ in range(3000): os.write(1, b'x' * 1000 + b'\\n')\n"
    printed(tmp_path / "log", flood, largest=100_000)

    sizes = [path.stat().st_size for path in tmp_path.glob("log*")]
    assert len(sizes) == 6
    assert sum(sizes) < 1_200_000


def test_a_bot_goes_on_while_its_log_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    assert printed(tmp_path / "log", "print('x' * 200_000, flush=True)\n") == ""


def test_what_comes_out_of_a_pipe_is_written_down_without_secrets(tmp_path: Path) -> None:
    """Also those that were learnt after it began."""
    reading, writing = os.pipe()
    hidden = Redactor()
    thread = poured(reading, Rotating(tmp_path / "log"), hidden.stream())
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(b"before correct-")
        hidden.know([Secret("correct-horse")])
        pipe.write(b"horse after\n")
    thread.join(10)

    assert (tmp_path / "log").read_text() == "before [redacted] after\n"
