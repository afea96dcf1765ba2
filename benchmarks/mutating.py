"""What is changed to make mutants: most of Cosmic Ray's operators, and the leaving out of rules.

Cosmic Ray can replace each operator by each other one; here each has the one or two that somebody
could have meant. It never leaves anything out, and a rule that is gone is what tests must notice:
so a condition that never or always holds, one side of `and` and `or`, one element of what is
listed, and one statement are left out as well.
"""

from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import Keyword, Name, PythonNode

_THEIRS = (
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Is_IsNot", "IsNot_Is")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("FloorDiv_Mul", "Mod_Mul", "LShift_RShift")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("BitOr_BitAnd", "BitAnd_BitOr")),
    *(f"ReplaceUnaryOperator_{pair}" for pair in ("USub_UAdd", "Delete_Not")),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer"),
    *("NumberReplacer", "ZeroIterationForLoop"),
)
"""All that decide something, and that our own do not do in two halves, as `AddNot`."""

_WORD = {"if", "elif"}


class _Ours(Operator):  # type: ignore[misc]
    """One position for each thing that `_found` tells."""

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()

    def mutation_positions(self, node: Any) -> list[tuple[Any, Any]]:
        # All at once: Cosmic Ray goes on to ask while it has changed the node already.
        parts = getattr(node, "children", [node])
        return [(parts[place].start_pos, parts[place].end_pos) for place in self._found(node)]

    def _found(self, node: Any) -> list[int]:
        raise NotImplementedError


class Never(_Ours):
    """A condition that never holds: what it guards is left out."""

    WORD = "False"

    def _found(self, node: Any) -> list[int]:
        if node.type in {"if_stmt", "comp_if", "test"}:
            return [n + 1 for n, c in enumerate(node.children) if getattr(c, "value", "") in _WORD]
        return []

    def mutate(self, node: Any, index: int) -> Any:
        place = self._found(node)[index]
        node.children[place] = Name(self.WORD, node.start_pos, prefix=" ")
        return node


class Always(Never):
    """A condition that always holds: what it keeps out gets in."""

    WORD = "True"


class LeaveOutSide(_Ours):
    """One side of `and` or `or` is gone."""

    def _found(self, node: Any) -> list[int]:
        both = node.type in {"and_test", "or_test"}
        return list(range(0, len(node.children), 2)) if both else []

    def mutate(self, node: Any, index: int) -> Any:
        place = self._found(node)[index]
        del node.children[slice(0, 2) if place == 0 else slice(place - 1, place + 1)]
        return node


class LeaveOutElement(_Ours):
    """One element of what is listed is gone."""

    def _found(self, node: Any) -> list[int]:
        """Where each begins. Those of a mapping have a colon in between."""
        if node.type not in {"testlist_comp", "dictorsetmaker"}:
            return []
        if any(child.type == "sync_comp_for" for child in node.children):
            return []
        commas = [n for n, child in enumerate(node.children) if child == ","]
        return [0, *(n + 1 for n in commas if n + 1 < len(node.children))]

    def mutate(self, node: Any, index: int) -> Any:
        starts = self._found(node)
        ends = [*starts[1:], len(node.children) + (node.children[-1] != ",")]
        parts = [
            "".join(child.get_code() for child in node.children[start : end - 1])
            for start, end in zip(starts, ends, strict=True)
        ]
        del parts[index]
        return Name("".join(f"{part}," for part in parts), node.start_pos)


class LeaveOutStatement(_Ours):
    """One statement is gone that is there for what it does."""

    def _found(self, node: Any) -> list[int]:
        if node.type != "simple_stmt" or node.parent is None or node.parent.type == "file_input":
            return []
        what = node.children[0]
        if what.type == "expr_stmt":
            # Without a name that is given first nothing runs at all.
            keeps = what.children[0].type == "name" and what.children[1] == "="
            return [] if keeps or what.children[1].type == "annassign" else [0]
        return [0] if what.type in {"atom_expr", "yield_expr"} else []

    def mutate(self, node: Any, index: int) -> Any:
        first = node.get_first_leaf()
        node.children[0] = Keyword("pass", first.start_pos, first.prefix)
        return node


class AnotherPlace(_Ours):
    """`in` and `not in` are each other."""

    def _found(self, node: Any) -> list[int]:
        words = {"in", "not in"}
        return [
            n
            for n, c in enumerate(node.children if node.type == "comparison" else ())
            if c.get_code(include_prefix=False) in words
        ]

    def mutate(self, node: Any, index: int) -> Any:
        place = self._found(node)[index]
        was = node.children[place].get_code(include_prefix=False)
        word = "in" if was == "not in" else "not in"
        node.children[place] = PythonNode("comp_op", [Keyword(word, node.start_pos, " ")])
        return node


class AnotherDecimal(_Ours):
    """A number in a text: its last digit is another."""

    def _found(self, node: Any) -> list[int]:
        text = getattr(node, "value", "")
        digits = text[1:-1].replace(".", "", 1) if node.type == "string" else ""
        return [0] if digits.isdigit() else []

    def mutate(self, node: Any, index: int) -> Any:
        digit = node.value[-2]
        node.value = f"{node.value[:-2]}{int(digit) + (-1 if digit == '9' else 1)}{node.value[-1]}"
        return node


_OWN = (
    *(Never, Always, LeaveOutSide, LeaveOutElement, LeaveOutStatement),
    *(AnotherPlace, AnotherDecimal),
)


_KINDS = {
    **{name: get_operator(f"core/{name}") for name in _THEIRS},
    **{each.__name__: each for each in _OWN},
}


@dataclass(frozen=True)
class Mutant:
    """A module with one thing changed: the place with this number of all that a kind can change."""

    path: Path
    kind: str
    number: int
    line: int

    def read(self) -> str:
        """The whole module, changed."""
        changed = mutate_code(self.path.read_text(), _KINDS[self.kind](), self.number)
        assert changed is not None
        return str(changed)

    @property
    def change(self) -> str:
        """The lines that differ, before and after."""
        told = ndiff(self.path.read_text().splitlines(), self.read().splitlines())
        lines = [(each[0], each[2:].strip()) for each in told if each[0] in "-+"]
        before, after = ("; ".join(t for s, t in lines if s == sign and t) for sign in "-+")
        return f"{before} → {after or 'nothing'}"


def mutants(path: Path) -> list[Mutant]:
    """All of a module, in the order of its lines."""
    source = path.read_text()
    nodes, lines, found = list(ast_nodes(get_ast(source))), source.splitlines(), []
    for kind, operator in _KINDS.items():
        places = (place for node in nodes for place in operator().mutation_positions(node))
        for number, ((line, column), _) in enumerate(places):
            if not _is_form(lines[line - 1], column):
                found.append(Mutant(path, kind, number, line))
    return sorted(found, key=lambda each: each.line)


def _is_form(line: str, column: int) -> bool:
    """True of decorators, and of the star before arguments that are named: neither is a rule."""
    return line.lstrip().startswith("@") or line[column:].startswith("*,")
