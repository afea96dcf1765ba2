"""The check `unit`: the plugin's own tests, and the behaviours that every strategy must show.

Both run in a child process. Its answer is checked against a schema and held against our own list
of behaviours, so that nothing passes by being left out.
"""

from decimal import Decimal

from pydantic import ValidationError

from pipelines.checks.workbench import Shelf, Subject, Workbench
from pipelines.domain.child import Ended, Job, Limits
from pipelines.domain.strategy import Strategy
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.freqtrade.config import CANDLES, STRATEGIES, candle_file
from pipelines.freqtrade.messages import Limit
from pipelines.freqtrade.unit_messages import (
    BEHAVIOURS,
    SessionReply,
    UnitReply,
    UnitRequest,
    UnitTest,
)

NAME = "unit"

LIMITS = Limits(wall_seconds=180, cpu_seconds=360)

RECORDED_PAIRS = 2
"""How many pairs lend their candles: more would take longer and hardly show more."""

MAX_REPLY = 4 * 1024 * 1024
"""Bytes. A longer answer is none of our child's."""


def run(subject: Subject, bench: Workbench) -> Verdict:
    """Run the tests in a child and say what they showed.

    :raises BadInput: when there are no candles for the strategy's pairs.
    """
    ended = bench.shell.run(job(subject.strategy, bench.shelf))
    reply = _answer(ended)
    if isinstance(reply, Verdict):
        return reply
    if reply.behaviours and reply.behaviours.seconds is not None:
        bench.progress.say(f"{NAME}: {reply.behaviours.seconds:.3f} s per 1000 candles")
    return judge(reply)


def job(strategy: Strategy, shelf: Shelf) -> Job:
    """The child's work: the plugin's files, and the candles of its first pairs."""
    manifest = strategy.manifest
    pairs = (*manifest.pairs[:RECORDED_PAIRS], *manifest.informative_pairs)
    return Job(
        module="pipelines.backtesting.unit",
        request=UnitRequest(name=strategy.name, manifest=manifest),
        files={
            f"{STRATEGIES}/{file.path}": file.content
            for file in (*strategy.files, *strategy.shared)
        },
        inputs={
            f"{CANDLES}/{candle_file(pair, timeframe)}": shelf.path(pair, timeframe)
            for pair in pairs
            for timeframe in manifest.timeframes
        },
        limits=LIMITS,
    )


def judge(reply: UnitReply) -> Verdict:
    """What an answer is worth: every test and every behaviour passed, or a finding each."""
    behaviours, own = reply.behaviours, reply.own
    broken = tuple(_broke(limit) for limit in _limits(behaviours, own))
    if behaviours and behaviours.error:
        return _verdict(Status.FAILED, *broken, _unloadable(behaviours.error))
    lost = _lost(behaviours, own)
    findings = (*broken, *_behaviour_findings(behaviours), *_own_findings(own))
    # A no that was heard stands, even where something else was not answered.
    status = Status.FAILED if findings else Status.ERRORED if lost else Status.PASSED
    return _verdict(status, *findings, *lost, measurements=_measurements(behaviours, own))


def _limits(*sessions: SessionReply | None) -> tuple[Limit, ...]:
    return tuple(dict.fromkeys(s.limit for s in sessions if s is not None and s.limit))


def _answer(ended: Ended) -> UnitReply | Verdict:
    if ended.killed:
        return _verdict(Status.FAILED, _broke(ended.killed))
    if ended.reply is None:
        return _verdict(Status.ERRORED, _silent(ended))
    if len(ended.reply) > MAX_REPLY:
        return _verdict(Status.ERRORED, _strange(f"{len(ended.reply)} bytes"))
    try:
        return UnitReply.model_validate_json(ended.reply)
    except ValidationError as error:
        return _verdict(Status.ERRORED, _strange(f"{error.error_count()} faults in its form"))


def _behaviour_findings(session: SessionReply | None) -> tuple[Finding, ...]:
    tests = session.tests if session else ()
    return tuple(
        Finding(
            what=f"behaviour: {BEHAVIOURS[name].says}",
            expected=BEHAVIOURS[name].expected,
            actual=_seen(test),
            hint=BEHAVIOURS[name].hint,
        )
        for test in tests
        if test.ending != "passed" and (name := _behaviour(test)) in BEHAVIOURS
    )


