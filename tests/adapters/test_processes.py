"""Real child processes: their limits, their end, and what they may leave behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.adapters.processes import Processes
from pipelines.domain.child import Ended, Job, Limits
from pipelines.domain.document import Document
from pipelines.errors import CannotTell


class Word(Document):
    said: str = "hello"


RunCode = Callable[..., Ended]


def _job(code: str, **limits: float) -> Job:
    # cProfile runs a script by its path: the shortest way to run any code as a module's job.
    return Job(
        module="cProfile",
        arguments=("-o", "profile", "child.py"),
        request=Word(),
        files={"child.py": textwrap.dedent(code).encode()},
        limits=Limits(**limits),  # type: ignore[arg-type]
    )


@pytest.fixture
def run_code(tmp_path: Path) -> RunCode:
    """Run Python text as a child."""

    def run(code: str, **limits: float) -> Ended:
        return Processes(tmp_path).run(_job(code, **limits))

    return run


def test_a_child_finds_its_request_and_its_reply_comes_back(run_code: RunCode) -> None:
    ended = run_code("import shutil; shutil.copy('request.json', 'reply.json'); print('done')")
    assert ended.reply == b'{"said":"hello"}'
    assert (ended.killed, ended.exit_code, ended.output) == ("", 0, "done\n")


def test_the_environment_is_empty_but_for_what_python_needs(
    run_code: RunCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_SECRET", "hunter2")
    ended = run_code("import os; print(sorted(os.environ))")
    assert "EXCHANGE_SECRET" not in ended.output
    assert "PATH" not in ended.output


def test_inherited_descriptors_are_closed(run_code: RunCode, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        ended = run_code("import os; print([os.readlink(f'/proc/self/fd/{n}') for n in range(3)])")
        listed = run_code(
            "import os\n"
            "for n in os.listdir('/proc/self/fd'):\n"
            "    try: print(os.readlink(f'/proc/self/fd/{n}'))\n"
            "    except OSError: pass"
        )
    assert "/dev/null" in ended.output
    assert "secret" not in listed.output


@pytest.mark.parametrize(
    ("code", "limits", "reason"),
    [
        ("while True: pass", {"wall_seconds": 0.5}, "wall time"),
        ("import time; time.sleep(60)", {"wall_seconds": 0.5}, "wall time"),
        ("while True: print('x' * 1000)", {"output_kb": 64}, "output"),
        ("while True: pass", {"cpu_seconds": 1}, "CPU time"),
    ],
)
def test_a_broken_limit_ends_the_child_and_is_named(
    run_code: RunCode, code: str, limits: dict[str, float], reason: str
) -> None:
    assert run_code(code, **limits).killed == reason


def test_memory_is_limited(run_code: RunCode) -> None:
    ended = run_code("x = bytearray(1 << 30); print('had', 'it')", memory_mb=512)
    assert "had it" not in ended.output
    assert "MemoryError" in ended.output


def test_a_file_cannot_grow_beyond_its_limit(run_code: RunCode) -> None:
    code = "open('big', 'wb').write(b'x' * (4 << 20)); print('wrote', 'it')"
    assert "wrote it" not in run_code(code, file_mb=1).output


def test_grandchildren_end_with_the_child(run_code: RunCode) -> None:
    ended = run_code(
        """
        import os, time
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
        print(pid, flush=True)
        os._exit(0)
        """
    )
    assert _gone(int(ended.output))


def test_a_child_that_dies_leaves_no_reply(run_code: RunCode) -> None:
    ended = run_code("import os; os.abort()")
    assert ended.reply is None
    assert ended.exit_code == -signal.SIGABRT


def test_a_linked_reply_is_no_reply(run_code: RunCode, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    assert run_code(f"import os; os.symlink({str(secret)!r}, 'reply.json')").reply is None


def test_inputs_appear_under_the_names_they_were_given(tmp_path: Path) -> None:
    source = tmp_path / "candles.feather"
    source.write_bytes(b"candles")
    job = _job("print(open('candles/BTC.feather').read())")
    job = Job(job.module, job.request, job.arguments, job.files, {"candles/BTC.feather": source})
    assert Processes(tmp_path).run(job).output == "candles\n"


def test_only_the_tail_of_the_output_is_kept(run_code: RunCode) -> None:
    ended = run_code("print('a' * 20000); print('the end')")
    assert len(ended.output) <= 8192
    assert ended.output.endswith("the end\n")


def test_nothing_is_left_of_a_run(run_code: RunCode, tmp_path: Path) -> None:
    run_code("open('left', 'w').write('x')")
    assert list((tmp_path / "work").iterdir()) == []


def test_a_folder_of_a_killed_run_is_swept_by_the_next(tmp_path: Path, run_code: RunCode) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    left = tmp_path / "work" / f"{child.pid}-abc"
    left.mkdir(parents=True)
    run_code("pass")
    assert not left.exists()


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file, not a folder")
    with pytest.raises(CannotTell, match="cannot be written"):
        Processes(tmp_path).run(_job("pass"))


def test_an_interrupted_run_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    parent = _start_sleeper(tmp_path)
    child = _sleeping_child(tmp_path)
    parent.send_signal(signal.SIGINT)
    parent.wait(10)
    assert _gone(child)
    assert list((tmp_path / "work").iterdir()) == []


def test_children_that_ask_for_it_end_even_when_we_are_killed(tmp_path: Path) -> None:
    parent = _start_sleeper(tmp_path)
    child = _sleeping_child(tmp_path)
    parent.kill()
    parent.wait(10)
    assert _gone(child)


SLEEPER = """
import sys
from pathlib import Path
from pipelines.adapters.processes import Processes
from pipelines.domain.child import Job
from pipelines.domain.document import Document
class Word(Document):
    said: str = "hello"
code = '''
import os, sys, time
from pipelines.backtesting import replies
replies.die_with_parent()
open("pid.tmp", "w").write(str(os.getpid()))
os.rename("pid.tmp", "pid")
time.sleep(60)
'''
Processes(Path(sys.argv[1])).run(
    Job("cProfile", Word(), ("child.py",), {"child.py": code.encode()})
)
"""


def _start_sleeper(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SLEEPER, str(home)], stderr=subprocess.DEVNULL)


def _sleeping_child(home: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for pid in home.glob("work/*/in/pid"):
            return int(pid.read_text())
        time.sleep(0.02)
    raise AssertionError("the child never started")


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat")
        # A zombie has ended; only its parent has not asked yet.
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_jobs_of_several_threads_are_stopped_together(tmp_path: Path) -> None:
    shell = Processes(tmp_path)
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [pool.submit(shell.run, _job("import time; time.sleep(60)")) for _ in range(2)]
        while sum(1 for _ in tmp_path.glob("work/*/output")) < 2:
            time.sleep(0.02)
        shell.stop()
        assert [each.result().killed for each in running] == ["interrupted"] * 2
    assert list((tmp_path / "work").iterdir()) == []
