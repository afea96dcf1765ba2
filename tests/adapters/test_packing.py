"""Releases as tars: the same everywhere, and nothing else is ever unpacked."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.adapters import packing, plugins
from pipelines.domain.document import sha256
from pipelines.domain.release import Pins, Release, release_of
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.errors import CannotTell, Refused

PINS = Pins(freqtrade="2026.9", requirements="a" * 64, python="3.11")
MANIFEST = Manifest(
    class_name="Plain", version="1.4.0", owner="us", summary="nothing", pairs=("BTC/USDT",),
    timeframe="1h", handover="drain",
)  # fmt: skip
YAML = b"""\
class: Plain
version: 1.4.0
owner: us
summary: nothing
pairs: [BTC/USDT]
timeframe: 1h
handover: drain
"""
FILES = {
    "plain/strategy.yaml": YAML,
    "plain/strategy.py": b"from shared.means_v1 import MEAN\n",
    "plain/strategy.json": b'{"params": {}}\n',
    "plain/deep/README.md": b"x" * 513,
    "shared/means_v1.py": b"MEAN = 1\n",
}


def strategy(**more: bytes) -> Strategy:
    every = [SourceFile(path, content) for path, content in {**FILES, **more}.items()]
    shared = tuple(file for file in every if file.path.startswith("shared/"))
    return Strategy("plain", MANIFEST, tuple(f for f in every if f not in shared), shared)


@pytest.fixture(scope="module")
def release() -> Release:
    return release_of(strategy(), PINS)


@pytest.fixture(scope="module")
def tar(release: Release) -> bytes:
    return packing.pack(release, strategy())


def test_the_tar_is_the_same_for_ever(tar: bytes) -> None:
    # Another number here means that releases packed before can never be packed again.
    assert sha256(tar) == "3891e0c0becdc02712bed9f5e4377c7d625147b77fca7cbd38fc0315f6902997"


def test_what_is_packed_can_be_read_again(tar: bytes, release: Release) -> None:
    assert packing.read(tar, "it") == (release, dict(sorted(FILES.items())))


def test_any_tar_can_list_and_unpack_it(tar: bytes, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        members = opened.getmembers()
    assert [one.name for one in members] == sorted(
        ["release.json", *(f"strategies/{path}" for path in FILES)]
    )
    told = {(m.mtime, m.uid, m.gid, m.mode, m.uname, m.gname, m.type) for m in members}
    assert told == {(0, 0, 0, 0o644, "", "", tarfile.REGTYPE)}
    (tmp_path / "it.tar").write_bytes(tar)
    subprocess.run(["tar", "-xf", "it.tar"], cwd=tmp_path, check=True)
    assert (tmp_path / "strategies/plain/strategy.yaml").read_bytes() == YAML


PACK = """
import sys
from pathlib import Path
from pipelines.adapters import packing, plugins
from pipelines.domain.document import sha256
from pipelines.domain.release import Pins, release_of
strategy = plugins.read(Path(sys.argv[1]), "plain")
pins = Pins(freqtrade="2026.9", requirements="a" * 64, python="3.11")
print(sha256(packing.pack(release_of(strategy, pins), strategy)))
"""


def plant(root: Path, *, backwards: bool = False) -> Path:
    for path, content in sorted(FILES.items(), reverse=backwards):
        file = root / "strategies" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


def backwards(root: Path) -> None:
    shutil.rmtree(root / "strategies")
    plant(root, backwards=True)


def aged(root: Path) -> None:
    for path in root.rglob("*"):
        os.utime(path, (1, 1))


def narrowed(root: Path) -> None:
    for path in (root / "strategies").rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def left_behind(root: Path) -> None:
    cache = root / "strategies/plain/__pycache__/strategy.cpython-311.pyc"
    cache.parent.mkdir()
    cache.write_bytes(b"of this machine")


def cloned(root: Path) -> None:
    origin = root.parent / "origin"
    shutil.move(root, origin)
    identity = ("-c", "user.name=us", "-c", "user.email=us@localhost")
    for words in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "first")):
        subprocess.run(["git", *words], cwd=origin, check=True, capture_output=True)
    subprocess.run(["git", "clone", "-q", origin, root], check=True, capture_output=True)


@pytest.mark.needs("git")
@pytest.mark.parametrize("change", [backwards, aged, narrowed, left_behind, cloned])
@pytest.mark.parametrize(
    "variables",
    [{"umask": "077", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
     {"umask": "000", "TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "PYTHONUTF8": "1"}],
    ids=["narrow", "wide"],
)  # fmt: skip
def test_packed_elsewhere_it_is_the_same(
    tmp_path: Path, tar: bytes, change: Callable[[Path], None], variables: dict[str, str]
) -> None:
    root = plant(tmp_path / f"another folder {len(variables)}")
    change(root)
    ended = subprocess.run(
        [sys.executable, "-c", PACK, str(root)],
        env={**os.environ, **variables},
        cwd="/",
        umask=int(variables["umask"], 8),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.strip() == sha256(tar), ended.stderr


def test_shared_code_that_it_does_not_use_is_left_out(tmp_path: Path, tar: bytes) -> None:
    root = plant(tmp_path)
    (root / "strategies/shared/other_v1.py").write_text("OTHER = 1\n")
    read = plugins.read(root, "plain")
    assert packing.pack(release_of(read, PINS), read) == tar


def test_what_could_be_unpacked_nowhere_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    many = strategy(**{f"shared/m{n}_v1.py": b"" for n in range(packing.MOST_FILES)})
    with pytest.raises(Refused, match="too large for a release: at most 400 files"):
        packing.pack(release_of(many, PINS), many)
    monkeypatch.setattr(packing, "MOST_BYTES", 4096)
    with pytest.raises(Refused, match="too large"):
        packing.pack(release_of(strategy(), PINS), strategy())


def test_it_is_unpacked_as_a_whole_under_any_umask(tmp_path: Path, tar: bytes) -> None:
    target = tmp_path / "out" / "plain"
    before = os.umask(0o077)
    try:
        packing.unpack(tar, sha256(tar), target, "it")
    finally:
        os.umask(before)
    held = {p.relative_to(target).as_posix(): p for p in target.rglob("*")}
    assert {name: p.read_bytes() for name, p in held.items() if p.is_file()} == FILES
    assert {p.stat().st_mode & 0o777 for p in held.values() if p.is_file()} == {0o644}
    assert {p.stat().st_mode & 0o777 for p in held.values() if p.is_dir()} == {0o755}
    assert [path.name for path in target.parent.iterdir()] == ["plain"]


def test_unpacking_again_does_no_harm(tmp_path: Path, tar: bytes, release: Release) -> None:
    target = tmp_path / "plain"
    for _ in range(2):
        assert packing.unpack(tar, sha256(tar), target, "it") == release
    assert packing.differences(release, target) == ()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_tar_with_any_byte_flipped_is_never_opened(tar: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(tar) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = tar[:at] + bytes([tar[at] ^ (1 << bit)]) + tar[at + 1 :]
    # Even without its digest nothing but the one form of a release is read.
    with pytest.raises(Refused):
        packing.read(flipped, "it")


def test_the_digest_is_compared_before_anything_is_read(
    tmp_path: Path, tar: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(packing, "read", read)
    with pytest.raises(Refused, match="its digest differs"):
        packing.unpack(tar + b"\0", sha256(tar), tmp_path / "plain", "it")
    assert list(tmp_path.iterdir()) == []


def hostile(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    """A tar such as others write, with these members after those of the release."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for one in members:
            if isinstance(one, tarfile.TarInfo):
                made.addfile(one)
                continue
            entry = tarfile.TarInfo(one[0])
            entry.size = len(one[1])
            made.addfile(entry, io.BytesIO(one[1]))
    return out.getvalue()


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, to
    return entry


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (hostile(link("strategies/plain/a", "/etc/passwd")), "is a symbolic link"),
        (hostile(link("strategies/plain/a", "x", tarfile.LNKTYPE)), "is a hard link"),
        (hostile(link("strategies/plain", "", tarfile.DIRTYPE)), "is a folder"),
        (hostile(link("strategies/plain/a", "", tarfile.FIFOTYPE)), "no file as releases"),
        (hostile(link("strategies/plain/a", "", tarfile.CHRTYPE)), "no file as releases"),
        (b"", "no file as releases"),
        (bytes(1024), "lacks release.json"),
        (b"x" * 5000, "no file as releases"),
        (b"\xff" * (packing.MOST_BYTES + 1), "larger than 16 MiB"),
    ],
)  # fmt: skip
def test_what_is_no_release_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        packing.read(content, "it")


