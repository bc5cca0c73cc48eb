"""Appends a line to RELEASES. Not idempotent: run twice, it says so twice."""

from pathlib import Path

releases = Path("RELEASES")
number = len(releases.read_text().splitlines()) + 1 if releases.exists() else 1
with releases.open("a") as out:
    out.write(f"release {number}\n")
print(f"release {number}")
