"""What we ask git: which revision, which files were there, what they held."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import BadInput, CannotTell

TIMEOUT = 60
"""Seconds. Everything asked here is answered from the disk."""


@dataclass(frozen=True)
class Entry:
    """One path in a revision: `mode` as git writes it (120000 is a symlink), `size` in bytes."""

    path: str
    mode: str
    identity: str
    size: int


def resolve(root: Path, revision: str) -> str:
    """The full id of the commit that a branch, tag or abbreviated id means.

    :raises BadInput: when there is no such commit.
    :raises CannotTell: when git is missing or does not answer.
    """
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    code, out, err = _run(root, *asked)
    if code == 0 and revision and "\0" not in revision:
        return out.decode().strip()
    _refuse_no_repository(root, err)
    _require_repository(root)
    raise BadInput(f"there is no revision {revision!r}", _fetch_hint(root))


def merge_base(root: Path, revision: str) -> str:
    """The commit at which the current work left `revision`.

    :raises BadInput: when there is no such revision, or nothing in common with it.
    :raises CannotTell: when the clone is too shallow to know.
    """
    other = resolve(root, revision)
    code, out, _ = _run(root, "merge-base", other, "HEAD")
    if code == 0:
        return out.decode().split()[0]
    if _is_shallow(root):
        raise CannotTell(
            f"this clone is too shallow to find what HEAD and {revision} have in common",
            "check out with 'fetch-depth: 0', or run 'git fetch --unshallow'",
        )
    raise BadInput(f"HEAD and {revision} have no commit in common", "name another revision")


def tree(root: Path, revision: str, folder: str) -> tuple[Entry, ...]:
    """Every file below a folder of `root` in a revision; none when it was not there."""
    commit = resolve(root, revision)
    out = _ask(root, "ls-tree", "-r", "-l", "-z", commit, "--", f"{folder}/")
    return tuple(_entry(line) for line in out.split(b"\0") if line)


def _entry(line: bytes) -> Entry:
    facts, _, path = line.partition(b"\t")
    mode, _, identity, size = facts.decode().split()
    return Entry(os.fsdecode(path), mode, identity, int(size) if size.isdigit() else 0)


def contents(root: Path, identities: tuple[str, ...]) -> dict[str, bytes]:
    """The contents of blobs, by id, in one call."""
    if not identities:
        return {}
    asked = "".join(f"{identity}\n" for identity in identities).encode()
    out = _ask(root, "cat-file", "--batch", given=asked)
    found, at = {}, 0
    for identity in identities:
        end = out.index(b"\n", at)
        header = out[at:end].split()
        if len(header) != 3:
            raise CannotTell(
                f"git lacks the object {identity}", "run 'git fsck', or fetch the repository again"
            )
        start, size = end + 1, int(header[2])
        found[identity] = out[start : start + size]
        at = start + size + 1
    return found


def tag(root: Path, name: str) -> tuple[str, bytes]:
    """The object id of a tag that has a message, and the object itself as it was signed.

    The name is looked up once: what is read afterwards is the object, wherever the name leads then.

    :raises BadInput: when there is no such tag, or it is only a name for a commit.
    """
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"refs/tags/{name}")
    code, out, err = _run(root, *asked)
    if code or "\0" in name:
        _refuse_no_repository(root, err)
        _require_repository(root)
        raise BadInput(f"there is no tag {name!r}", "fetch it with 'git fetch --tags'")
    identity = out.decode().strip()
    if _ask(root, "cat-file", "-t", identity).strip() != b"tag":
        raise BadInput(f"the tag {name!r} is not signed", "make it with 'git tag --sign'")
    return identity, _ask(root, "cat-file", "tag", identity)


def user_name(root: Path) -> str:
    """`user.name` as git is configured, empty where nothing is."""
    try:
        code, out, _ = _run(root, "config", "--get", "user.name")
    except CannotTell:
        return ""
    return out.decode(errors="replace").strip() if code == 0 else ""


def origin(root: Path) -> str:
    """Where this clone came from, empty where nobody said. A password may be in it."""
    try:
        code, out, _ = _run(root, "config", "--get", "remote.origin.url")
    except CannotTell:
        return ""
    return out.decode(errors="replace").strip() if code == 0 else ""


def _ask(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    code, out, err = _run(root, *arguments, given=given)
    if code == 0:
        return out
    _refuse_no_repository(root, err)
    said = err.decode(errors="replace").strip().splitlines()
    raise CannotTell(f"git {arguments[0]} failed: {said[-1] if said else f'exit code {code}'}")


def _run(root: Path, *arguments: str, given: bytes = b"") -> tuple[int, bytes, bytes]:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            env=_environment(),
            input=given,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        if not root.is_dir():
            raise BadInput(f"{root}: there is no such folder") from None
        raise CannotTell("git is not installed", "run 'apt-get install git'") from None
    except subprocess.TimeoutExpired:
        raise CannotTell(f"git {arguments[0]} did not answer within {TIMEOUT} s") from None
    except (OSError, ValueError) as error:
        raise CannotTell(f"git {arguments[0]} could not be run: {error}") from None
    return done.returncode, done.stdout, done.stderr


def _environment() -> dict[str, str]:
    # Inside a git hook GIT_DIR and its like point at another repository than the one asked about.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def _refuse_no_repository(root: Path, err: bytes) -> None:
    if b"not a git repository" in err:
        raise BadInput(f"{root}: is not in a git repository", "run 'git init', or name another one")
    if b"dubious ownership" in err:
        raise CannotTell(
            f"{root}: git does not read it, for it belongs to someone else",
            "run 'git config --global --add safe.directory' with this folder",
        )


def _require_repository(root: Path) -> None:
    code, _, err = _run(root, "rev-parse", "--git-dir")
    if code:
        _refuse_no_repository(root, err)


def _is_shallow(root: Path) -> bool:
    return _run(root, "rev-parse", "--is-shallow-repository")[1].strip() == b"true"


def _fetch_hint(root: Path) -> str:
    if _is_shallow(root):
        return "this clone is shallow: check out with 'fetch-depth: 0'"
    return "name a branch, a tag or a commit; a remote branch is 'origin/<name>'"