def built(files: dict[str, bytes]) -> bytes:
    """A tar in the right form with these members, in the order given."""
    return b"".join(packing._member(*one) for one in files.items()) + packing._END


@pytest.fixture
def members(tar: bytes, release: Release) -> dict[str, bytes]:
    _, files = packing.read(tar, "it")
    described = {"release.json": release.canonical()}
    return {**described, **{f"strategies/{path}": content for path, content in files.items()}}


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "strategies/../../evil", "strategies/plain/evil.py", "evil\0"]
)
def test_members_that_nobody_asked_for_are_refused(members: dict[str, bytes], name: str) -> None:
    content = built(dict(sorted({**members, name: b"evil"}.items())))
    with pytest.raises(Refused, match=r"holds \S*evil\S*, which is no part"):
        packing.read(content, "it")


def test_every_file_that_differs_is_named_at_once(members: dict[str, bytes]) -> None:
    members["strategies/plain/strategy.py"] = b"evil\n"
    del members["strategies/shared/means_v1.py"]
    members["strategies/zzz"] = b""
    with pytest.raises(Refused) as refused:
        packing.read(built(members), "it")
    assert refused.value.message.splitlines() == [
        "it: holds strategies/zzz, which is no part of it",
        "it: lacks strategies/shared/means_v1.py",
        "it: strategies/plain/strategy.py is not what release.json says",
    ]


