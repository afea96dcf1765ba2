"""`sluice github pack` and `deliver`: releases on their way from the gate to the host."""

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from pipelines.adapters import plugins
from pipelines.errors import BadInput, CannotTell, ExitCode, Refused
from pipelines.reports.markdown import safe
from pipelines.workflow import pack as packing
from pipelines.workflow import train
from pipelines.workflow.github import telling
from pipelines.workflow.place import Place

KEY = "SLUICE_SIGNING_KEY"
"""The variable that holds the private key of the role ci, as `sluice keys new ci` wrote it."""


def pack(place: Place, since: str, into: Path, now: datetime) -> tuple[Path, ...]:
    """Pack every strategy that changed since a revision; the tars, each with its .dsse beside it.

    The key is taken out of the environment, so that no child is given it, and lies on the disk
    while it signs, readable by nobody else.

    :raises Refused: when one may not be packed, with all reasons of all; none is handed on then.
    """
    key = os.environ.pop(KEY, "")
    if not key.strip():
        raise BadInput(f"{KEY} is not set", "give the job's environment the secret of that name")
    with tempfile.TemporaryDirectory(prefix="sluice-key-") as folder:
        file = Path(folder, "ci.pem")
        file.touch(mode=0o600)
        file.write_text(key.strip() + "\n", encoding="utf-8")
        names = plugins.changed_since(place.root, since)
        packed = _each(names, lambda name: packing.pack(place, name, str(file), None, now).tar)
    into.mkdir(parents=True, exist_ok=True)
    for tar in packed:
        for path in (tar, tar.with_suffix(".dsse")):
            shutil.copy(path, into / path.name)
    return tuple(into / tar.name for tar in packed)


def _each(names: tuple[str, ...], do: Callable[[str], Path]) -> tuple[Path, ...]:
    done, refused = list[Path](), list[str]()
    for name in names:
        try:
            done.append(do(name))
        except Refused as error:
            refused.append(error.message)
    if refused:
        raise Refused("\n".join(refused), "'sluice docs releases' says when")
    return tuple(done)


def deliver(place: Place, folder: Path) -> ExitCode:
    """Hand every release in a folder to the agent, and say in the job's summary what it said.

    What the agent does not take stops none of the others; the exit code tells of it.

    :raises BadInput: when there is none.
    """
    tars = sorted(folder.glob("*.tar"))
    if not tars:
        raise BadInput(f"{folder}: holds no release", "'sluice github pack' writes them there")
    lines, code = list[str](), ExitCode.DONE
    for tar in tars:
        try:
            told = cast("dict[str, Any]", train.deliver(place, str(tar)))
        except (Refused, CannotTell, BadInput) as error:
            code = error.code
            lines += [f"✗ {tar.stem[:12]}: {line}" for line in error.message.splitlines()]
            continue
        lines.append(f"✓ {told['release']}: delivered")
        lines += [f"✓ {told['release']}: wanted in {name}" for name in told["promoted"]]
        for name, reasons in told["refused"].items():
            lines += [f"· {told['release']}: not in {name}: {reason}" for reason in reasons]
    say(lines)
    return code


def say(lines: list[str]) -> None:
    """Lines for whoever reads the log, and for the job's summary."""
    print("\n".join(lines))
    telling.summary("\n".join(f"- {safe(line)}" for line in lines))
