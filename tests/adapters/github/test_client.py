"""Asking GitHub, against a server that answers as GitHub does, and goes wrong as GitHub does."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipelines.adapters.github import token
from pipelines.adapters.github.client import Denied, GitHub, Limited, NoAnswer, Rejected, opened
from pipelines.adapters.github.limits import asked_to_wait
from pipelines.domain.secret import Secret
from pipelines.errors import BadInput, CannotTell, ExitCode
from tests.github_api.server import MOST_A_PAGE, TOKEN, Fault, Hub, running

REPO = "/repos/octo/train"
WORKFLOW = f"{REPO}/actions/permissions/workflow"
READS = {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
LABEL = {"name": "one", "color": "ffffff"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running() as hub:
        yield hub


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def github(hub: Hub, slept: list[float]) -> Iterator[GitHub]:
    with opened(hub.url, Secret(TOKEN), sleep=slept.append) as github:
        yield github


def test_a_list_is_read_over_all_of_its_pages(hub: Hub, github: GitHub) -> None:
    count = 2 * MOST_A_PAGE + 1
    for number in range(count):
        hub.state.add_label({"name": f"label {number}", "color": "ffffff"})

    names = [each["name"] for each in github.every(f"{REPO}/labels")]

    assert names == [f"label {number}" for number in range(count)]
    assert len(hub.asked) == 3


def test_a_page_on_another_server_is_not_asked_for(hub: Hub, github: GitHub) -> None:
    hub.faults.append(Fault("foreign-page"))
    with pytest.raises(CannotTell, match="another server"):
        list(github.every(f"{REPO}/labels"))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("limit", 5, 8),
        ("limit-429", 5, 8),
        ("secondary", 9, 9),
        ("secondary-unsaid", 60, 60),
    ],
)
def test_a_limit_is_waited_for_as_long_as_github_says(
    hub: Hub, github: GitHub, slept: list[float], kind: str, least: int, most: int, method: str
) -> None:
    hub.faults.append(Fault(kind))
    github.ask(method, f"{REPO}/labels", LABEL if method == "POST" else None)
    assert len(slept) == 1
    assert least <= slept[0] <= most
    assert [each["name"] for each in hub.state.labels] == (["one"] if method == "POST" else [])


def test_nobody_waits_for_longer_than_his_patience(hub: Hub, slept: list[float]) -> None:
    hub.faults.append(Fault("secondary", times=9))
    with (
        opened(hub.url, Secret(TOKEN), patience=20, sleep=slept.append) as github,
        pytest.raises(Limited, match="left alone for 9 seconds"),
    ):
        github.get(REPO)
    assert slept == [9, 9]


def test_a_refusal_is_no_limit(hub: Hub, github: GitHub, slept: list[float]) -> None:
    hub.faults.append(Fault("forbidden"))
    with pytest.raises(Denied, match="Resource not accessible"):
        github.get(REPO)
    assert slept == []


@pytest.mark.parametrize("kind", ["broken", "drop", "vanish"])
def test_what_can_be_done_twice_is_tried_again(
    hub: Hub, github: GitHub, slept: list[float], kind: str
) -> None:
    hub.faults.append(Fault(kind, times=2))
    github.send("PUT", WORKFLOW, READS)
    assert hub.state.token == READS
    assert slept == [1, 2]


@pytest.mark.parametrize("kind", ["broken", "drop", "vanish"])
def test_what_cannot_be_done_twice_is_tried_once(
    hub: Hub, github: GitHub, slept: list[float], kind: str
) -> None:
    hub.faults.append(Fault(kind))
    with pytest.raises(NoAnswer) as caught:
        github.send("POST", f"{REPO}/labels", LABEL)
    assert caught.value.hint == "it may have been done all the same: apply again"
    assert (len(hub.asked), slept) == (1, [])


def test_who_never_answers_is_given_up(hub: Hub, github: GitHub, slept: list[float]) -> None:
    hub.faults.append(Fault("broken", times=99))
    with pytest.raises(NoAnswer, match="502"):
        github.get(REPO)
    assert slept == [1, 2]


def test_a_slow_answer_is_no_answer(hub: Hub) -> None:
    hub.faults.append(Fault("slow", times=3))
    with (
        opened(hub.url, Secret(TOKEN), seconds=0.05, sleep=lambda _: None) as github,
        pytest.raises(NoAnswer, match="ReadTimeout"),
    ):
        github.get(REPO)


def test_a_repository_that_moved_is_not_followed(hub: Hub, github: GitHub) -> None:
    hub.faults.append(Fault("moved"))
    with pytest.raises(CannotTell, match="has moved"):
        github.get(REPO)
    assert len(hub.asked) == 1


def test_the_page_of_a_proxy_is_no_answer(hub: Hub, github: GitHub) -> None:
    hub.faults.append(Fault("page"))
    with pytest.raises(CannotTell, match="is no JSON"):
        github.get(REPO)


def test_a_wrong_token_is_told_as_that(hub: Hub) -> None:
    with opened(hub.url, Secret("ghp_wrong")) as github, pytest.raises(Denied) as caught:
        github.get(REPO)
    assert (caught.value.status, caught.value.code) == (401, ExitCode.CANNOT_TELL)
    assert caught.value.hint == "the token is wrong, or has expired"


def test_an_unknown_key_is_refused_and_why_is_told(github: GitHub) -> None:
    with pytest.raises(Rejected, match=r"422: Invalid request\.; Additional properties"):
        github.send("PUT", f"{REPO}/environments/prod", {"wait_timers": 1})


def test_github_telling_the_token_is_not_repeated(hub: Hub, github: GitHub) -> None:
    hub.faults.append(Fault("echo"))
    with pytest.raises(Rejected) as caught:
        github.send("PUT", WORKFLOW, READS)
    assert "[redacted]" in caught.value.message
    assert TOKEN not in caught.value.message


@pytest.mark.parametrize(
    "api",
    [
        "http://github.example/api/v3",
        "http://127.0.0.1.github.example",
        "https://someone@github.example",
        "https://github.example/",
        "ftp://127.0.0.1",
        "api.github.com",
    ],
)
def test_a_token_never_goes_an_open_way(api: str) -> None:
    with pytest.raises(BadInput), opened(api, Secret(TOKEN)):
        raise AssertionError(api)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in token.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_token_is_the_file_s_then_gh_s_then_the_workflow_s(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="there is no token"):
        token.found(None)
    bare.setenv("GITHUB_TOKEN", "token-of-workflow")
    assert token.found(None).reveal() == "token-of-workflow"
    bare.setenv("GH_TOKEN", "token-of-gh")
    assert token.found(None).reveal() == "token-of-gh"
    file = tmp_path / "token"
    file.write_text("token-of-file\n")
    file.chmod(0o600)
    assert token.found(file).reveal() == "token-of-file"
    file.chmod(0o640)
    with pytest.raises(BadInput, match="others can read it"):
        token.found(file)


@pytest.mark.parametrize("value", [f"{TOKEN} {TOKEN}", f"{TOKEN}\n{TOKEN}", f"{TOKEN}é", "short"])
def test_what_is_no_token_is_not_repeated(bare: pytest.MonkeyPatch, value: str) -> None:
    bare.setenv("GH_TOKEN", value)
    with pytest.raises(BadInput) as caught:
        token.found(None)
    assert str(caught.value) == "GH_TOKEN: should hold a token and nothing else"


@pytest.mark.parametrize(
    ("status", "headers", "waited", "pause"),
    [
        (200, {}, 0, None),
        (404, {}, 0, None),
        (403, {}, 0, None),
        (403, {"retry-after": "30"}, 0, 30),
        (429, {"retry-after": "0"}, 0, 1),
        (429, {}, 0, 60),
        (429, {}, 60, 60),
        (429, {}, 180, 180),
        # By the server's clock, which is years away from ours.
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795305642"}, 0, 42),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 0, 1),
        (403, {"x-ratelimit-remaining": "0"}, 0, 60),
        (403, {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "1795305642"}, 0, None),
    ],
)
def test_how_long_to_wait_is_read_from_the_answer(
    status: int, headers: dict[str, str], waited: float, pause: float | None
) -> None:
    dated = {"date": "Sun, 22 Nov 2026 00:00:00 GMT", **headers}
    assert asked_to_wait(httpx.Response(status, headers=dated), waited) == pause
