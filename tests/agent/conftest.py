"""Trains that tests of the agent drive, and the folder for what a reboot empties."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.agent.train import Train, laid
from tests.exchange.running import Running, running

ACCOUNTS = (
    "sandbox:key:secret:USDT=250",
    "prod:pkey:ps:USDT=10000",
    "aside:akey:as:USDT=250",
)

Lay = Callable[..., AbstractContextManager[Train]]


@pytest.fixture(scope="session", autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What agents keep until a reboot lies here; paths of sockets are short."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def approver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person's ssh key. Ask for it with `needs("ssh-keygen")`."""
    key = tmp_path_factory.mktemp("ann") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


@contextmanager
def stepping(root: Path, folder: Path) -> Iterator[Running]:
    """A rehearsal exchange in steps of its clock, with an account for each live environment."""
    accounts = [f"--account={each}:ip=127.0.0.1" for each in ACCOUNTS]
    with running(root, folder, "--start", "2022-03-01", *accounts) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def stepped(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The exchange of a module's trains: each finds what those before it left there."""
    with stepping(root, tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def lay(root: Path, tmp_path_factory: pytest.TempPathFactory, stepped: Running) -> Lay:
    """Lay a train; whatever was started for it has ended when this ends."""

    @contextmanager
    def new(approver: Path | None = None) -> Iterator[Train]:
        train = laid(root, tmp_path_factory.mktemp("train"), stepped, approver)
        try:
            yield train
        finally:
            train.close()

    return new