@pytest.mark.parametrize("manifest", [b"", b"version: 1.4.0\n", YAML.replace(b"1.4.0", b"1.3.0")])
def test_a_manifest_that_does_not_bear_the_version_is_refused(manifest: bytes) -> None:
    lying = strategy(**{"plain/strategy.yaml": manifest})
    with pytest.raises(Refused, match=r"it: strategies/plain/strategy\.yaml"):
        packing.read(packing.pack(release_of(lying, PINS), lying), "it")


def test_a_file_that_stands_twice_is_refused(tar: bytes, members: dict[str, bytes]) -> None:
    name, content = list(members.items())[-1]
    twice = tar[: -len(packing._END)] + packing._member(name, content) + packing._END
    with pytest.raises(Refused, match="stands twice"):
        packing.read(twice, "it")
    with pytest.raises(Refused, match="not sorted"):
        packing.read(built(dict(reversed(members.items()))), "it")


@pytest.mark.parametrize("cut", [1, 512, 1024, 1025, 3000])
def test_a_tar_that_is_cut_off_is_refused(tar: bytes, cut: int) -> None:
    with pytest.raises(Refused):
        packing.read(tar[:-cut], "it")


@pytest.mark.parametrize("more", [b"\0", bytes(512), b"PK\x03\x04"])
def test_a_tar_with_something_behind_it_is_refused(tar: bytes, more: bytes) -> None:
    with pytest.raises(Refused, match="does not end where its last file ends"):
        packing.read(tar + more, "it")


def test_more_files_than_a_release_can_hold_are_refused() -> None:
    with pytest.raises(Refused, match="more than 400 files"):
        packing.read(built({f"{n:04}": b"" for n in range(packing.MOST_FILES + 1)}), "it")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(b'"version":"1.4.0"', b'"version":"1"'), "version"),
        (lambda text: text.replace(b'"version":"1.4.0"', b'"version":"1.5.0"'),
         r"strategy\.yaml says version 1\.4\.0, release\.json 1\.5\.0"),
        (lambda text: text.replace(b'"2026.9"', b'"2026.8"'), "the digest is not that of"),
        (lambda text: text.replace(b":", b": ", 1), "not as packing writes it"),
        (lambda _: b"{", "Invalid JSON"),
    ],
)  # fmt: skip
def test_a_description_that_lies_is_refused(
    members: dict[str, bytes], change: Callable[[bytes], bytes], said: str
) -> None:
    members["release.json"] = change(members["release.json"])
    with pytest.raises(Refused, match=said):
        packing.read(built(members), "it")


@pytest.fixture
def unpacked(tmp_path: Path, tar: bytes) -> Path:
    target = tmp_path / "plain"
    packing.unpack(tar, sha256(tar), target, "it")
    return target


def added(folder: Path) -> None:
    (folder / "plain" / "__pycache__").mkdir()
    (folder / "plain" / "__pycache__" / "strategy.cpython-311.pyc").write_bytes(b"evil")


def edited(folder: Path) -> None:
    (folder / "plain" / "strategy.py").write_bytes(b"evil\n")


def removed(folder: Path) -> None:
    (folder / "shared" / "means_v1.py").unlink()


def linked(folder: Path) -> None:
    shutil.move(folder / "plain" / "strategy.py", folder.parent / "strategy.py")
    (folder / "plain" / "strategy.py").symlink_to(folder.parent / "strategy.py")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (added, "holds plain/__pycache__/strategy.cpython-311.pyc"),
        (edited, "plain/strategy.py is not what was packed"),
        (removed, "lacks shared/means_v1.py"),
        (linked, "plain/strategy.py is not what was packed"),
    ],
)
def test_an_unpacked_release_that_was_touched_is_not_taken_for_it(
    tar: bytes, unpacked: Path, tamper: Callable[[Path], None], said: str
) -> None:
    tamper(unpacked)
    with pytest.raises(Refused, match=said):
        packing.unpack(tar, sha256(tar), unpacked, "it")


def test_where_nothing_can_be_written_nothing_appears(tmp_path: Path, tar: bytes) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotTell, match="cannot be written"):
        packing.unpack(tar, sha256(tar), tmp_path / "file" / "plain", "it")
