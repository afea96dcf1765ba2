"""`sluice secrets` as a person or a script uses it: real processes, pipes and a terminal."""

import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.adapters import sealing
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.secret import Scope, SecretName

pytestmark = pytest.mark.slow

VALUE = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"

Sluice = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def sluice(project: Path, home: Path) -> Sluice:
    def run(*arguments: str, value: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), cwd=project, env={**os.environ, "SLUICE_HOME": str(home)},
            input=value, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipelines.cli", "secrets", *arguments]


def kept(home: Path, scope: Scope) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in SecretStore(home).held(scope).items()}


def test_a_secret_is_set_listed_rotated_and_forgotten_and_never_shown(
    sluice: Sluice, home: Path
) -> None:
    told = [
        sluice("set", "prod", "exchange_key", value=f"{VALUE}\n"),
        sluice("set", "prod/prod", "exchange_secret", value=f"{VALUE[::-1]}\r\n"),
        sluice("list", "prod"),
        sluice("rotate", "prod"),
    ]
    assert [ended.returncode for ended in told] == [0] * 4, told
    assert kept(home, Scope("prod", "prod")) == {
        SecretName.EXCHANGE_KEY: VALUE,
        SecretName.EXCHANGE_SECRET: VALUE[::-1],
    }
    ended = sluice("remove", "prod", "exchange_key")
    assert (ended.returncode, ended.stdout) == (0, "prod/prod: exchange_key is forgotten\n")
    assert SecretName.EXCHANGE_KEY not in kept(home, Scope("prod", "prod"))
    said = "".join(each.stdout + each.stderr for each in (*told, ended))
    assert VALUE not in said
    assert VALUE[::-1] not in said
    on_disk = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert VALUE.encode() not in on_disk


def test_the_agent_s_own_token_is_kept_beside_those_of_environments(
    sluice: Sluice, project: Path, home: Path
) -> None:
    refused = sluice("set", "prod", "telegram_token", value=VALUE)
    assert (refused.returncode, "needs no secret" in refused.stderr) == (2, True)
    assert "telegram" not in sluice("list").stdout
    (project / "environments" / "telegram.yaml").write_text("chats: [1]\nusers: {ann: 2}\n")
    listed = sluice("list")
    assert "telegram_token     missing" in listed.stdout
    ended = sluice("set", "telegram", "telegram_token", value=f"{VALUE}\n")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert kept(home, Scope("telegram")) == {SecretName.TELEGRAM_TOKEN: VALUE}
    assert sluice("set", "telegram", "exchange_key", value=VALUE).returncode == 2


def test_the_list_tells_machines_what_is_kept_and_missing(sluice: Sluice) -> None:
    sluice("set", "prod", "exchange_key", value=VALUE)
    ended = sluice("list", "prod", "--json")
    assert ended.returncode == 1
    rows = json.loads(ended.stdout)["secrets"]
    assert [(row["scope"], row["name"], bool(row["since"]), row["named"]) for row in rows] == [
        ("prod/prod", "exchange_key", True, True),
        ("prod/prod", "exchange_secret", False, True),
    ]
    assert "missing" in ended.stderr


def test_what_nobody_needs_any_more_is_told_and_can_be_forgotten(
    sluice: Sluice, project: Path
) -> None:
    prod = project / "environments" / "prod.yaml"
    for name in ("exchange_key", "exchange_secret"):
        sluice("set", "prod", name, value=VALUE)
    prod.write_text(prod.read_text().replace("account: prod ", "account: other "))
    demo = project / "environments" / "demo" / "prod.yaml"
    demo.write_text(demo.read_text().replace("account: prod", "account: other"))
    assert sluice("list", "prod").stdout.count("needed by nobody") == 2
    assert sluice("remove", "prod", "exchange_key").returncode == 0


REFUSED = {
    "an unknown environment": (("prd", "exchange_key"), "no environment 'prd'", "prod, sandbox"),
    "a path": (("../prod", "exchange_key"), "no environment '..'", "there are"),
    "an unknown name": (("prod", "api_key"), "needs no secret 'api_key'", "exchange_key"),
    "keys for paper": (("test", "exchange_key"), "needs no secret", "no secret is needed"),
    "an unknown account": (("prod/old", "exchange_key"), "needs no secret", "prod/prod"),
}


@pytest.mark.parametrize(("arguments", "said", "hint"), REFUSED.values(), ids=REFUSED)
def test_refuses(
    sluice: Sluice, home: Path, arguments: tuple[str, str], said: str, hint: str
) -> None:
    ended = sluice("set", *arguments, value=VALUE)
    assert (ended.returncode, ended.stdout) == (2, "")
    error, advice = ended.stderr.splitlines()
    assert said in error
    assert hint in advice
    assert not home.exists()


@pytest.mark.parametrize(
    "value",
    ["", "\n", "0b7d3f1", f" {VALUE}", f"{VALUE} ", f"{VALUE}\n\n", "x" * 16_385, f"{VALUE}\0"],
)
def test_what_cannot_be_a_secret_is_refused_and_not_told(
    sluice: Sluice, home: Path, value: str
) -> None:
    ended = sluice("set", "prod", "exchange_key", value=value)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: standard input: ")
    assert not value.strip() or value.strip() not in ended.stderr
    assert not home.exists()


def test_a_key_of_several_lines_is_kept_as_it_is(sluice: Sluice, home: Path) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----"
    assert sluice("set", "prod", "exchange_secret", value=f"{pem}\n").returncode == 0
    assert kept(home, Scope("prod", "prod")) == {SecretName.EXCHANGE_SECRET: pem}


def test_a_value_is_no_argument(sluice: Sluice) -> None:
    assert sluice("set", "prod", "exchange_key", VALUE).returncode == 2


def test_at_a_terminal_it_is_asked_for_and_not_shown(project: Path, home: Path) -> None:
    own, theirs = pty.openpty()
    child = subprocess.Popen(
        command("set", "prod", "exchange_key"), cwd=project, stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True, env={**os.environ, "SLUICE_HOME": str(home)},
    )  # fmt: skip
    shown = b""
    while b"(is not shown)" not in shown:
        shown += os.read(own, 1024)
    while termios.tcgetattr(own)[3] & termios.ECHO:
        assert child.poll() is None
    os.write(own, f"{VALUE}\n".encode())
    while b"is kept" not in shown:
        shown += os.read(own, 1024)
    assert child.wait(30) == 0
    os.close(theirs)
    os.close(own)
    assert VALUE.encode() not in shown
    assert kept(home, Scope("prod", "prod")) == {SecretName.EXCHANGE_KEY: VALUE}


def test_a_sealed_secret_is_read_on_the_host_that_it_is_for(sluice: Sluice, home: Path) -> None:
    host = sluice("host-key").stdout.strip()
    ended = sluice("seal", "prod", "exchange_key", "--to", host, value=VALUE)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert VALUE not in ended.stdout
    out = sealing.unseal(ended.stdout, sealing.host_key(home))
    assert (str(out.scope), out.name, out.secret.reveal()) == (
        "prod/prod", SecretName.EXCHANGE_KEY, VALUE,
    )  # fmt: skip
    assert sluice("seal", "prod", "exchange_key", "--to", "me", value=VALUE).returncode == 2
