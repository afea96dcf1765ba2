"""Real child processes: their limits, their end, and what they may leave behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.adapters.isolation.bubblewrap import bubblewrap
from pipelines.adapters.isolation.enclosure import Enclosure
from pipelines.adapters.isolation.weak import Weak
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


@pytest.fixture(params=["weak", pytest.param("full", marks=pytest.mark.needs("bubblewrap"))])
def enclosure(request: pytest.FixtureRequest) -> Enclosure:
    """What a child runs in."""
    return Weak() if request.param == "weak" else bubblewrap()


@pytest.fixture
def run_code(tmp_path: Path, enclosure: Enclosure) -> RunCode:
    """Run Python text as a child."""

    def run(code: str, **limits: float) -> Ended:
        return Processes(tmp_path, enclosure).run(_job(code, **limits))

    return run


def test_a_child_finds_its_request_and_its_reply_comes_back(run_code: RunCode) -> None:
    write = "os.write(int(os.environ['SLUICE_REPLY']), open('request.json', 'rb').read())"
    ended = run_code(f"import os; {write}; print('done')")
    assert ended.reply == b'{"said":"hello"}'
    assert (ended.killed, ended.exit_code, ended.output) == ("", 0, "done\n")


def test_a_long_reply_comes_back_whole(run_code: RunCode) -> None:
    code = "import os; out = os.fdopen(int(os.environ['SLUICE_REPLY']), 'wb'); out.write(b'x' * {})"
    assert run_code(code.format(3 << 20)).reply == b"x" * (3 << 20)


def test_an_endless_reply_is_ended(run_code: RunCode) -> None:
    code = "import os\nwhile True: os.write(int(os.environ['SLUICE_REPLY']), b'x' * 65536)"
    assert run_code(code).killed == "output"


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
        ended = run_code(
            """
            import os
            for number in range(256):
                try: os.fstat(number)
                except OSError: continue
                print(number if number != int(os.environ["SLUICE_REPLY"]) else "reply")
            """
        )
    # One more is the file that holds the program: Python has it open while it runs it.
    assert ended.output.split() == ["0", "1", "2", "reply"]


EATS = """
    eaten = []
    for _ in range(200):
        eaten.append(b"x" * (1 << 20))
    import time; time.sleep(10)
"""
EATS_IN_FORKS = """
    import os, time
    for _ in range(5):
        if os.fork() == 0:
            eaten = b"x" * (100 << 20)
            break
    time.sleep(10)
"""
FORKS = """
    import os, time
    for _ in range(30):
        if os.fork() == 0:
            break
    time.sleep(10)
