"""The shape of the house: file and function length, one test file per module.

The lists of exceptions may only shrink: an entry that is no longer needed is an error too.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

LONG_FILES: frozenset[str] = frozenset()
LONG_FUNCTIONS: frozenset[str] = frozenset()
UNTESTED: frozenset[str] = frozenset()


def main() -> int:
    problems: list[str] = []
    seen_long_files: set[str] = set()
    seen_long_functions: set[str] = set()
    seen_untested: set[str] = set()
    for path in sorted((ROOT / "maxpool").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        source = path.read_text(encoding="utf-8")
        lines = source.count("\n")
        if lines > MAX_FILE_LINES:
            seen_long_files.add(name)
            if name not in LONG_FILES:
                problems.append(f"{name}: {lines} lines, at most {MAX_FILE_LINES}")
        for function in long_functions(source):
            seen_long_functions.add(f"{name}:{function}")
            if f"{name}:{function}" not in LONG_FUNCTIONS:
                problems.append(f"{name}:{function}: over {MAX_FUNCTION_LINES} lines")
        if path.name != "__init__.py" and not test_of(path).exists():
            seen_untested.add(name)
            if name not in UNTESTED:
                problems.append(f"{name}: has no {test_of(path).relative_to(ROOT).as_posix()}")
    for listed, seen in (
        (LONG_FILES, seen_long_files),
        (LONG_FUNCTIONS, seen_long_functions),
        (UNTESTED, seen_untested),
    ):
        problems += [
            f"{entry}: no longer an exception, take it off the list" for entry in listed - seen
        ]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def long_functions(source: str) -> list[str]:
    """Names of functions whose body, decorators and signature span too many lines."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]


def test_of(path: Path) -> Path:
    """Where a module's tests live."""
    inside = path.relative_to(ROOT / "maxpool")
    return ROOT / "tests" / inside.parent / f"test_{inside.stem.strip('_')}.py"


if __name__ == "__main__":
    sys.exit(main())
