"""Which events may reach a machine of ours."""

from pipelines.domain.workflows.model import Trigger

BRANCH = "main"
TAGS = frozenset({"v[0-9]+.[0-9]+.[0-9]+", "*-v[0-9]+.[0-9]+.[0-9]+"})
"""The tags that promote: the whole train, or one strategy."""

ALLOWED = frozenset(
    {"pull_request", "push", "release", "schedule", "workflow_dispatch", "workflow_call"}
)
"""Events that a workflow may be started by at all."""

_CAREFUL = frozenset({"schedule", "workflow_dispatch"})


def distrust(trigger: Trigger) -> str:
    """Why somebody without a say on main may start it; empty when only those with one may."""
    if trigger.name in _CAREFUL:
        return ""
    if trigger.name == "push":
        return _pushed(trigger)
    if trigger.name == "release":
        types = trigger.filters.get("types")
        if types and [each.text for each in types.items] == ["released"]:
            return ""
        return "a release that is not exactly 'types: [released]'"
    return trigger.name


def _pushed(trigger: Trigger) -> str:
    branches, tags = trigger.filters.get("branches"), trigger.filters.get("tags")
    if any(name.endswith("-ignore") for name in trigger.filters) or not (branches or tags):
        return "a push to any branch"
    if branches and {each.text for each in branches.items} != {BRANCH}:
        return f"a push to more than {BRANCH}"
    if tags and not TAGS.issuperset(each.text for each in tags.items):
        return "a push of tags that promote nothing"
    return ""
