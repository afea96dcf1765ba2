"""`sluice github plan`, `apply` and `audit`, against a server that answers as GitHub does."""

import copy
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.repository.planning import ByHand, Create, Unknown, Unoffered, Update
from pipelines.errors import BadInput, CannotTell, ExitCode, Refused
from pipelines.workflow.github import apply as applying
from pipelines.workflow.github import audit, shown
from pipelines.workflow.github import plan as planning
from pipelines.workflow.github.apply import Applied
from pipelines.workflow.github.plan import Planned
from pipelines.workflow.github.reaching import Asked
from pipelines.workflow.place import Place
from tests.github_api.server import MOST_A_PAGE, TOKEN, Fault, Hub, running
from tests.github_api.state import UPGRADE, State

CODEOWNERS = """# @OWNER is filled in by 'sluice github apply'
/environments/ @OWNER
* @anna @OWNER # all
"""

KEYS = ["EXCHANGE_KEY", "EXCHANGE_SECRET"]


@pytest.fixture
def place(project: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    (project / ".github").mkdir()
    (project / ".github/CODEOWNERS").write_text(CODEOWNERS)
    return Place(project, project / "home")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running() as hub:
        yield hub


def asked(hub: Hub) -> Asked:
    return Asked("octo/train", hub.url, sleep=lambda seconds: None)


def apply(place: Place, hub: Hub, digest: str = "") -> Applied:
    return applying.apply(place, asked(hub), digest, lambda word, what: None)


def plan(place: Place, hub: Hub) -> Planned:
    return planning.plan(place, asked(hub))


def kinds(planned: Planned, *wanted: type) -> list[str]:
    return [each.what for each in planned.actions if isinstance(each, wanted)]


def set_secrets(state: State) -> None:
    """What a person does by hand."""
    for name in ("prod", "sandbox"):
        state.secrets[name] = [f"{name.upper()}_{key}" for key in KEYS]
    state.secrets["test"] = ["SLUICE_SIGNING_KEY"]


def settled(state: State) -> dict[str, Any]:
    """What is set, without the numbers that the server gave."""
    told = {
        "environments": sorted(state.listed_environments(), key=lambda each: str(each["name"])),
        "policies": {
            n: sorted(f"{p['type']} {p['name']}" for p in of) for n, of in state.policies.items()
        },
        "rulesets": sorted(state.rulesets.values(), key=lambda each: str(each["name"])),
        "labels": sorted(state.labels, key=lambda each: str(each["name"])),
        "actions": [state.permissions, state.selected, state.token, state.forks],
    }
    bare = json.loads(json.dumps(told))
    for each in (*bare["environments"], *bare["labels"]):
        del each["id"]
    return dict(bare)


def test_a_plan_changes_nothing_and_apply_does_what_it_said(place: Place, hub: Hub) -> None:
    before = copy.deepcopy(settled(hub.state))
    planned = plan(place, hub)
    assert hub.changes == []
    assert settled(hub.state) == before

    done = apply(place, hub, planned.digest[:12])

    assert done.planned == planned
    assert (done.code, done.failures) == (ExitCode.DONE, ())
    assert kinds(done.after, Create, Update, Unknown, Unoffered) == []
    assert kinds(done.after, ByHand) == ["secrets of prod", "secrets of sandbox", "secrets of test"]
    prod = hub.state.environment("prod")
    assert [rule["type"] for rule in prod["protection_rules"]] == [
        "required_reviewers",
        "branch_policy",
    ]
    assert settled(hub.state)["policies"]["prod"] == ["branch main", "tag *-v*", "tag v*"]
    assert hub.state.token["default_workflow_permissions"] == "read"
    assert hub.state.forks == {"approval_policy": "all_external_contributors"}


def test_done_again_nothing_is_asked_of_github_but_to_look(place: Place, hub: Hub) -> None:
    apply(place, hub)
    count = len(hub.changes)
    apply(place, hub)
    assert len(hub.changes) == count > 15


def test_another_plan_than_the_one_that_was_shown_is_not_done(place: Place, hub: Hub) -> None:
    shown = plan(place, hub).digest
    hub.state.add_label({"name": "strategy", "color": "000000"})
    with pytest.raises(Refused, match="nothing was done"):
        apply(place, hub, shown)
    assert hub.changes == []


def test_an_audit_passes_only_when_everything_was_read_and_is_so(place: Place, hub: Hub) -> None:
    assert audit.verdict(plan(place, hub)) is ExitCode.SAID_NO
    apply(place, hub)
    assert audit.verdict(plan(place, hub)) is ExitCode.SAID_NO, "secrets are missing"
    set_secrets(hub.state)
    assert audit.verdict(plan(place, hub)) is ExitCode.DONE


@pytest.fixture
def sound(place: Place, hub: Hub) -> Place:
    """A repository at which nothing is to be done."""
    apply(place, hub)
    set_secrets(hub.state)
    assert audit.verdict(plan(place, hub)) is ExitCode.DONE
    return place


def drop_tag_rule(state: State) -> None:
    rules = next(each for each in state.rulesets.values() if each["name"] == "sluice tags")
    rules["rules"] = [rule for rule in rules["rules"] if rule["type"] != "update"]


def of_main(state: State) -> dict[str, Any]:
    return next(each for each in state.rulesets.values() if each["name"] == "sluice main")


def lower_checks(state: State) -> None:
    (rule,) = [r for r in of_main(state)["rules"] if r["type"] == "required_status_checks"]
    rule["parameters"]["required_status_checks"] = [{"context": "check"}]


DRIFTS: dict[str, tuple[str, Callable[[State], Any]]] = {
    "an environment is gone": ("environment prod", lambda s: s.environments.pop("prod")),
    "nobody has to agree": ("environment prod", lambda s: s.environments["prod"].pop("reviewers")),
    "any branch deploys": (
        "environment prod",
        lambda s: s.environments["prod"].update(deployment_branch_policy=None),
    ),
    "one more branch deploys": (
        "environment test",
        lambda s: s.add_policy("test", {"name": "release/*", "type": "branch"}),
    ),
    "a branch is called like a tag": (
        "environment prod",
        lambda s: s.policies["prod"][-1].update(type="branch"),
    ),
    "tags can be moved": ("ruleset sluice tags", drop_tag_rule),
    "main's ruleset sleeps": (
        "ruleset sluice main",
        lambda s: of_main(s).update(enforcement="disabled"),
    ),
    "somebody is above it": (
        "ruleset sluice main",
        lambda s: of_main(s).update(
            bypass_actors=[{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]
        ),
    ),
    "anybody may say that the check passed": ("ruleset sluice main", lower_checks),
    "it is about another branch": (
        "ruleset sluice main",
        lambda s: of_main(s)["conditions"]["ref_name"].update(exclude=["refs/heads/main"]),
    ),
    "the token writes": (
        "default token",
        lambda s: s.token.update(default_workflow_permissions="write"),
    ),
    "any action runs": ("use of actions", lambda s: s.permissions.update(allowed_actions="all")),
    "actions by tag": (
        "use of actions",
        lambda s: s.permissions.update(sha_pinning_required=False),
    ),
    "an action more": ("allowed actions", lambda s: s.selected.update(patterns_allowed=["x/*"])),
    "forks run": (
        "workflows of forks",
        lambda s: s.forks.update(approval_policy="first_time_contributors"),
    ),
    "a label is another": ("label strategy", lambda s: s.labels[0].update(color="000000")),
    "a secret is gone": ("secrets of prod", lambda s: s.secrets["prod"].pop()),
    "a secret for everybody": (
        "secrets of the whole repository",
        lambda s: s.secrets[""].append("PROD_EXCHANGE_KEY"),
    ),
}


def test_every_drift_is_told_and_put_right(sound: Place, hub: Hub) -> None:
    right = settled(hub.state)
    for name, (what, drift) in DRIFTS.items():
        drift(hub.state)
        found = plan(sound, hub)
        assert what in kinds(found, Create, Update, ByHand), name
        assert audit.verdict(found) is ExitCode.SAID_NO, name
        assert apply(sound, hub).code is ExitCode.DONE, name
        if what.startswith("secrets"):
            hub.state.secrets[""] = []
            set_secrets(hub.state)
        assert settled(hub.state) == right, name
    assert audit.verdict(plan(sound, hub)) is ExitCode.DONE


BLIND = {
    "default token": Fault("forbidden", "GET .*/permissions/workflow", 9),
    "workflows of forks": Fault("hidden", "GET .*/fork-pr-contributor-approval", 9),
    "environment prod": Fault("hidden", "GET .*/environments", 9),
    "ruleset sluice tags": Fault("forbidden", "GET .*/rulesets", 9),
    "label strategy": Fault("broken", "GET .*/labels", 99),
    "secrets of prod": Fault("hidden", "GET .*/prod/secrets", 9),
    "secrets of the whole repository": Fault("forbidden", "GET .*/actions/secrets", 9),
}


def test_what_cannot_be_read_is_named_and_never_passes(sound: Place, hub: Hub) -> None:
    for what, fault in BLIND.items():
        hub.faults = [fault]
        found = plan(sound, hub)
        assert what in kinds(found, Unknown), what
        assert audit.verdict(found) is ExitCode.CANNOT_TELL, what
    hub.faults = []
    for state in ({"shows_bypass": False}, {"pins": False}):
        for name, value in state.items():
            setattr(hub.state, name, value)
            assert audit.verdict(plan(sound, hub)) is ExitCode.CANNOT_TELL, name
            setattr(hub.state, name, True)


def test_whoever_is_no_administrator_is_told_nothing(place: Place, hub: Hub) -> None:
    hub.state.admin = False
    with pytest.raises(CannotTell, match="no administrator's"):
        plan(place, hub)
    for kind, told in (("hidden", "404"), ("page", "no JSON")):
        hub.faults = [Fault(kind, times=9)]
        with pytest.raises(CannotTell, match=told):
            plan(place, hub)


def test_everything_is_found_on_later_pages(sound: Place, hub: Hub) -> None:
    for kept in (hub.state.labels, *hub.state.secrets.values()):
        kept.reverse()
    for number in range(MOST_A_PAGE):
        hub.state.labels.insert(0, {**hub.state.labels[0], "name": f"other {number}"})
        hub.state.environments = {f"e{number}": {"id": number}, **hub.state.environments}
        ruleset = {**of_main(hub.state), "name": f"theirs {number}"}
        hub.state.rulesets = {number: ruleset, **hub.state.rulesets}
    assert audit.verdict(plan(sound, hub)) is ExitCode.DONE


@pytest.mark.parametrize("tells_plan", [True, False])
def test_on_a_free_private_repository_everything_still_works(
    place: Place, tells_plan: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(State(private=True, plan="free", tells_plan=tells_plan)) as hub:
        done = apply(place, hub)
        assert done.code is ExitCode.DONE
        assert [
            change for change in hub.changes if "environments" in change or "rulesets" in change
        ] == []
        assert len(kinds(done.after, Unoffered)) == 6
        hub.state.secrets[""] = [
            "SLUICE_SIGNING_KEY",
            *(f"{n}_{k}" for n in ("PROD", "SANDBOX") for k in KEYS),
        ]
        assert hub.state.private_forks["run_workflows_from_fork_pull_requests"] is False
        assert shown.audited(plan(place, hub), as_json=False) is ExitCode.DONE
    told = capsys.readouterr().out
    assert "pi only  environment prod: the Pi refuses what is not signed" in told
    assert "tags cannot be moved or deleted: the Pi only" in told


@pytest.mark.parametrize(
    ("state", "said", "gates", "unoffered", "unknown"),
    [
        (State(private=True, plan="pro"), "", 3, 2, 0),
        (State(private=True, plan="enterprise", organization=True), "", 3, 0, 0),
        (State(private=True, plan="team", organization=True, tells_plan=False), "", 3, 0, 2),
        (State(private=True, plan="team", organization=True, tells_plan=False), "team", 3, 2, 0),
        # What GitHub lets be done is believed before the file.
        (State(private=True, plan="team", tells_plan=False), "free", 3, 0, 2),
        (State(private=True, plan="free", tells_plan=False), "enterprise", 0, 6, 0),
    ],
)
def test_what_a_plan_has_is_set_and_what_nobody_knows_is_said(
    place: Place, state: State, said: str, gates: int, unoffered: int, unknown: int
) -> None:
    file = place.root / "environments/github.yaml"
    file.write_text(f"{file.read_text()}\nowners: [anna, octo/traders]\n")
    if said:
        file.write_text(f"{file.read_text()}plan: {said}\n")
    with running(state) as hub:
        done = apply(place, hub)
        assert done.failures == ()
        assert len(hub.state.environments) == gates + (gates > 0)
        counts = len(kinds(done.after, Unoffered)), len(kinds(done.after, Unknown))
        assert counts == (unoffered, unknown)
        assert done.code is (ExitCode.CANNOT_TELL if unknown else ExitCode.DONE)


def test_a_plan_that_refuses_is_named_and_keeps_no_other_waiting(place: Place, hub: Hub) -> None:
    hub.faults = [
        Fault("forbidden", "POST .*/rulesets", 9),
        Fault("echo", "PUT .*/environments/prod"),
    ]
    done = apply(place, hub)
    assert [what for what, _ in done.failures] == [
        "environment prod",
        "ruleset sluice main",
        "ruleset sluice tags",
    ]
    assert done.code is ExitCode.REFUSED
    assert set(hub.state.environments) == {"data", "sandbox", "test"}
    assert len(hub.state.labels) == 4
    assert apply(place, hub).code is ExitCode.CANNOT_TELL
    hub.faults = []
    assert apply(place, hub).code is ExitCode.DONE


def test_what_github_takes_and_does_not_do_is_no_success(place: Place, hub: Hub) -> None:
    hub.faults = [Fault("ignored", "PUT .*/permissions/workflow", 9)]
    done = apply(place, hub)
    ((what, error),) = done.failures
    assert (what, done.code) == ("default token", ExitCode.CANNOT_TELL)
    assert "says that it is still" in error.message


def test_rulesets_that_the_plan_refuses_are_told_as_that(place: Place) -> None:
    with running(State(private=True, tells_plan=False)) as hub:
        assert hub.state.plan == "free"
        assert UPGRADE.startswith("Upgrade to GitHub")
        assert len(kinds(plan(place, hub), Unoffered)) == 6
        # Any other refusal says nothing of a plan.
        hub.faults = [Fault("forbidden", "GET .*/rulesets", 99)]
        assert len(kinds(plan(place, hub), Unknown)) == 6


@pytest.mark.parametrize("kind", ["vanish", "drop"])
def test_an_answer_that_is_lost_leaves_nothing_twice_and_nothing_undone(
    place: Place, hub: Hub, kind: str
) -> None:
    with running() as other:
        apply(place, other)
        right, count = settled(other.state), len(other.changes)
    (place.root / ".github/CODEOWNERS").write_text(CODEOWNERS)
    hub.faults = [Fault(kind, f"{method} .*", 1) for method in ("PUT", "POST")]
    hub.faults.append(Fault(kind, "POST .*/rulesets", 1))
    done = apply(place, hub)
    assert (done.code, done.failures) == (ExitCode.DONE, ())
    assert settled(hub.state) == right
    assert len(hub.changes) >= count


def test_a_limit_ends_an_apply_that_goes_on_later(place: Place, hub: Hub) -> None:
    hub.faults = [Fault("secondary", "POST .*/rulesets", 99)]
    with pytest.raises(CannotTell, match="left alone"):
        apply(place, hub)
    assert len(hub.state.environments) == 4
    hub.faults = []
    assert apply(place, hub).code is ExitCode.DONE


def command(hub: Hub, verb: str, *more: str) -> list[str]:
    settings = ["--repository", "octo/train", "--api", hub.url]
    return [sys.executable, "-m", "pipelines.cli", "github", verb, *settings, *more]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before_change", "after_change"])
@pytest.mark.parametrize("number", [2, 6, 13])
def test_killed_in_the_middle_and_done_again_it_ends_at_the_same(
    place: Place, hub: Hub, when: str, number: int
) -> None:
    with running() as other:
        apply(place, other)
        right = settled(other.state)
    (place.root / ".github/CODEOWNERS").write_text(CODEOWNERS)
    started = threading.Event()

    def kill(count: int) -> None:
        if count == number:
            assert started.wait(60)
            process.kill()
            process.wait(60)

    setattr(hub, when, kill)
    process = subprocess.Popen(command(hub, "apply"), cwd=place.root, stderr=subprocess.DEVNULL)
    started.set()
    assert process.wait(120) == -signal.SIGKILL
    assert len(hub.changes) == number
    setattr(hub, when, lambda count: None)

    assert apply(place, hub).code is ExitCode.DONE
    assert settled(hub.state) == right


def test_the_placeholder_of_codeowners_is_filled_and_comments_stay(place: Place, hub: Hub) -> None:
    file = place.root / "environments/github.yaml"
    file.write_text(f"{file.read_text()}\nowners: [bert, octo/traders]\n")
    hub.state.organization = True
    apply(place, hub)
    assert (place.root / ".github/CODEOWNERS").read_text() == (
        "# @OWNER is filled in by 'sluice github apply'\n"
        "/environments/ @bert @octo/traders\n* @anna @bert @octo/traders # all\n"
    )
    reviewers = hub.state.environments["prod"]["reviewers"]
    assert reviewers == [{"type": "User", "id": 3}, {"type": "Team", "id": 7}]
    (place.root / ".github/CODEOWNERS").unlink()
    assert "CODEOWNERS" in kinds(plan(place, hub), ByHand)


def test_an_organization_is_nobody_who_could_agree(place: Place, hub: Hub) -> None:
    hub.state.organization = True
    done = apply(place, hub)
    assert "CODEOWNERS" in kinds(done.after, ByHand)
    assert (place.root / ".github/CODEOWNERS").read_text() == CODEOWNERS


def test_an_environment_of_github_alone_says_who_deploys_to_it(place: Place, hub: Hub) -> None:
    apply(place, hub)
    assert settled(hub.state)["policies"]["data"] == ["branch main"]
    assert "reviewers" not in str(hub.state.environment("data")["protection_rules"])


def test_a_server_of_ones_own_is_asked_below_its_own_path(place: Place) -> None:
    with running(State(own_server=True, private=True), prefix="/api/v3") as hub:
        for number in range(MOST_A_PAGE):
            hub.state.add_label({"name": f"other {number}", "color": "ffffff"})
        assert apply(place, hub).code is ExitCode.DONE
        assert kinds(plan(place, hub), Unknown, Unoffered) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("owner: [anna]", "owner: is not a known key"),
        ("plan: gold", "plan: should be 'free'"),
        ("owners: [not/a/login]", r"owners\[0\]: should match"),
        ("merging: {checks: []}", "merging.checks: should have at least 1"),
        ("labels: {a: {color: red}}", "labels.a.color: should match"),
        ("environments: {proud: {}}", "environments.proud: is none of the train's"),
        ("api: http://github.example", "readable on its way"),
    ],
)
def test_a_file_that_is_wrong_is_told_where(place: Place, text: str, told: str) -> None:
    (place.root / "environments/github.yaml").write_text(f"{text}\n")
    with pytest.raises(BadInput, match=told):
        planning.plan(place, Asked("octo/train"))


@pytest.mark.needs("git")
@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/octo/train.git",
        "https://someone:password@github.com/octo/train",
        "git@github.com:octo/train.git",
        "ssh://git@github.com/octo/train/",
    ],
)
def test_the_repository_is_the_one_that_the_clone_came_from(
    place: Place, hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="which repository"):
        planning.plan(place, Asked("", hub.url))
    subprocess.run(["git", "init", "-q", place.root], check=True)
    subprocess.run(["git", "-C", place.root, "remote", "add", "origin", url], check=True)
    assert planning.plan(place, Asked("", hub.url)).hosting.full_name == "octo/train"
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/other")
    with pytest.raises(CannotTell, match="octo/other"):
        planning.plan(place, Asked("", hub.url))


