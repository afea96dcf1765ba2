"""What isolation has to withstand, and what an attack on it reports.

The list stands here, on our side: an attack that reports nothing has not been stopped.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from pipelines.domain.document import Document

REACHES: Mapping[str, str] = MappingProxyType(
    {
        "secret": "read a file that lies beside the checkout",
        "environment": "read our environment variables",
        "other processes": "see, signal or read another process",
        "trace": "attach to another process as a debugger",
        "loopback": "connect to a server on this machine",
        "unix socket": "connect to a named or an abstract socket",
        "other sockets": "make a socket of another kind",
        "descriptors": "use a file that we have open",
        "system": "write to the system, to Python or to the checkout",
        "inputs": "change the files that it was given",
        "devices": "see devices, or fill the memory behind them",
        "namespaces": "make namespaces of its own",
        "mounts": "mount, unmount or change the root",
        "privileges": "gain a capability or another user",
        "terminal": "type into a terminal",
    }
)
"""Attempts that reach for something outside; all of them are made by one child."""

BREAKS: Mapping[str, str] = MappingProxyType(
    {
        "wall time": "sleep for ever",
        "CPU time": "compute for ever",
        "memory": "take more and more memory",
        "processes": "start more and more processes",
        "disk": "write more and more files",
        "output": "print without end",
    }
)
"""Attempts to break a limit, by the limit that has to be named; a child each."""


class AttackRequest(Document):
    """What to attack: `limit` is empty for the attempts that reach for something outside.

    `secret` is a file of ours, `process` one of our processes, `port` and `sockets` are servers
    that listen, `places` are files and folders that exist outside.
    """

    limit: str = ""
    secret: str = ""
    process: int = 0
    port: int = 0
    sockets: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


class Attempt(Document):
    """One attempt: `through` says that it succeeded, `said` what happened."""

    name: Annotated[str, Field(max_length=40)]
    through: bool
    said: Annotated[str, Field(max_length=500)] = ""


class AttackReply(Document):
    """All attempts of one child."""

    attempts: Annotated[tuple[Attempt, ...], Field(max_length=100)]
