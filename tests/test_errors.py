"""The error tree: one exit code for every cause, and messages that lead on."""

import pytest

from pipelines import errors
from pipelines.errors import BadInput, ExitCode, Problem, Problems, SluiceError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, SluiceError)
]


def test_exit_codes_are_unique() -> None:
    assert len(ExitCode.__members__) == len({int(code) for code in ExitCode.__members__.values()})


def test_exit_codes_keep_their_contract() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 130]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_ours_and_has_a_code_that_is_no_success(kind: type[SluiceError]) -> None:
    assert issubclass(kind, SluiceError)
    assert kind.code in set(ExitCode) - {ExitCode.DONE}


def test_every_cause_of_giving_up_has_an_error() -> None:
    told = {kind.code for kind in KINDS}
    # A no is a verdict, not an error.
    assert set(ExitCode) - told == {ExitCode.DONE, ExitCode.SAID_NO}


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (Problem("a.yaml", "is missing"), "a.yaml: is missing"),
        (Problem("a.yaml", "is missing", key="fee"), "a.yaml: fee: is missing"),
        (Problem("a.yaml", "is missing", key="fee", line=3), "a.yaml:3: fee: is missing"),
        (Problem("a.yaml", "is no YAML", line=3), "a.yaml:3: is no YAML"),
    ],
)
def test_a_problem_names_file_line_and_key_first(problem: Problem, message: str) -> None:
    assert str(problem) == problem.message == message


def test_several_problems_are_told_at_once() -> None:
    first = Problem("a.yaml", "is missing", key="fee", hint="see 'sluice docs environment'")
    told = Problems((first, Problem("a.yaml", "is missing", key="mode")))

    assert told.message == "a.yaml: fee: is missing\na.yaml: mode: is missing"
    assert told.hint == "see 'sluice docs environment'"
    assert told.code is ExitCode.BAD_INPUT


def test_each_problem_is_told_with_its_own_hint_and_neighbours_share_one() -> None:
    problems = [Problem("a.yaml", what, hint=hint) for what, hint in ("1x", "2x", "3y")]
    assert list(Problems(tuple(problems)).told()) == [
        ("a.yaml: 1\na.yaml: 2", "x"),
        ("a.yaml: 3", "y"),
    ]
    assert list(BadInput("no", "say yes").told()) == [("no", "say yes")]


def test_an_error_keeps_its_hint() -> None:
    assert BadInput("no", "say yes").hint == "say yes"
    assert BadInput("no").hint == ""
