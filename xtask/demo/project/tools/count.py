"""Counts lines of the sources into build/lines.txt."""

from pathlib import Path

counts = {path.as_posix(): len(path.read_text().splitlines()) for path in sorted(Path("ledger").glob("*.py"))}
Path("build").mkdir(exist_ok=True)
Path("build/lines.txt").write_text("".join(f"{count:5} {name}\n" for name, count in counts.items()))
print(f"counted {sum(counts.values())} lines in {len(counts)} files")
