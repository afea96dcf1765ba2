"""The policy over workflows never gives up on a file, and never lets pass what it cannot tell."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.adapters.workflows import read
from pipelines.domain.workflows import RULES, model, violations
from pipelines.domain.workflows.expressions import calls, condition, expressions
from pipelines.domain.workflows.model import SHAPE, Trigger
from pipelines.domain.workflows.placing import Project
from pipelines.domain.workflows.tree import Node
from pipelines.domain.workflows.triggers import distrust

OURS = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.yml"))
TREES = {path.name: read(path.read_bytes(), path.name) for path in OURS}

SHAPES = st.sampled_from(
    [
        Node(1, ""),
        Node(1, "${{ github.head_ref }}"),
        Node(1, ()),
        Node(1, (Node(1, "a"), Node(1, {}))),
        Node(1, {}),
        Node(1, {"x": Node(1, "y")}),
    ]
)


def project(**trees: Node) -> Project:
    files = {name: f".github/workflows/{name}.yml" for name in trees}
    flows = {files[name]: model.workflow(files[name], tree) for name, tree in trees.items()}
    return Project(flows, {})


def places(node: Node, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything in a tree but the whole."""
    children = [*node.keys.items(), *enumerate(node.value if isinstance(node.value, tuple) else ())]
    found = [path] if path else []
    return found + [each for key, child in children for each in places(child, (*path, key))]


def put(node: Node, path: tuple[str | int, ...], other: Node) -> Node:
    """The tree with something else at one place."""
    if not path:
        return other
    first, *rest = path
    if isinstance(node.value, tuple):
        items = list(node.value)
        items[int(first)] = put(items[int(first)], tuple(rest), other)
        return Node(node.line, tuple(items))
    keys = {**node.keys, str(first): put(node.keys[str(first)], tuple(rest), other)}
    return Node(node.line, keys)


@given(st.data())
def test_whatever_stands_at_any_place_of_a_workflow_the_policy_answers(data: st.DataObject) -> None:
    tree = TREES[data.draw(st.sampled_from(sorted(TREES)))]
    for _ in range(data.draw(st.integers(1, 3))):
        tree = put(tree, data.draw(st.sampled_from(places(tree))), data.draw(SHAPES))
    for found in violations(project(one=tree)):
        assert found.rule in {rule.name for rule in RULES}
        assert found.text


@given(st.sampled_from(sorted(TREES)), st.sampled_from(["Uses", "snapshot", "background"]))
def test_a_key_that_the_policy_does_not_know_never_passes(name: str, key: str) -> None:
    tree = TREES[name]
    for path in (("jobs", job) for job in tree.keys["jobs"].keys):
        job = tree.keys["jobs"].keys[path[1]]
        changed = put(tree, path, Node(job.line, {**job.keys, key: Node(9, "x")}))
        found = violations(project(one=changed))
        assert [(each.rule, each.line) for each in found if each.rule == SHAPE] == [(SHAPE, 9)]


@pytest.mark.parametrize("name", sorted(TREES))
def test_no_job_of_ours_may_be_started_by_a_pull_request_where_bots_are(name: str) -> None:
    tree = put(TREES[name], ("on",), Node(1, "pull_request"))
    rules = {each.rule for each in violations(project(one=tree))}
    owned = any("self-hosted" in each.text for each in TREES[name].scalars())
    assert ("self-hosted" in rules) == owned


def triggered(text: str) -> Trigger:
    (trigger,) = model.workflow("x", read(f"on:\n  {text}\n".encode(), "x")).triggers
    return trigger


