"""Mutation runs: `python -m tests.mutate aiopenai/_http/wire.py ...` changes a module and expects its tests to fail.

Each mutant is one small change: a comparison turned, a condition negated, a number moved by one, a statement left out,
a returned value replaced. The mirrored test file runs against a copy of the tree. Survivors are printed with their line
and change; the last line has the share that was killed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.cover import ROOT, mirrored

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


class Mutant(NamedTuple):
    """A changed module: the line, the change in words, and the source."""

    line: int
    change: str
    source: str


def changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    """The mutations of one node, in words, each with a function that applies it to a copy."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        yield f"turn `{ast.unparse(node)}`", lambda it: it.ops.__setitem__(0, TURNED[type(it.ops[0])]())  # type: ignore[attr-defined]
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
        yield (
            f"negate `{ast.unparse(node.test)}`",
            lambda it: setattr(it, "test", ast.UnaryOp(ast.Not(), it.test)),  # type: ignore[attr-defined]
        )
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"and <-> or in `{ast.unparse(node)}`", lambda it: setattr(it, "op", other())
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        value = (not node.value) if isinstance(node.value, bool) else node.value + 1
        yield f"{node.value} -> {value}", lambda it: setattr(it, "value", value)
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield f"return None, not `{ast.unparse(node.value)}`", lambda it: setattr(it, "value", ast.Constant(None))


def left_out(body: list[ast.stmt]) -> Iterator[int]:
    """The places of a block's statements that can be left out."""
    for at, statement in enumerate(body):
        is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, (ast.Call, ast.Await))
        if is_call or isinstance(statement, (ast.Assign, ast.AugAssign, ast.Raise)):
            yield at


def mutants(source: str) -> list[Mutant]:
    """All mutants of a module's functions."""
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for statement in function.body
        for node in ast.walk(statement)
    }
    found: list[Mutant] = []
    for index, node in enumerate(ast.walk(tree)):
        if id(node) not in inside:
            continue
        for number, (words, _) in enumerate(changes(node)):
            twin = copy.deepcopy(tree)
            target = next(each for at, each in enumerate(ast.walk(twin)) if at == index)
            list(changes(target))[number][1](target)
            found.append(Mutant(getattr(node, "lineno", 0), words, ast.unparse(ast.fix_missing_locations(twin))))
        body = getattr(node, "body", None)
        for at in left_out(body) if isinstance(body, list) else ():
            twin = copy.deepcopy(tree)
            target = next(each for place, each in enumerate(ast.walk(twin)) if place == index)
            target.body[at] = ast.Pass()  # type: ignore[attr-defined]
            words = f"leave out `{ast.unparse(body[at]).splitlines()[0]}`"
            found.append(Mutant(body[at].lineno, words, ast.unparse(ast.fix_missing_locations(twin))))
    return found


def is_killed(tree: Path, module: Path, mutant: Mutant, timeout: float) -> bool:
    """Whether the mirrored tests fail on a mutant; tests that do not end in time count as failed."""
    target = tree / module.relative_to(ROOT)
    original = target.read_text()
    target.write_text(mutant.source)
    # Bytecode is told from stale bytecode by the second in which the source was written, and by its size.
    for compiled in target.parent.glob(f"__pycache__/{target.stem}.*"):
        compiled.unlink()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--timeout", "60", str(mirrored(module).relative_to(ROOT))]
    # With bytecode a mutant takes half the time.
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""}
    environment.pop("PYTHONPYCACHEPREFIX", None)
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(original)
    return done.returncode != 0


def main() -> int:
    """Run and print; returns 1 if fewer mutants than `--bound` percent were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description=__doc__)
    parser.add_argument("modules", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=20, help="mutants of each module, drawn at random (default: 20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for the tests of one mutant")
    parser.add_argument("--bound", type=float, default=92.0, help="percent (default: 92)")
    options = parser.parse_args()
    killed = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", "__pycache__", ".*_cache"))
        for module in (path.resolve() for path in options.modules):
            source = module.read_text()
            all_of_it = mutants(source)
            # Tests that fail on the module as it is would kill each mutant.
            if all_of_it and is_killed(tree, module, Mutant(0, "nothing", source), options.timeout):
                print(f"{mirrored(module).relative_to(ROOT)} fails without a change", flush=True)
                return 1
            drawn = random.Random(options.seed).sample(all_of_it, min(options.most, len(all_of_it)))
            for mutant in sorted(drawn):
                tried += 1
                if is_killed(tree, module, mutant, options.timeout):
                    killed += 1
                else:
                    print(f"survived: {module.relative_to(ROOT)}:{mutant.line}: {mutant.change}", flush=True)
    share = 100 * killed / max(tried, 1)
    print(f"{killed} of {tried} mutants killed: {share:.0f} %")
    return 1 if share < options.bound else 0


if __name__ == "__main__":
    sys.exit(main())