def _own_findings(session: SessionReply | None) -> tuple[Finding, ...]:
    if session is None:
        return ()
    if not session.tests:
        return () if session.limit else (_NO_TESTS,)
    findings = tuple(_own_finding(test) for test in session.tests if test.ending != "passed")
    return (*findings, _too_many(session.more_tests)) if session.more_tests else findings


def _own_finding(test: UnitTest) -> Finding:
    return Finding(
        what=test.name,
        expected="passes",
        actual=_seen(test),
        hint=_HINTS.get(test.ending, "run 'pytest' on the plugin's folder to see the whole of it"),
    )


_HINTS = {
    "skipped": "a test that does not run shows nothing: let it run or take it out",
    "xfailed": "a test that is expected to fail shows nothing: mend what it shows or take it out",
    "xpassed": "take the xfail mark off, the test passes",
    "not run": "something ended the whole run of tests: look for pytest.exit and os._exit",
}


def _seen(test: UnitTest) -> str:
    if test.ending in ("failed", "error") and test.reason:
        return test.reason
    return f"{test.ending}: {test.reason}" if test.reason else test.ending


def _lost(behaviours: SessionReply | None, own: SessionReply | None) -> tuple[Finding, ...]:
    answered = {_behaviour(test) for test in behaviours.tests} if behaviours else set()
    lost = [f"behaviour: {b.says}" for name, b in BEHAVIOURS.items() if name not in answered]
    if own is None:
        lost.append("the plugin's own tests")
    return tuple(
        Finding(
            what=what,
            expected="an answer",
            actual="none",
            hint="the process that ran it ended early: look for os._exit or a crash in native code",
        )
        for what in lost
    )


def _behaviour(test: UnitTest) -> str:
    return test.name.rpartition("::")[2]


def _measurements(behaviours: SessionReply | None, own: SessionReply | None) -> dict[str, Decimal]:
    found = {"behaviours": Decimal(_passed(behaviours)), "tests": Decimal(_passed(own))}
    if behaviours and behaviours.start_up is not None:
        found["start_up"] = Decimal(behaviours.start_up)
    return found


def _passed(session: SessionReply | None) -> int:
    return sum(test.ending == "passed" for test in session.tests) if session else 0


def _verdict(
    status: Status, *findings: Finding, measurements: dict[str, Decimal] | None = None
) -> Verdict:
    return Verdict(check=NAME, status=status, findings=findings, measurements=measurements or {})


_NO_TESTS = Finding(
    what="no tests: there is no test in the plugin's folder",
    expected="at least one test in test_*.py",
    actual="0 tests",
    hint="see 'sluice docs unit' for fixtures that make a first test three lines long",
)


def _unloadable(error: str) -> Finding:
    return Finding(
        what="strategy.py",
        expected="freqtrade can load the strategy",
        actual=error,
        hint="run 'freqtrade list-strategies' with --strategy-path on the plugin's folder",
    )


def _too_many(more: int) -> Finding:
    return Finding(
        what="test_*.py",
        expected="at most 1000 tests",
        actual=f"{1000 + more} tests",
        hint="parametrize over fewer cases",
    )


def _broke(limit: str) -> Finding:
    allowed = {
        "wall time": f"at most {LIMITS.wall_seconds:.0f} s",
        "CPU time": f"at most {LIMITS.cpu_seconds} s",
        "memory": f"at most {LIMITS.memory_mb} MB",
        "processes": f"at most {LIMITS.processes}",
        "disk": f"at most {LIMITS.disk_mb} MB",
        "output": f"at most {LIMITS.output_kb} kB",
    }
    return Finding(
        what=f"limit: {limit}",
        expected=allowed.get(limit, "within its limits"),
        actual="its tests were stopped",
        hint="look for a loop without end, or for something that grows with every candle",
    )


def _silent(ended: Ended) -> Finding:
    return Finding(
        what="the tests' process",
        expected="an answer",
        actual=f"none (exit code {ended.exit_code}): {ended.output[-1000:]}".strip(),
        hint="try again; if it stays so, the strategy ends the process or freqtrade cannot start",
    )


def _strange(seen: str) -> Finding:
    return Finding(
        what="the tests' process",
        expected="an answer in the agreed form",
        actual=seen,
        hint="something other than our child wrote it: read the plugin's code",
    )
