"""Verifier: reports marks that a merge left behind."""

from collections.abc import Iterator

from orch_sdk import files
from wit_world.exports.verifier import Subject
from wit_world.imports.types import Category, Finding, Severity

# What one call may return.
FINDINGS_MAX = 1000


def verify(subject: Subject) -> list[Finding]:
    findings: list[Finding] = []
    for entry in files.find("**"):
        # What is no text is nothing that people merge by hand.
        findings.extend(marks(entry.path, files.read_text(entry.path) or ""))
    return findings[:FINDINGS_MAX]


def marks(path: str, text: str) -> Iterator[Finding]:
    """One finding for each line that a merge left."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("<<<<<<< "):
            message = "a merge was not finished"
            yield Finding(Severity.MAJOR, Category.LINT, message, location=f"{path}:{number}")
