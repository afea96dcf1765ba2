from dataclasses import replace

from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.reports.headline import MOST_CHARACTERS, headline
from pipelines.reports.model import StrategyReport


def _report(*verdicts: Verdict) -> StrategyReport:
    return StrategyReport("x", "", verdicts, None, None)


def _missed(window: str, figure: str, asked: str, actual: str) -> Finding:
    return Finding(what=f"{window}: {figure}", expected=asked, actual=actual)


OUT = "out_of_sample"
FINDINGS = (
    _missed("whole", "drawdown", "at most 0.3", "0.312"),
    _missed(OUT, "profit", "at least 0.02", "-0.178"),
    _missed(OUT, "sharpe", "at least 0.3", "-1.18"),
    _missed(OUT, "profit factor", "at least 1.1", "not measured"),
)


def test_names_the_thresholds_that_were_missed_by_window() -> None:
    verdict = Verdict(check="backtest", status=Status.FAILED, findings=FINDINGS)
    assert headline(_report(verdict)) == (
        "backtest: 4 thresholds missed; whole: drawdown 31.2 % (asked ≤ 30 %); "
        "out of sample: profit -17.8 % (asked ≥ 2 %), Sharpe -1.18 (asked ≥ 0.3), and 1 more"
    )


def test_counts_what_was_asked_where_that_is_known(failed: StrategyReport) -> None:
    assert headline(failed).startswith("backtest: 3 of 5 thresholds missed; whole: drawdown")


def test_what_was_not_measured_is_said() -> None:
    verdict = Verdict(check="backtest", status=Status.FAILED, findings=FINDINGS[3:])
    assert headline(_report(verdict)) == (
        "backtest: 1 threshold missed; out of sample: profit factor not measured (asked ≥ 1.1)"
    )


def test_other_findings_come_before_thresholds() -> None:
    untrue = Finding(what="whole: cash", expected="never below 0", actual="-5")
    verdict = Verdict(check="backtest", status=Status.FAILED, findings=(*FINDINGS, untrue))
    assert headline(_report(verdict)) == (
        "backtest: whole: cash: expected never below 0, got -5, and 4 more"
    )


def test_a_no_comes_before_a_do_not_know() -> None:
    unknown = Verdict(check="lint", status=Status.ERRORED, findings=(Finding(what="ruff is gone"),))
    no = Verdict(check="bias", status=Status.FAILED, findings=(Finding(what="reads ahead"),))
    assert headline(_report(unknown, no)) == "bias: reads ahead"
    assert headline(_report(unknown)) == "lint could not tell: ruff is gone"
    assert headline(_report(no, replace_check(no, "unit"), replace_check(no, "lint"))) == (
        "bias: reads ahead; unit: reads ahead; and 1 more check"
    )


def replace_check(verdict: Verdict, name: str) -> Verdict:
    return verdict.model_copy(update={"check": name})


def test_a_verdict_without_findings_says_what_it_can() -> None:
    assert headline(_report(Verdict(check="bias", status=Status.FAILED))) == "bias said no"
    unknown = Verdict(check="bias", status=Status.ERRORED)
    assert headline(_report(unknown)) == "bias could not tell"
    assert headline(_report()) == "nothing ran"


def test_a_pass_is_one(passed: StrategyReport) -> None:
    assert headline(passed) == "1 check passed"
    skipped = Verdict(check="unit", status=Status.SKIPPED)
    assert headline(replace(passed, verdicts=(skipped,))) == "unit did not run"


def test_is_one_bounded_line_whatever_a_strategy_says(hostile: StrategyReport) -> None:
    attack = hostile.verdicts[2].findings[0]
    verdict = Verdict(check=attack.what, status=Status.FAILED, findings=(attack,) * 3)
    said = headline(_report(verdict, verdict, verdict))
    assert said.isprintable()
    assert len(said) <= MOST_CHARACTERS + 20
