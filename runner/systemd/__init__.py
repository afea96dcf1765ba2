"""What a host is set up with: units of systemd, users, folders, and the hook of GitHub's runner."""

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent

UNITS = ("sluice-agent.service", "sluice-runner.service")

RUNNER_USER = "sluice-runner"


@dataclass(frozen=True)
class Where:
    """Where things lie on a host, and what it is called.

    `repository` is whose jobs it takes. With `unprotected_tags` it also takes those of tags that
    GitHub does not protect, as on a free private repository.
    """

    checkout: Path
    home: Path
    host: str
    repository: str
    unprotected_tags: bool = False
    runner: Path = Path("/var/lib/sluice-runner")


@dataclass(frozen=True)
class File:
    """A file that root owns."""

    path: Path
    content: str
    mode: int = 0o644


def files(where: Where, environments: tuple[str, ...]) -> tuple[File, ...]:
    """Every file that is written, in their order; `environments` are those of this host."""
    return (
        File(Path("/etc/sysusers.d/sluice.conf"), _users(where, environments)),
        File(Path("/etc/tmpfiles.d/sluice.conf"), _folders(where)),
        File(Path("/etc/sluice/runner.conf"), _settings(where)),
        File(Path("/etc/sluice/job-started.sh"), (_HERE / "job-started.sh").read_text(), 0o755),
        *(File(Path("/etc/systemd/system") / name, _unit(name, where)) for name in UNITS),
    )


def _unit(name: str, where: Where) -> str:
    text = (_HERE / name).read_text()
    for key in ("checkout", "home", "host", "runner"):
        text = text.replace(f"@{key}@", str(getattr(where, key)))
    return text


def _users(where: Where, environments: tuple[str, ...]) -> str:
    """In the words of sysusers.d: bots of each environment are nobody else's."""
    bots = [f'u sluice-{name} - "Bots of {name}"\n' for name in environments]
    return "".join([*bots, f'u {RUNNER_USER} - "GitHub\'s runner" {where.runner}\n'])


def _folders(where: Where) -> str:
    """In the words of tmpfiles.d. Bots pass through the home, and list nothing in it."""
    return (
        f"d {where.home} 0711 root root\n"
        f"d {where.runner} 0700 {RUNNER_USER} {RUNNER_USER}\n"
        "d /etc/sluice 0755 root root\n"
    )


def _settings(where: Where) -> str:
    allowed = "yes" if where.unprotected_tags else "no"
    return f"repository={where.repository}\nunprotected-tags={allowed}\n"