"""


@pytest.mark.parametrize(
    ("code", "limits", "reason"),
    [
        ("while True: pass", {"wall_seconds": 0.5}, "wall time"),
        ("import time; time.sleep(60)", {"wall_seconds": 0.5}, "wall time"),
        ("while True: print('x' * 1000)", {"output_kb": 64}, "output"),
        ("while True: pass", {"cpu_seconds": 1}, "CPU time"),
        (EATS, {"memory_mb": 128}, "memory"),
        (EATS_IN_FORKS, {"memory_mb": 400}, "memory"),
        (FORKS, {"processes": 16}, "processes"),
    ],
)
def test_a_broken_limit_ends_the_child_and_is_named(
    run_code: RunCode, code: str, limits: dict[str, float], reason: str
) -> None:
    assert run_code(code, **limits).killed == reason


def test_more_memory_than_there_may_be_is_refused_at_once(run_code: RunCode) -> None:
    ended = run_code("x = bytearray(2 << 30); print('had', 'it')", memory_mb=512)
    assert "had it" not in ended.output
    assert "MemoryError" in ended.output


def test_forks_that_share_memory_count_it_once(run_code: RunCode) -> None:
    code = """
        import os, time
        shared = b"x" * (100 << 20)
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(1)
                os._exit(0)
        time.sleep(1)
        print("shared")
        """
    assert run_code(code, memory_mb=300).output == "shared\n"


def test_a_file_cannot_grow_beyond_its_limit(run_code: RunCode) -> None:
    code = "open('big', 'wb').write(b'x' * (4 << 20)); print('wrote', 'it')"
    assert "wrote it" not in run_code(code, disk_mb=1).output


def test_grandchildren_end_with_the_child(run_code: RunCode) -> None:
    ended = run_code(
        """
        import os, time
        if os.fork() == 0:
            os.execv("/usr/bin/sleep", ["sleep", "61.25"])
        time.sleep(0.2)
        """
    )
    assert ended.exit_code == 0
    assert _gone("61.25")


def test_a_child_that_dies_leaves_no_reply(run_code: RunCode) -> None:
    ended = run_code("import os; os.abort()")
    assert ended.reply is None
    assert ended.exit_code != 0


def test_a_file_is_no_reply(run_code: RunCode) -> None:
    assert run_code("open('reply.json', 'w').write('{}')").reply is None


def test_inputs_appear_under_the_names_they_were_given(
    tmp_path: Path, enclosure: Enclosure
) -> None:
    source = tmp_path / "candles.feather"
    source.write_bytes(b"candles")
    source.chmod(0o600)
    job = _job("print(open('candles/BTC.feather').read())")
    job = Job(job.module, job.request, job.arguments, job.files, {"candles/BTC.feather": source})
    assert Processes(tmp_path, enclosure).run(job).output == "candles\n"


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
        Processes(tmp_path, Weak()).run(_job("pass"))


def test_an_interrupted_run_leaves_no_process_and_no_folder(
    tmp_path: Path, enclosure: Enclosure
) -> None:
    parent = _start_sleeper(tmp_path, enclosure)
    parent.send_signal(signal.SIGINT)
    parent.wait(10)
    assert _gone(str(tmp_path))
    assert list((tmp_path / "work").iterdir()) == []


def test_children_end_even_when_we_are_killed(tmp_path: Path, enclosure: Enclosure) -> None:
    parent = _start_sleeper(tmp_path, enclosure)
    parent.kill()
    parent.wait(10)
    assert _gone(str(tmp_path))


SLEEPER = """
import sys
from pathlib import Path
from pipelines.adapters.isolation.bubblewrap import bubblewrap
from pipelines.adapters.isolation.weak import Weak
from pipelines.adapters.processes import Processes
from pipelines.domain.child import Job
from pipelines.domain.document import Document
class Word(Document):
    said: str = "hello"
code = '''
import time
from pipelines.backtesting import replies
replies.die_with_parent()
print("ready")
time.sleep(60)
'''
home = Path(sys.argv[1])
enclosure = Weak() if sys.argv[2] == "weak" else bubblewrap()
# The home stands among the words, so that the child can be found by it.
Processes(home, enclosure).run(
    Job("cProfile", Word(), ("-o", str(home), "child.py"), {"child.py": code.encode()})
)
"""


def _start_sleeper(home: Path, enclosure: Enclosure) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", SLEEPER, str(home), str(enclosure.isolation)]
    parent = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not _running(str(home)) and time.monotonic() < deadline:
        time.sleep(0.02)
    # Long enough for it to have asked to die with us.
    time.sleep(1)
    assert _running(str(home))
    return parent


def _running(word: str) -> list[str]:
    """The command lines of children, and of what stands around them, that hold a word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode().split("\0")
            if word in words and SLEEPER not in words:
                found.append(" ".join(words))
    return found


def _gone(word: str) -> bool:
    deadline = time.monotonic() + 10
    while _running(word) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _running(word)


def test_jobs_of_several_threads_are_stopped_together(tmp_path: Path, enclosure: Enclosure) -> None:
    shell = Processes(tmp_path, enclosure)
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [pool.submit(shell.run, _job("import time; time.sleep(60)")) for _ in range(2)]
        while len(list(tmp_path.glob("work/*/in/request.json"))) < 2:
            time.sleep(0.02)
        shell.stop()
        assert [each.result().killed for each in running] == ["interrupted"] * 2
    assert list((tmp_path / "work").iterdir()) == []
