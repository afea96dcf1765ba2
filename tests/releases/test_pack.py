"""`sluice pack`: only what has passed, as it is now, and never two things under one name."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters import plugins, signing
from pipelines.adapters.releases import ReleaseStore
from pipelines.checks import CHECKS
from pipelines.domain.document import sha256
from pipelines.domain.evidence import Isolation
from pipelines.domain.verdict import Status, Verdict
from pipelines.errors import BadInput, CannotTell, Refused
from pipelines.workflow import keys
from pipelines.workflow.pack import PackedRelease, pack
from pipelines.workflow.place import Place
from pipelines.workflow.verify import releases, verify

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

Trusted = Callable[..., keys.NewKey]
Examined = Callable[..., Path]


def reasons(here: Place, key: str = "ci", now: datetime = NOW) -> list[str]:
    """Why it is refused; nothing was written then."""
    before = lying(here)
    with pytest.raises(Refused) as refused:
        pack(here, "plain", key, None, now)
    assert lying(here) == before
    assert "sluice check plain" in refused.value.hint
    return [line.partition(": ")[2] for line in refused.value.message.splitlines()]


def lying(here: Place) -> dict[str, bytes]:
    """What is in the folder of releases, what was half written included; the lock is nothing."""
    there = [path for path in (here.home / "releases").glob("*") if path.name != ".lock"]
    return {path.name: path.read_bytes() for path in there}


def edit(here: Place, path: str, old: str, new: str) -> None:
    file = here.root / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_what_has_passed_is_packed_and_signed(here: Place, packed: PackedRelease) -> None:
    release = packed.statement.predicate.release
    assert release.subject_digest == plugins.read(here.root, "plain").digest
    assert packed.tar == here.home / "releases" / f"{release.digest}.tar"
    assert packed.statement.tar_digest == sha256(packed.tar.read_bytes())
    assert packed.statement.predicate.taken_at == NOW
    assert (packed.statement.predicate.label, packed.why, packed.anew) == (None, (), True)
    assert set(lying(here)) == {f"{release.digest}.tar", f"{release.digest}.dsse"}
    assert verify(here, str(packed.tar), None, NOW).verification.reasons == ()


def test_the_statement_says_what_a_hotfix_is_known_by(
    here: Place, packed: PackedRelease, examined: Examined
) -> None:
    first = packed.statement.predicate
    assert first.evidence.trades_digest is None, "nobody kept the trades of this evidence"
    edit(here, "strategies/plain/strategy.yaml", "1.4.0", "1.4.1")
    examined(trades_digest="e" * 64)
    second = pack(here, "plain", "ci", None, NOW).statement.predicate
    assert second.evidence.trades_digest == "e" * 64
    assert first.release.subject_digest != second.release.subject_digest
    assert first.remainder == second.remainder is not None
    edit(here, "strategies/plain/strategy.yaml", "1.4.1", "1.4.2")
    edit(here, "strategies/plain/strategy.py", "Means", "Other means")
    examined()
    assert pack(here, "plain", "ci", None, NOW).statement.predicate.remainder != first.remainder


def test_packing_again_changes_nothing(here: Place, packed: PackedRelease) -> None:
    before = lying(here)
    again = pack(here, "plain", "ci", None, LATER)
    assert (again.anew, again.statement) == (False, packed.statement)
    assert lying(here) == before


def test_without_evidence_nothing_is_packed(here: Place, trusted: Trusted) -> None:
    trusted("ci")
    assert reasons(here) == ["there is no evidence about this content"]


ALL = tuple(Verdict(check=check.NAME, status=Status.PASSED) for check in CHECKS)


def but(status: Status) -> tuple[Verdict, ...]:
    return (*ALL[:-1], Verdict(check=ALL[-1].check, status=status))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"verdicts": but(Status.FAILED)}, ["backtest: said no"]),
        ({"verdicts": but(Status.ERRORED)}, ["backtest: could not tell"]),
        ({"verdicts": but(Status.SKIPPED)}, ["backtest: did not run"]),
        ({"verdicts": ALL[:3]}, ["not every check ran: bias, backtest did not"]),
        ({"verdicts": ()},
         ["not every check ran: manifest, lint, unit, bias, backtest did not"]),
        ({"complete": False}, ["it was not taken with the checks of this gate"]),
        ({"verdicts": (*ALL, Verdict(check="taste", status=Status.PASSED))},
         ["it was not taken with the checks of this gate"]),
        ({"thresholds_digest": "0" * 64},
         ["it is stale: the thresholds or the portfolio have changed since"]),
        ({"data_digest": "0" * 64},
         ["environments/data.lock does not pin its candles (binance-2020-2023)"]),
        ({"tool_versions": {"freqtrade": "2026.9", "python": "3.12.1"}},
         ["Python 3.12.1 took it, and 3.11 is declared"]),
        ({"tool_versions": {}},
         ["freqtrade ? took it, and 2026.9 is pinned", "Python ? took it, and 3.11 is declared"]),
    ],
    ids=["failed", "errored", "skipped", "some", "none", "incomplete", "other checks",
         "other thresholds", "other candles", "another python", "other tools"],
)  # fmt: skip
def test_evidence_that_is_not_a_pass_of_exactly_this_is_refused(
    here: Place, trusted: Trusted, examined: Examined, changed: dict[str, Any], said: list[str]
) -> None:
    trusted("ci")
    examined(**changed)
    assert reasons(here) == [f"evidence: {one}" for one in said]


def test_evidence_in_a_folder_where_it_does_not_belong_is_refused(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    trusted("ci")
    file = examined()
    edit(here, "strategies/plain/strategy.py", "Means", "Other means")
    moved = here.home / "evidence" / plugins.read(here.root, "plain").digest
    shutil.move(file.parent, moved)
    assert reasons(here) == ["evidence: it is about other content"]


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("strategies/plain/strategy.py", "Means", "Other", "no evidence about this content"),
        ("strategies/plain/strategy.json", "{}", '{"a": 1}', "no evidence about this content"),
        ("strategies/shared/means_v1.py", "1", "2", "no evidence about this content"),
        ("environments/test.yaml", "min_trades: 100", "min_trades: 101", "it is stale"),
        ("environments/data.lock", "whole: {start: 2020-01-01", "whole: {start: 2020-01-02",
         "does not pin its candles"),
        ("environments/pins.lock", "3.11", "3.13", "3.13 is declared"),
    ],
)  # fmt: skip
def test_whatever_changes_after_the_check_is_refused(
    here: Place, trusted: Trusted, examined: Examined, path: str, old: str, new: str, said: str
) -> None:
    trusted("ci")
    examined()
    edit(here, path, old, new)
    (reason,) = reasons(here)
    assert said in reason


def test_everything_that_is_wrong_is_told_at_once(
    here: Place, packed: PackedRelease, examined: Examined, trusted: Trusted
) -> None:
    edit(here, "strategies/plain/strategy.py", "Means", "Other means")
    examined(thresholds_digest="0" * 64, verdicts=but(Status.FAILED))
    keys.new(here, "host", None, NOW)
    stale, failed, conflict, unknown = reasons(here, key="host")
    assert (stale.split(":")[1], failed) == (" it is stale", "evidence: backtest: said no")
    assert conflict.startswith("version 1.4.0 of plain is packed already with other content")
    assert unknown.startswith("trust.yaml knows no key")


def test_the_evidence_that_speaks_most_for_it_is_taken(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    trusted("ci")
    examined("embedded")
    strong = examined()
    examined(complete=False, verdicts=ALL[:1], isolation=Isolation.WEAK)
    (here.home / "evidence" / strong.parent.name / "broken.json").write_text("{")
    done = pack(here, "plain", "ci", None, NOW)
    assert (done.evidence, done.statement.predicate.label) == (strong, None)


@pytest.mark.parametrize(
    ("data", "changed", "why"),
    [
        ("embedded", {}, "the candles are synthetic"),
        ("binance-2020-2023", {"isolation": Isolation.WEAK}, "strategy code ran in weak isolation"),
    ],
)
def test_weak_evidence_packs_for_the_demo_only_and_that_is_signed(
    here: Place, trusted: Trusted, examined: Examined, data: str, changed: Any, why: str
) -> None:
    trusted("ci")
    examined(data, **changed)
    done = pack(here, "plain", "ci", None, NOW)
    assert (done.statement.predicate.label, done.why) == ("demo", (why,))
    _, statement = signing.opened(done.tar.with_suffix(".dsse").read_bytes(), "it")
    assert statement.predicate.label == "demo"
    (signer,) = verify(here, str(done.tar), None, NOW).verification.signers
    assert signer.opens == ("demo/test",)


def test_a_demo_key_labels_whatever_it_signs(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    name = trusted("demo").name
    examined()
    done = pack(here, "plain", "demo", None, NOW)
    assert (done.statement.predicate.label, done.why) == (
        "demo",
        (f"{name} is a key for the demo",),
    )


DEMO = "environments/demo"


def at_the_demos_door(here: Place, examined: Examined, **changed: Any) -> Path:
    """Complete evidence on recorded candles in full isolation, with the demo's thresholds."""
    digest = replace(here, folder=DEMO).door().thresholds_digest()
    return examined(thresholds_digest=digest, demo=True, **changed)


