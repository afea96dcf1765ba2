"""`sluice github gate` and `passed`: what has to hold before a job with an environment runs."""

import json
import re
from pathlib import Path

from pipelines.adapters import git
from pipelines.domain.workflows.triggers import BRANCH
from pipelines.errors import BadInput, ExitCode, Refused
from pipelines.workflow.github import linting
from pipelines.workflow.place import Place

TAG = re.compile(r"refs/tags/(?:(?P<strategy>[A-Za-z_]\w*)-)?v(?P<version>\d+\.\d+\.\d+)")
"""A tag that promotes: the whole train, or one strategy."""

_MAIN = f"refs/heads/{BRANCH}"


def gate(place: Place, ref: str, *, tagged: bool) -> str:
    """Refuse a run that was not started for main, or for a tag of main that promotes.

    With `tagged` it has to be such a tag. The workflows have to keep to the policy, too.

    :raises Refused: with all reasons.
    """
    reasons = []
    if tagged and not TAG.fullmatch(ref):
        reasons.append(f"{ref}: promotes nothing; v1.2.3 is the train, my_strategy-v1.2.3 one")
    elif ref != _MAIN and not TAG.fullmatch(ref):
        reasons.append(f"{ref}: is neither {BRANCH} nor a tag that promotes")
    main, here = (git.resolve(place.root, each) for each in (f"origin/{BRANCH}", "HEAD"))
    if git.merge_base(place.root, main) != here:
        reasons.append(f"{here[:12]} was never merged into {BRANCH}")
    if ref.startswith("refs/tags/") and git.resolve(place.root, ref) != here:
        reasons.append(f"{ref} is not what is checked out")
    reasons += [
        f"{Path(found.file).name}:{found.line}: {found.rule}: {found.text}"
        for found in linting.lint(place, None)
    ]
    if reasons:
        raise Refused("\n".join(reasons), "'sluice docs github' says what has to hold")
    return ref


def passed(needs: str) -> ExitCode:
    """Whether every job before this one ended well, by what GitHub says of them as JSON.

    One that was passed over is no pass, unless another's output `any` said that there is nothing to
    do.

    :raises BadInput: when that is no such JSON.
    """
    try:
        told = json.loads(needs)
        ended = {str(name): str(each["result"]) for name, each in told.items()}
        nothing = any(each["outputs"].get("any") == "false" for each in told.values())
    except (ValueError, AttributeError, KeyError, TypeError):
        hint = "hand over '${{ toJSON(needs) }}' as a variable"
        raise BadInput("this is not what GitHub says of jobs", hint) from None
    may = {"success", "skipped"} if nothing else {"success"}
    for name, how in ended.items():
        print(f"{'✓' if how in may else '✗'} {name}: {how}")
    good = "success" in ended.values() and may.issuperset(ended.values())
    return ExitCode.DONE if good else ExitCode.SAID_NO
