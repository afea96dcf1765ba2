"""The demo's own project: a git repository made from a checkout, with keys that count there."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import BadInput, CannotTell
from pipelines.workflow.demo.programs import Programs

TRAIN = "environments/demo"
STRATEGY = "bollinger_rsi"
APPROVER = "demo-approver"

_MARK = ".sluice-demo"
_GIT = {
    # Whatever a person has set for his own work: hooks, signing programs, other identities.
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": APPROVER,
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_COMMITTER_NAME": APPROVER,
    "GIT_COMMITTER_EMAIL": "demo@localhost",
}
_PINS = """\
# The demo's: it runs on the Python that it was started with.
python: "{}.{}"
"""


@dataclass(frozen=True)
class Ground:
    """What lies below `--out`."""

    out: Path

    @property
    def root(self) -> Path:
        """The project."""
        return self.out / "project"

    @property
    def home(self) -> Path:
        """Its state: evidence, releases, ledger, bots."""
        return self.out / "state"

    @property
    def ready(self) -> Path:
        """Where the exchange says how it is reached."""
        return self.out / "exchange.json"

    @property
    def journal(self) -> Path:
        """Every order and fill at the exchange."""
        return self.out / "exchange.sqlite"

    @property
    def approver(self) -> Path:
        """The private SSH key of the one who approves."""
        return self.out / "keys" / APPROVER

    def programs(self, runtime: Path, candles: Path | None) -> Programs:
        """The commands, in this project. `runtime` is a folder for sockets: its path is short."""
        variables = {
            "SLUICE_ROOT": str(self.root),
            "SLUICE_HOME": str(self.home),
            "SLUICE_EXCHANGE": str(self.ready),
            "XDG_RUNTIME_DIR": str(runtime),
            **_GIT,
        }
        if candles:
            variables["SLUICE_CANDLES"] = str(candles)
        return Programs(self.root, variables)


def clear(out: Path) -> Ground:
    """A place for a demo; an earlier one that lies there is removed.

    :raises BadInput: when something else lies there.
    :raises CannotTell: when it cannot be written.
    """
    out = out.resolve()
    if out.exists() and any(out.iterdir()) and not (out / _MARK).exists():
        hint = "name a folder with --out that is empty, or does not exist yet"
        raise BadInput(f"{out}: there is something else than a demo of ours", hint)
    try:
        shutil.rmtree(out, ignore_errors=False) if out.exists() else None
        (out / "keys").mkdir(parents=True, mode=0o755)
        (out / _MARK).write_text("made by 'sluice demo', and removed by the next one\n")
    except OSError as error:
        raise CannotTell(f"{out}: cannot be written: {error.strerror}") from None
    return Ground(out)


def make(ground: Ground, checkout: Path, programs: Programs) -> None:
    """Copy what a project is made of, and begin its history."""
    for name in ("environments", "strategies"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(checkout / name, ground.root / name, ignore=ignored)
    pins = _PINS.format(*sys.version_info[:2])
    (ground.root / "environments" / "pins.lock").write_text(pins)
    programs.ask("git", "init", "--quiet", ".")
    programs.ask("git", "config", "gpg.format", "ssh")
    programs.ask("git", "config", "user.signingkey", str(ground.approver))
    commit(programs, "What the checkout has")


def commit(programs: Programs, message: str) -> None:
    """Take everything as it lies there into the project's history."""
    programs.ask("git", "add", "--all")
    programs.ask("git", "commit", "--quiet", "--no-verify", "-m", message)


def trust(ground: Ground, programs: Programs, line: str) -> None:
    """Let a demo key and the approver's count, in the demo's environments only."""
    public = ground.approver.with_suffix(".pub").read_text().split()
    entry = (
        f"  {APPROVER}:\n    role: approver\n    kind: ssh\n    key: {' '.join(public[:2])}\n"
        "    environments: [demo/sandbox, demo/prod]\n"
    )
    path = ground.root / TRAIN / "trust.yaml"
    path.write_text(f"{path.read_text()}{line}\n{entry}")
    commit(programs, "Whose signatures count")