@pytest.mark.slow
def test_the_commands_tell_machines_and_people_and_never_the_token(
    place: Place, hub: Hub, tmp_path: Path
) -> None:
    hub.faults = [Fault("echo", "PUT .*/labels.*|POST .*/labels", 99)]
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    bare = {name: value for name, value in os.environ.items() if name not in {"GH_TOKEN"}}

    def run(verb: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(hub, verb, "--token-file", str(file), *more),
            cwd=place.root, env=bare, capture_output=True, text=True, check=False,
        )  # fmt: skip

    ended = [run("plan", "--json"), run("apply"), run("audit", "--json")]
    assert [each.returncode for each in ended] == [0, 4, 1], [each.stderr for each in ended]
    planned, told = json.loads(ended[0].stdout), json.loads(ended[2].stdout)
    assert planned["repository"] == "octo/train"
    assert {each["action"] for each in planned["actions"]} == {
        "create",
        "update",
        "keep",
        "by hand",
    }
    (token,) = [each for each in planned["actions"] if each["what"] == "default token"]
    assert (token["now"]["permissions"], token["will"]["permissions"]) == ("write", "read")
    assert planned["enforced"][0] == {
        "what": "releases are signed, in order, and have soaked",
        "by": "the Pi only",
    }
    assert {each["what"] for each in told["actions"] if each["action"] == "create"} == {
        f"label {name}" for name in ("strategy", "problem", "environment", "dependencies")
    }
    said = "".join(each.stdout + each.stderr for each in ended)
    assert "failed   label strategy" in said
    assert "[redacted]" in said
    assert TOKEN not in said
    kept = b"".join(path.read_bytes() for path in place.root.rglob("*") if path.is_file())
    assert TOKEN.encode() not in kept
