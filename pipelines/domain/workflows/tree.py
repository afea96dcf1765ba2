"""A YAML file as GitHub reads it: text, lists and keys, each with the line it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A value. Scalars are the text that was written, so `no` and `on` are words like others.

    `line` counts from 1 and is that of the key in front of it, `comment` what stands behind it.
    """

    line: int
    value: str | tuple[Node, ...] | Mapping[str, Node]
    comment: str = ""

    @property
    def text(self) -> str:
        """The text of a scalar, empty for lists and keys."""
        return self.value.strip() if isinstance(self.value, str) else ""

    @property
    def items(self) -> tuple[Node, ...]:
        """The entries of a list; a scalar is a list of one, as GitHub takes it."""
        if isinstance(self.value, tuple):
            return self.value
        return (self,) if self.text else ()

    @property
    def keys(self) -> Mapping[str, Node]:
        """Keys and values; none where it is no mapping."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def is_mapping(self) -> bool:
        """True for keys and values, even when there are none."""
        return isinstance(self.value, Mapping)

    def get(self, *path: str) -> Node | None:
        """What stands below a path of keys."""
        found: Node | None = self
        for key in path:
            found = found.keys.get(key) if found else None
        return found

    def scalars(self) -> Iterator[Node]:
        """Every text in it, however deep."""
        if isinstance(self.value, str):
            yield self
            return
        for child in self.value.values() if isinstance(self.value, Mapping) else self.value:
            yield from child.scalars()
