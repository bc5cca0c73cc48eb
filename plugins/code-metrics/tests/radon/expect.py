"""Writes expected.json: what radon 6.0.1 says about the Python files in `sources/`.

Needs `pip install radon==6.0.1` and Python 3.11. Run it in this folder after a change to one of the files.
"""

import json
from pathlib import Path

from says import measure_file


def main():
    folder = Path(__file__).parent
    files = sorted((folder / "sources").glob("*.py"))
    expected = {path.name: measure_file(path, {}) for path in files}
    (folder / "expected.json").write_text(json.dumps({"files": expected}, indent=None, separators=(",", ":")).replace('},"', '},\n"') + "\n")


main()
