"""`sluice github promote`: a tag asks for releases in an environment."""

from pipelines.adapters import pins, plugins
from pipelines.adapters.git import resolve
from pipelines.domain.release import release_of
from pipelines.errors import BadInput, ExitCode, Refused
from pipelines.workflow import train
from pipelines.workflow.docs import CHECKOUT
from pipelines.workflow.github.gating import TAG
from pipelines.workflow.github.releasing import say
from pipelines.workflow.place import Place


def promote(place: Place, ref: str, environment: str) -> ExitCode:
    """Ask for what a tag means: one strategy, or every one that may enter.

    A release is known by its digest, which follows from what the tag shows: what was packed at the
    merge has the same, and nothing else has. Nothing is built.

    :raises BadInput: when it is no tag that promotes, or not what is checked out.
    """
    asked = TAG.fullmatch(ref)
    if asked is None:
        raise BadInput(f"{ref}: promotes nothing", "v1.2.3 is the train, my_strategy-v1.2.3 one")
    if resolve(place.root, ref) != resolve(place.root, "HEAD"):
        raise BadInput(f"{ref}: is not what is checked out", f"run 'git checkout {ref}'")
    one = asked["strategy"]
    names = (one,) if one else plugins.names(place.root)
    lines, entered = list[str](), 0
    for name in names:
        try:
            digest = _digest(place, name, asked["version"] if one else "")
            train.promote(place, digest, environment, 1, "", f"tag {ref.rpartition('/')[2]}")
        except (Refused, BadInput) as error:
            lines += [f"✗ {name}: {line}" for line in error.message.splitlines()]
        else:
            lines.append(f"✓ {name}: {digest[:8]} is wanted in {environment}")
            entered += 1
    say(lines)
    return ExitCode.DONE if entered else ExitCode.REFUSED


def _digest(place: Place, name: str, version: str) -> str:
    strategy = plugins.read(place.root, name)
    if version and strategy.manifest.version != version:
        said = f"{name} is {strategy.manifest.version} there, and the tag says {version}"
        raise BadInput(said, "tag the commit at which it has that version")
    return release_of(strategy, pins.read(place.root, CHECKOUT)).digest
