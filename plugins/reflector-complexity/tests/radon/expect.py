"""Writes expected.json: what radon 6.0.1 says about the Python files beside this one.

Needs `pip install radon==6.0.1`. Run it in this folder after a change to one of the files.
"""

import json
from pathlib import Path

import radon
from radon.complexity import cc_visit
from radon.visitors import Class


def rows(block, prefix=""):
    """The block and what radon knows to be inside it, with qualified names."""
    name = prefix + block.name
    if isinstance(block, Class):
        yield {"kind": "class", "name": name, "line": block.lineno, "complexity": block.complexity}
        for inner in block.methods + block.inner_classes:
            yield from rows(inner, name + ".")
    else:
        kind = "method" if block.is_method else "function"
        yield {"kind": kind, "name": name, "line": block.lineno, "complexity": block.complexity}
        for inner in block.closures:
            yield from rows(inner, name + ".")


def measure(path):
    # cc_visit lists methods beside their class as well; their class brings them here.
    blocks = [block for block in cc_visit(path.read_text()) if isinstance(block, Class) or not block.is_method]
    found = [row for block in blocks for row in rows(block)]
    return sorted(found, key=lambda row: (row["line"], row["name"]))


def main():
    assert radon.__version__ == "6.0.1", radon.__version__
    folder = Path(__file__).parent
    files = sorted(path for path in folder.glob("*.py") if path.name != "expect.py")
    expected = {path.name: measure(path) for path in files}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
