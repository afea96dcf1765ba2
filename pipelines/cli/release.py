"""Commands about releases: `pack`, `verify`, `releases`, `keys`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pipelines.cli.options import FILE, Options, with_json, with_train, with_trust
from pipelines.errors import ExitCode


@click.command()
@click.argument("name")
@click.option(
    "--key",
    default="ci",
    show_default=True,
    metavar="ROLE|FILE",
    help="Sign with the key of this role, or in this file.",
)
@with_train
@with_trust
@with_json
@click.pass_obj
def pack(
    options: Options, name: str, key: str, train: str, trust: Path | None, as_json: bool
) -> ExitCode:
    """Make a signed release of a strategy that has passed.

    There must be passing and complete evidence for exactly this content, else it is refused with
    all reasons. Evidence on synthetic candles, or from weak isolation, packs for the demo only.
    """
    from pipelines.workflow import pack as workflow
    from pipelines.workflow import place, tell_release

    here = place.find(options.root, options.home, train)
    done = workflow.pack(here, name, key, trust, datetime.now(UTC))
    return tell_release.packed(done, as_json=as_json)


@click.command()
@click.argument("release", metavar="FILE|ID|DIGEST")
@with_train
@with_trust
@with_json
@click.pass_obj
def verify(
    options: Options, release: str, train: str, trust: Path | None, as_json: bool
) -> ExitCode:
    """Find out whether a release is what somebody with a trusted key has signed.

    Signatures, digest, content and label are looked at; exit code 4 with all reasons against it.
    """
    from pipelines.workflow import place, tell_release
    from pipelines.workflow import verify as workflow

    here = place.find(options.root, options.home, train)
    found = workflow.verify(here, release, trust, datetime.now(UTC))
    return tell_release.verified(found, as_json=as_json)


@click.command()
@with_json
@click.pass_obj
def releases(options: Options, as_json: bool) -> ExitCode:
    """List the releases that are packed here."""
    from pipelines.workflow import place, tell_release
    from pipelines.workflow import verify as workflow

    here = place.find(options.root, options.home)
    return tell_release.listed(workflow.releases(here), as_json=as_json)


@click.group()
def keys() -> None:
    """Keys that releases are signed with."""


@keys.command()
@click.argument("role")
@click.option("--out", type=FILE, help="Where the private key goes, if not to the home folder.")
@with_json
@click.pass_obj
def new(options: Options, role: str, out: Path | None, as_json: bool) -> ExitCode:
    """Make a key for a role: ci, demo or host.

    The private key is written for you alone and never shown; no key is ever overwritten.
    """
    from pipelines.workflow import keys as workflow
    from pipelines.workflow import place, tell_release

    here = place.find(options.root, options.home)
    made = workflow.new(here, role, out, datetime.now(UTC))
    return tell_release.made(made, as_json=as_json)


COMMANDS = (pack, verify, releases, keys)