@pytest.mark.parametrize(
    ("text", "trusted"),
    [
        ("push: {branches: [main]}", True),
        ("push: {branches: main}", True),
        ("push: {branches: [main], paths: [strategies/**]}", True),
        ("push: {tags: ['v[0-9]+.[0-9]+.[0-9]+']}", True),
        ("schedule: [{cron: '1 1 * * *'}]", True),
        ("workflow_dispatch: {}", True),
        ("release: {types: [released]}", True),
        ("push: {}", False),
        ("push: {branches: []}", False),
        ("push: {branches: ['*']}", False),
        ("push: {branches: [main, '!x', y]}", False),
        ("push: {branches: [main], tags-ignore: [x]}", False),
        ("push: {branches-ignore: [x]}", False),
        ("push: {tags: ['*']}", False),
        ("release: {types: [released, published]}", False),
        ("release: {}", False),
        ("workflow_call: {}", False),
        ("merge_group: {}", False),
        ("Schedule: {}", False),
    ],
)
def test_only_what_main_has_agreed_to_is_trusted(text: str, trusted: bool) -> None:
    assert (distrust(triggered(text)) == "") == trusted


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("always()", True),
        ("${{ ! ALWAYS\t() }}", True),
        ("success() && always ( )", True),
        ("github.event.always == 1", False),
        ("contains('always()', 'x')", False),
    ],
)
def test_a_function_is_found_however_it_is_written(text: str, called: bool) -> None:
    assert calls(condition(Node(1, text)), "always") == called


def test_what_is_quoted_in_an_expression_names_nothing() -> None:
    assert list(expressions("a ${{ 'secrets.X' }} b ${{ secrets.Y")) == [" '' ", " secrets.Y"]


JOB = "{runs-on: ubuntu-24.04, timeout-minutes: 1, permissions: {}, steps: [%s]}"
STEP = "{uses: actions/checkout@v5}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("on: push\npermissions: {}", "has no jobs"),
        ("on: push\npermissions: {}\njobs: []", "has no jobs"),
        ("permissions: {}\njobs: {a: %s}" % (JOB % STEP), "says nothing under 'on'"),
        ("on: []\njobs: {a: %s}" % (JOB % STEP), "says nothing under 'on'"),
        ("on: push\njobs: {a: text}", "a job should be keys and values"),
        ("on: push\njobs: {a: %s}" % (JOB % ""), "should either have steps or call a workflow"),
        ("on: push\njobs: {a: {uses: ./x, steps: [{uses: y}]}}", "should either have steps or"),
        ("on: push\njobs: {a: %s}" % (JOB % "{run: x, uses: y}"), "either 'run' or 'uses'"),
        ("on: push\njobs: {a: %s}" % (JOB % "{name: x}"), "either 'run' or 'uses'"),
        ("on: push\njobs: {a: {needs: b}, b: {needs: a}}", "should either have steps or call"),
        ("on: push\njobs: {a: %s}" % (JOB % "{uses: x, with: text}"), "x can become other code"),
        (
            "on: push\njobs: {a: %s}" % (JOB % "{uses: actions/cache@v4, with: x}"),
            "nobody can tell which inputs these are",
        ),
        (
            "on: schedule\njobs: {a: {environment: x, concurrency: {cancel-in-progress: false}}}",
            "should have a group and 'cancel-in-progress: false'",
        ),
    ],
)
def test_what_has_another_form_is_told(text: str, said: str) -> None:
    tree = read(f"{text}\n".encode(), "x.yml")
    assert any(said in each.text for each in violations(project(one=tree)))


def test_a_group_of_a_job_that_deploys_nothing_may_be_shared() -> None:
    halt, check = TREES["halt.yml"], TREES["check.yml"]
    group = halt.get("concurrency", "group")
    assert group
    shared = put(check, ("concurrency", "group"), group)
    assert violations(project(halt=halt, check=shared)) == ()
    promote = put(TREES["promote.yml"], ("concurrency", "group"), group)
    assert {each.rule for each in violations(project(halt=halt, promote=promote))} == {"emergency"}


def test_an_action_that_uses_itself_is_opened_once() -> None:
    text = b"runs: {using: composite, steps: [{uses: ./.github/actions/a}, {run: evil}]}\n"
    job = JOB % "{uses: ./.github/actions/a}"
    flow = model.workflow("x.yml", read(f"on: push\njobs: {{a: {job}}}\n".encode(), "x.yml"))
    action = model.action("a.yml", read(text, "a.yml"))
    found = violations(Project({"x.yml": flow}, {".github/actions/a": action}))
    assert [each.file for each in found if each.rule == "one-call"] == ["a.yml"]
