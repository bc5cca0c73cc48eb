"""Turns build/lines.txt into build/report.md."""

from pathlib import Path

lines = Path("build/lines.txt").read_text().splitlines()
rows = [line.split() for line in lines]
text = "# Size\n\n| file | lines |\n|---|---|\n" + "".join(f"| {name} | {count} |\n" for count, name in rows)
Path("build/report.md").write_text(text)
print(f"reported {len(rows)} files")
