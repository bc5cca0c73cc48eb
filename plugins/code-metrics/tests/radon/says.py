"""What radon 6.0.1 says about Python files: every number of `radon cc`, `hal`, `raw` and `mi`.

`says.py FOLDER` prints it as JSON, by path below the folder, with the seconds that each of the four took. Files with a statement of
very many lines are left out: radon takes the square of them. `expect.py` writes what the ordinary tests compare with.
"""

import ast
import json
import sys
import time
import warnings
from pathlib import Path

import radon
from radon.complexity import cc_visit
from radon.metrics import h_visit, mi_rank, mi_visit
from radon.raw import analyze
from radon.visitors import Class, ComplexityVisitor

warnings.simplefilter("ignore")

STATEMENT_LINES_MAX = 300


def has_long_statement(path):
    """True of tables of data; what does not parse is no such file."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, RecursionError):
        return False
    simple = (node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body"))
    return any(node.end_lineno - node.lineno > STATEMENT_LINES_MAX for node in simple)


def rows(block, prefix=""):
    """The block and what radon knows to be inside it, with qualified names."""
    name = prefix + block.name
    if isinstance(block, Class):
        yield ["class", name, block.lineno, block.complexity]
        for inner in block.methods + block.inner_classes:
            yield from rows(inner, name + ".")
    else:
        yield ["method" if block.is_method else "function", name, block.lineno, block.complexity]
        for inner in block.closures:
            yield from rows(inner, name + ".")


def timed(seconds, what, call, *arguments):
    began = time.perf_counter()
    answer = call(*arguments)
    seconds[what] = seconds.get(what, 0.0) + time.perf_counter() - began
    return answer


def measure(text, seconds):
    """`text`: as `radon` reads a file."""
    found = timed(seconds, "cc", cc_visit, text)
    # cc_visit lists methods beside their class as well; their class brings them here.
    blocks = [block for block in found if isinstance(block, Class) or not block.is_method]
    halstead = timed(seconds, "hal", h_visit, text)
    raw = timed(seconds, "raw", analyze, text)
    index = timed(seconds, "mi", mi_visit, text, True)
    return {
        "blocks": sorted((row for block in blocks for row in rows(block)), key=lambda row: (row[2], row[1])),
        "complexity": ComplexityVisitor.from_code(text).total_complexity,
        "halstead": list(halstead.total),
        "functions": [[name, list(report)] for name, report in halstead.functions],
        "raw": list(raw),
        "mi": index,
        "rank": mi_rank(index),
    }


def measure_file(path, seconds):
    try:
        with open(path, encoding="utf-8") as file:
            return measure(timed(seconds, "read", file.read), seconds)
    except (Exception, RecursionError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    assert radon.__version__ == "6.0.1", radon.__version__
    folder, seconds = Path(sys.argv[1]), {}
    paths = [path for path in sorted(folder.rglob("*.py")) if not has_long_statement(path)]
    files = {str(path.relative_to(folder)): measure_file(path, seconds) for path in paths}
    json.dump({"seconds": seconds, "files": files}, sys.stdout)


if __name__ == "__main__":
    main()
