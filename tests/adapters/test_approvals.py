"""Approvals with the real ssh-keygen and real repositories."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.adapters import approvals
from pipelines.adapters.approvals import TAG_LASTS, Tag, TrustedKey
from pipelines.domain.promotion import ApprovalStatement, Approved, Risk
from pipelines.errors import BadInput, CannotTell, Refused

pytestmark = pytest.mark.needs("ssh-keygen")

NOW = datetime.now(UTC)
DIGEST = "3f9c2a1b" + "0" * 56
RELEASE = "calm@1.4.0+3f9c2a1b"
STATEMENT = ApprovalStatement(
    environment="prod",
    release=RELEASE,
    digest=DIGEST,
    step=2,
    predecessor="a" * 64,
    sequence=7,
    accepts=(Risk.LOOSER_STOP,),
    expires=NOW + timedelta(days=1),
)


@dataclass(frozen=True)
class Person:
    private: Path
    trusted: TrustedKey


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Person]:
    folder = tmp_path_factory.mktemp("keys")
    kinds = {"ada": "ed25519", "bob": "ecdsa", "eve": "ed25519"}
    for name, kind in kinds.items():
        make = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(make, check=True)
    return {
        name: Person(folder / name, TrustedKey(name, (folder / f"{name}.pub").read_text()))
        for name in kinds
    }


@pytest.fixture
def trusted(people: dict[str, Person]) -> tuple[TrustedKey, ...]:
    """Everybody but eve."""
    return (people["ada"].trusted, people["bob"].trusted)


@pytest.mark.parametrize("name", ["ada", "bob"])
def test_a_signed_statement_is_an_approval(
    people: dict[str, Person], trusted: tuple[TrustedKey, ...], name: str
) -> None:
    signature = approvals.sign(STATEMENT, people[name].private)
    found = approvals.verify(STATEMENT.canonical(), signature, "prod", trusted, NOW)
    listed = ["ssh-keygen", "-l", "-f", str(people[name].private)]
    told = subprocess.run(listed, check=True, capture_output=True, text=True).stdout
    assert found == Approved(
        means="signature",
        identity=STATEMENT.content_digest(),
        by=name,
        key=told.split()[1],
        at=NOW,
        **STATEMENT.model_dump(),
    )


def reasons(caught: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [line.removeprefix("approval: ") for line in caught.value.message.splitlines()]


def refusal(
    people: dict[str, Person],
    by: str = "ada",
    *,
    statement: ApprovalStatement = STATEMENT,
    content: bytes = b"",
    environment: str = "prod",
    known: frozenset[str] = frozenset(),
) -> list[str]:
    trusted = (people["ada"].trusted, people["bob"].trusted)
    signature = approvals.sign(statement, people[by].private)
    content = content or statement.canonical()
    with pytest.raises(Refused) as caught:
        approvals.verify(content, signature, environment, trusted, NOW, known)
    return reasons(caught)


def test_refuses_a_key_that_nobody_trusts(people: dict[str, Person]) -> None:
    assert refusal(people, "eve") == ["the key that signed is not among those that are trusted"]


def test_refuses_another_statement_than_was_signed(people: dict[str, Person]) -> None:
    forged = STATEMENT.model_copy(update={"sequence": 8}).canonical()
    assert refusal(people, content=forged) == ["the signature is not over this statement"]


def test_refuses_an_approval_for_another_environment(people: dict[str, Person]) -> None:
    assert refusal(people, environment="sandbox") == [
        "it was signed for 'prod', not for 'sandbox'",
        "it is for prod, not for sandbox",
    ]


def test_the_environment_is_signed_twice_over(people: dict[str, Person]) -> None:
    # A signature for one environment over a statement that names another is for neither.
    named = STATEMENT.model_copy(update={"environment": "sandbox"})
    signature = signed_for("prod", people["ada"].private, named.canonical())
    for environment in ("prod", "sandbox"):
        with pytest.raises(Refused) as caught:
            approvals.verify(
                named.canonical(), signature, environment, (people["ada"].trusted,), NOW
            )
        assert len(reasons(caught)) == 1


def signed_for(namespace: str, key: Path, content: bytes) -> bytes:
    argv = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(key)]
    return subprocess.run(argv, input=content, check=True, capture_output=True).stdout


def test_refuses_what_expired_to_the_second(people: dict[str, Person]) -> None:
    late = STATEMENT.model_copy(update={"expires": NOW})
    assert refusal(people, statement=late)[0].startswith("it expired at ")
    late = STATEMENT.model_copy(update={"expires": NOW + timedelta(seconds=1)})
    signature = approvals.sign(late, people["ada"].private)
    approvals.verify(late.canonical(), signature, "prod", (people["ada"].trusted,), NOW)


def test_refuses_what_was_used_before(people: dict[str, Person]) -> None:
    known = frozenset({STATEMENT.content_digest()})
    assert refusal(people, known=known) == ["it was used before"]
    # Signing the same statement again makes no other approval of it.
    assert refusal(people, "bob", known=known) == ["it was used before"]


def test_refuses_a_statement_that_is_written_otherwise(people: dict[str, Person]) -> None:
    spaced = STATEMENT.canonical().replace(b":", b": ", 1)
    signature = signed_for("prod", people["ada"].private, spaced)
    with pytest.raises(Refused, match="not written as statements are"):
        approvals.verify(spaced, signature, "prod", (people["ada"].trusted,), NOW)


def test_refuses_a_signature_under_something_else(people: dict[str, Person]) -> None:
    signature = signed_for("prod", people["ada"].private, b"good morning")
    with pytest.raises(Refused, match="is no statement of approval"):
        approvals.verify(b"good morning", signature, "prod", (people["ada"].trusted,), NOW)


def test_all_reasons_come_at_once(people: dict[str, Person]) -> None:
    old = STATEMENT.model_copy(update={"expires": NOW - timedelta(days=1)})
    forged = old.model_copy(update={"sequence": 8})
    known = frozenset({forged.content_digest()})
    told = refusal(
        people, "eve", statement=old, content=forged.canonical(), environment="test", known=known
    )
    assert [reason[:22] for reason in told] == [
        "the key that signed is",
        "it was signed for 'pro",
        "the signature is not o",
        "it is for prod, not fo",
        f"it expired at {old.expires:%Y-%m-%d}"[:22],
        "it was used before",
    ]


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"no signature",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n",
    ],
)
def test_refuses_what_is_no_signature(people: dict[str, Person], signature: bytes) -> None:
    with pytest.raises(Refused, match="not one that ssh-keygen writes"):
        approvals.verify(STATEMENT.canonical(), signature, "prod", (people["ada"].trusted,), NOW)


def test_no_changed_letter_of_a_signature_passes(people: dict[str, Person]) -> None:
    signature = approvals.sign(STATEMENT, people["ada"].private)
    body = signature.index(b"\n") + 1
    for place in range(body, signature.rindex(b"\n-----END"), 37):
        letter = b"A" if signature[place : place + 1] != b"A" else b"B"
        changed = signature[:place] + letter + signature[place + 1 :]
        with pytest.raises(Refused):
            approvals.verify(STATEMENT.canonical(), changed, "prod", (people["ada"].trusted,), NOW)


def test_cannot_tell_without_ssh_keygen(
    people: dict[str, Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = approvals.sign(STATEMENT, people["ada"].private)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotTell, match="ssh-keygen is not installed"):
        approvals.verify(STATEMENT.canonical(), signature, "prod", (people["ada"].trusted,), NOW)


def test_a_key_that_does_not_sign_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotTell, match="does not sign"):
        approvals.sign(STATEMENT, tmp_path / "none")


# Signed tags.

NAME = f"sandbox/{RELEASE}"


def git(folder: Path, *arguments: str, key: Path | None = None, date: datetime = NOW) -> str:
    settings = ["-c", "user.name=Ada", "-c", "user.email=ada@localhost", "-c", "gpg.format=ssh"]
    settings += ["-c", f"user.signingkey={key}"] if key else []
    return subprocess.run(
        ["git", *settings, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": f"{date.timestamp():.0f} +0000"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    return folder


def put_tag(folder: Path, person: Person, date: datetime = NOW, name: str = NAME) -> None:
    make = ("tag", "--sign", "--message", "Go", name)
    git(folder, *make, key=person.private, date=date)


def look(folder: Path, people: dict[str, Person], known: frozenset[str] = frozenset()) -> Tag:
    trusted = (people["ada"].trusted, people["bob"].trusted)
    return approvals.verify_tag(folder, NAME, trusted, NOW, known)


@pytest.mark.needs("git")
@pytest.mark.parametrize("name", ["ada", "bob"])
def test_a_signed_tag_is_an_approval_of_the_release_that_it_is_called_by(
    repository: Path, people: dict[str, Person], name: str
) -> None:
    put_tag(repository, people[name])
    tag = look(repository, people)
    assert tag.object_id == git(repository, "rev-parse", f"refs/tags/{NAME}")
    assert tag.commit == git(repository, "rev-parse", "HEAD")
    found = approvals.tag_approval(tag, RELEASE, DIGEST, "sandbox", NOW)
    assert (found.by, found.identity, found.means) == (name, tag.identity, "tag")
    assert found.expires == tag.made + TAG_LASTS
    with pytest.raises(Refused, match=f"not prod/{RELEASE}".replace("+", r"\+")):
        approvals.tag_approval(tag, RELEASE, DIGEST, "prod", NOW)


@pytest.mark.needs("git")
def test_git_itself_accepts_the_tags_that_we_accept(
    repository: Path, people: dict[str, Person], tmp_path: Path
) -> None:
    put_tag(repository, people["ada"])
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ada {people['ada'].trusted.public_key}")
    git(repository, "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-tag", NAME)
    look(repository, people)


@pytest.mark.needs("git")
def test_refuses_a_tag_of_somebody_whom_nobody_trusts(
    repository: Path, people: dict[str, Person]
) -> None:
    put_tag(repository, people["eve"])
    with pytest.raises(Refused, match="not among those that are trusted"):
        look(repository, people)


@pytest.mark.needs("git")
@pytest.mark.parametrize("made", [["tag"], ["tag", "--annotate", "--message", "Go"]])
def test_refuses_a_tag_that_nobody_signed(
    repository: Path, people: dict[str, Person], made: list[str]
) -> None:
    git(repository, *made, NAME)
    with pytest.raises(BadInput, match="is not signed") as caught:
        look(repository, people)
    assert caught.value.hint == "make it with 'git tag --sign'"


@pytest.mark.needs("git")
def test_refuses_a_tag_that_is_not_there(repository: Path, people: dict[str, Person]) -> None:
    with pytest.raises(BadInput, match="there is no tag"):
        look(repository, people)


@pytest.mark.needs("git")
@pytest.mark.parametrize("shift", [-TAG_LASTS - timedelta(hours=1), timedelta(hours=1)])
def test_refuses_a_tag_from_long_ago_or_from_the_future(
    repository: Path, people: dict[str, Person], shift: timedelta
) -> None:
    put_tag(repository, people["ada"], NOW + shift)
    with pytest.raises(Refused, match="and lasts 7 days"):
        look(repository, people)


@pytest.mark.needs("git")
def test_refuses_a_tag_that_was_used_before(repository: Path, people: dict[str, Person]) -> None:
    put_tag(repository, people["ada"])
    used = frozenset({look(repository, people).identity})
    with pytest.raises(Refused, match="it was used before"):
        look(repository, people, used)


@pytest.mark.needs("git")
@pytest.mark.parametrize("written", [b"%s\n", b"%s\nmore\n"])
def test_refuses_a_used_tag_whose_signature_was_only_written_otherwise(
    repository: Path, people: dict[str, Person], written: bytes
) -> None:
    put_tag(repository, people["ada"])
    tag = look(repository, people)
    content = git(repository, "cat-file", "tag", f"refs/tags/{NAME}").encode()
    begin = content.index(b"SIGNATURE-----\n") + len(b"SIGNATURE-----\n")
    # One line broken in two is the same signature in another object.
    broken = content[: begin + 20] + b"\n" + content[begin + 20 :]
    (repository / "again").write_bytes(written % broken)
    made = git(repository, "hash-object", "-t", "tag", "-w", "--literally", "again")
    git(repository, "update-ref", f"refs/tags/{NAME}", made)
    assert made != tag.object_id
    with pytest.raises(Refused, match="it was used before"):
        look(repository, people, frozenset({tag.identity}))


@pytest.mark.needs("git")
def test_refuses_a_tag_object_under_another_name(
    repository: Path, people: dict[str, Person]
) -> None:
    put_tag(repository, people["ada"], name="sandbox/calm@1.3.0+11111111")
    old = git(repository, "rev-parse", "refs/tags/sandbox/calm@1.3.0+11111111")
    git(repository, "update-ref", f"refs/tags/{NAME}", old)
    with pytest.raises(Refused, match=r"the object is the tag 'sandbox/calm@1\.3\.0"):
        look(repository, people)


@pytest.mark.needs("git")
def test_refuses_a_tag_whose_commit_was_exchanged(
    repository: Path, people: dict[str, Person]
) -> None:
    put_tag(repository, people["ada"])
    before = git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "Something worse")
    content = git(repository, "cat-file", "tag", f"refs/tags/{NAME}") + "\n"
    forged = content.replace(before, git(repository, "rev-parse", "HEAD"))
    (repository / "forged").write_text(forged)
    made = git(repository, "hash-object", "-t", "tag", "-w", "forged")
    git(repository, "update-ref", f"refs/tags/{NAME}", made)
    with pytest.raises(Refused, match="the signature is not over this statement"):
        look(repository, people)


@pytest.mark.needs("git")
def test_refuses_a_tag_of_something_that_is_no_commit(
    repository: Path, people: dict[str, Person]
) -> None:
    (repository / "file").write_text("x")
    blob = git(repository, "hash-object", "-w", "file")
    git(repository, "tag", "--sign", "--message", "Go", NAME, blob, key=people["ada"].private)
    with pytest.raises(Refused, match="it names no commit"):
        look(repository, people)