def test_what_passed_at_the_demos_door_is_packed_for_the_demo_only(
    here: Place, examined: Examined
) -> None:
    evidence = at_the_demos_door(here, examined)
    made = keys.new(here, "demo", None, NOW)
    file = here.root / DEMO / "trust.yaml"
    file.write_text(f"{file.read_text()}{made.line}\n")
    there = replace(here, folder=DEMO)
    done = pack(there, "plain", "demo", None, NOW)
    label = done.statement.predicate.label
    assert (done.evidence, label, done.why[0]) == (
        evidence,
        "demo",
        "the thresholds are those of the demo",
    )
    (signer,) = verify(there, str(done.tar), None, NOW).verification.signers
    assert signer.opens == ("demo/test",)
    # Nobody outside of the demo knows the key.
    (objection,) = verify(here, str(done.tar), None, NOW).verification.reasons
    assert "trust.yaml knows no key" in objection


def test_what_passed_at_the_demos_door_is_stale_at_the_real_one(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    trusted("ci")
    at_the_demos_door(here, examined)
    (reason,) = reasons(here)
    assert reason.startswith("evidence: it is stale: the thresholds")


def test_the_demos_label_does_not_hang_on_its_thresholds_being_others(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    trusted("ci")
    examined(demo=True)
    done = pack(here, "plain", "ci", None, NOW)
    assert done.statement.predicate.label == "demo"


def test_what_failed_at_the_demos_door_is_not_packed(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    trusted("demo")
    at_the_demos_door(here, examined, verdicts=but(Status.FAILED))
    with pytest.raises(Refused, match="backtest: said no"):
        pack(replace(here, folder=DEMO), "plain", "demo", None, NOW)


def test_better_evidence_takes_the_label_off_and_worse_never_puts_it_on(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    trusted("ci")
    weak = examined("embedded")
    labelled = pack(here, "plain", "ci", None, NOW)
    strong = examined()
    plain = pack(here, "plain", "ci", None, LATER)
    assert plain.statement.predicate.label is None
    assert plain.statement.predicate.release == labelled.statement.predicate.release
    strong.unlink()
    assert weak.is_file()
    (reason,) = reasons(here, now=LATER)
    assert reason.startswith("it is packed already without the label demo")


@pytest.mark.parametrize(
    ("changed", "now", "said"),
    [
        ({"revoked": "2026-11-20T00:00:00Z"}, NOW, "was revoked (2026-11-20)"),
        ({"until": "2026-11-22T00:00:00Z"}, NOW + timedelta(days=2), "has expired (2026-11-22)"),
        ({}, NOW - timedelta(days=2), "counts from 2026-11-21 only"),
    ],
)
def test_a_key_that_does_not_count_signs_nothing(
    here: Place, trusted: Trusted, examined: Examined, changed: Any, now: datetime, said: str
) -> None:
    name = trusted("ci", **changed).name
    examined()
    (reason,) = reasons(here, now=now)
    assert reason.startswith(f"{name} {said}")


def test_a_host_signs_no_releases(here: Place, trusted: Trusted, examined: Examined) -> None:
    name = trusted("host").name
    examined()
    assert reasons(here, "host") == [f"{name} is a key of the role host, which signs no releases"]


def test_a_key_in_a_file_signs_as_well(
    here: Place, trusted: Trusted, examined: Examined, tmp_path: Path
) -> None:
    made = trusted("ci", out=tmp_path / "elsewhere" / "k.pem")
    examined()
    assert pack(here, "plain", str(made.path), None, NOW).signed_by == (made.name,)


def test_without_a_key_it_says_how_to_make_one(here: Place, examined: Examined) -> None:
    examined()
    with pytest.raises(BadInput, match=r"ci\.pem: there is no such key") as refused:
        pack(here, "plain", "ci", None, NOW)
    assert "sluice keys new" in refused.value.hint


def test_a_second_signature_stands_beside_the_first(
    here: Place, packed: PackedRelease, trusted: Trusted, tmp_path: Path
) -> None:
    second = trusted("ci", out=tmp_path / "second.pem")
    done = pack(here, "plain", str(second.path), None, LATER)
    assert done.signed_by == (*packed.signed_by, second.name)
    assert done.statement == packed.statement
    assert pack(here, "plain", "ci", None, LATER).anew is False
    signers = verify(here, str(done.tar), None, LATER).verification.signers
    assert tuple(one.name for one in signers) == done.signed_by


def test_a_signature_that_counts_no_more_is_left_out_when_another_is_added(
    here: Place, packed: PackedRelease, trusted: Trusted, tmp_path: Path
) -> None:
    edit(here, "environments/trust.yaml", "Z}", "Z, revoked: 2026-11-21T12:30:00Z}")
    assert verify(here, str(packed.tar), None, LATER).verification.reasons
    second = trusted("ci", out=tmp_path / "second.pem")
    done = pack(here, "plain", str(second.path), None, LATER)
    assert done.signed_by == (second.name,)
    assert verify(here, str(done.tar), None, LATER).verification.reasons == ()


def test_one_version_with_two_contents_is_refused_until_the_version_rises(
    here: Place, packed: PackedRelease, examined: Examined
) -> None:
    edit(here, "strategies/plain/strategy.py", "Means", "Other means")
    examined()
    known = packed.statement.predicate.release.id
    assert reasons(here) == [
        f"version 1.4.0 of plain is packed already with other content, as {known}"
    ]
    edit(here, "strategies/plain/strategy.yaml", "1.4.0", "1.4.1")
    examined()
    assert pack(here, "plain", "ci", None, NOW).anew
    assert [one.release.version for one in releases(here).releases] == ["1.4.0", "1.4.1"]


def test_versions_are_listed_as_numbers(
    here: Place, packed: PackedRelease, examined: Examined
) -> None:
    for old, new in (("1.4.0", "1.10.0"), ("1.10.0", "1.9.0")):
        edit(here, "strategies/plain/strategy.yaml", old, new)
        examined()
        pack(here, "plain", "ci", None, NOW)
    listed = releases(here)
    assert [one.release.version for one in listed.releases] == ["1.4.0", "1.9.0", "1.10.0"]
    assert listed.broken == ()


def test_where_a_release_is_broken_no_other_is_packed_beside_it(
    here: Place, packed: PackedRelease, examined: Examined
) -> None:
    packed.tar.with_suffix(".dsse").write_text("{}")
    edit(here, "strategies/plain/strategy.yaml", "1.4.0", "1.4.1")
    examined()
    with pytest.raises(Refused, match=r"\.dsse: payload: Field required"):
        pack(here, "plain", "ci", None, NOW)
    assert len(releases(here).broken) == 1


@pytest.mark.parametrize("suffix", [".tar", ".dsse"])
@pytest.mark.parametrize("how", ["gone", "cut", "other"])
def test_packing_again_mends_what_was_broken(
    here: Place, packed: PackedRelease, suffix: str, how: str
) -> None:
    file = packed.tar.with_suffix(suffix)
    sound = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(sound[:-9] if how == "cut" else b"x" * len(sound))
    assert pack(here, "plain", "ci", None, NOW).anew
    assert file.read_bytes() == sound
    assert verify(here, str(packed.tar), None, NOW).verification.reasons == ()


def test_a_path_that_no_release_can_hold_is_told(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    trusted("ci")
    deep = here.root / "strategies" / "plain" / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    (deep / "c.txt").write_text("c")
    examined()
    with pytest.raises(BadInput, match="more than 89 characters"):
        pack(here, "plain", "ci", None, NOW)


def test_where_nothing_can_be_written_it_says_so(
    here: Place, trusted: Trusted, examined: Examined
) -> None:
    trusted("ci")
    examined()
    (here.home / "releases").write_text("a file")
    with pytest.raises(CannotTell, match="cannot be written"):
        pack(here, "plain", "ci", None, NOW)


PACK = """
import os, shutil, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines.workflow.pack import pack
from pipelines.workflow.place import Place
root, start, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
now = datetime(2026, 11, 21, 12, tzinfo=UTC)

def killed_at(home, step):
    def watch(event, arguments):
        nonlocal step
        if event.startswith(("open", "os.", "tempfile.", "fcntl.")):
            ours = any(str(home / "releases") in str(one) for one in arguments)
            if ours or event == "fcntl.flock":
                if step == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                step -= 1
    sys.addaudithook(watch)
    pack(Place(root, home), "plain", "ci", None, now)
    os._exit(0)

if not steps:
    pack(Place(root, start), "plain", "ci", None, now)
for step in range(steps):
    home = start.with_name(f"{start.name}-{step}")
    shutil.copytree(start, home)
    child = os.fork() or killed_at(home, step)
    if os.waitpid(child, 0)[1] == 0:
        break
"""
"""Pack; with a number of steps, pack as often, each time in a child that dies one step later."""


@pytest.mark.slow
def test_killed_at_any_step_it_leaves_nothing_half_written(
    here: Place, packed: PackedRelease
) -> None:
    whole = lying(here)
    shutil.rmtree(here.home / "releases")
    argv = [sys.executable, "-c", PACK, str(here.root), str(here.home), "60"]
    subprocess.run(argv, check=True)
    homes = sorted(here.home.parent.glob("home-*"), key=lambda path: int(path.name[5:]))
    seen = []
    for home in homes:
        left = Place(here.root, home)
        named = {name: held for name, held in lying(left).items() if not name.startswith(".")}
        assert named.items() <= whole.items(), home
        assert not ReleaseStore(home).digests() or named == whole, home
        seen.append(len(named))
        pack(left, "plain", "ci", None, NOW)
        assert lying(left) == whole, home
    # It died before, between and after the two files, and at last not at all.
    assert seen == sorted(seen)
    assert (set(seen), len(seen) > 8) == ({0, 1, 2}, True)


@pytest.mark.slow
def test_many_that_pack_at_once_leave_one_release(here: Place, packed: PackedRelease) -> None:
    whole = lying(here)
    shutil.rmtree(here.home / "releases")
    argv = [sys.executable, "-c", PACK, str(here.root), str(here.home), "0"]
    children = [subprocess.Popen(argv) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    assert lying(here) == whole


@pytest.mark.slow
def test_of_two_contents_that_are_packed_at_once_under_one_version_the_later_is_refused(
    here: Place, packed: PackedRelease, examined: Examined, tmp_path: Path
) -> None:
    store, aside = ReleaseStore(here.home), tmp_path / "aside"
    shutil.copytree(store.folder, aside)
    shutil.rmtree(store.folder)
    edit(here, "strategies/plain/strategy.py", "Means", "Other means")
    examined()
    argv = [sys.executable, "-c", PACK, str(here.root), str(here.home), "0"]
    with store.alone():
        child = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while child.poll() is None and not waits(child.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        shutil.copytree(aside, store.folder, dirs_exist_ok=True)
    _, said = child.communicate(timeout=60)
    assert "version 1.4.0 of plain is packed already with other content" in said
    assert store.digests() == (packed.tar.stem,)


def waits(pid: int) -> bool:
    """True when a process waits for somebody else's lock."""
    told = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f" {pid} " in line for line in told)


@pytest.mark.slow
@pytest.mark.needs("git")
def test_a_clone_packed_by_another_sluice_gives_the_same_release(
    here: Place, packed: PackedRelease, tmp_path: Path, root: Path
) -> None:
    identity = ("-c", "user.name=us", "-c", "user.email=us@localhost")
    for words in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "first")):
        subprocess.run(["git", *words], cwd=here.root, check=True, capture_output=True)
    clone = tmp_path / "another machine"
    subprocess.run(["git", "clone", "-q", here.root, clone], check=True, capture_output=True)
    shutil.copytree(root / "pipelines", clone / "pipelines")
    shutil.copytree(root / "requirements", clone / "requirements")
    home = tmp_path / "another home"
    shutil.copytree(here.home / "evidence", home / "evidence")
    shutil.copytree(here.home / "keys", home / "keys")
    ended = subprocess.run(
        [sys.executable, "-c", PACK, str(clone), str(home), "0"],
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(clone), "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        umask=0o077,
        check=False,
    )
    assert ended.returncode == 0
    assert (home / "releases" / packed.tar.name).read_bytes() == packed.tar.read_bytes()
