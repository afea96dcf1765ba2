"""Calls that look ahead beyond doubt. Subtler ones are for the bias check, which runs the code."""

import ast


def looks_ahead(node: ast.Call) -> str:
    """What is wrong with a call that reads later candles; empty when it does not say so itself."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    if name == "shift" and _is_negative(next(iter(node.args), named.get("periods"))):
        return "looks ahead: .shift() with a negative number"
    if name == "rolling" and _is(named.get("center"), True):
        return "looks ahead: .rolling(center=True)"
    if name in ("bfill", "backfill") or (
        name in ("fillna", "reindex", "asfreq")
        and (_is(named.get("method"), "bfill") or _is(named.get("method"), "backfill"))
    ):
        return "looks ahead: fills gaps with later values"
    return ""


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


def _is_negative(node: ast.expr | None) -> bool:
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and bool(node.operand.value)
    )
