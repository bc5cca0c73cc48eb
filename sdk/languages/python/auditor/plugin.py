"""Auditor: counts lines, and asks for a note on every task that failed."""

from orch_sdk import files
from wit_world.exports.auditor import FinishedTask
from wit_world.imports.types import Metric, NewTask, Outcome

# As many as `tasks.add` in `plugin.json` allows.
TASKS_MAX = 20


def analyze(paths: list[str]) -> list[Metric]:
    """Of these files, or of all that may be read."""
    lines = 0
    for path in paths or [entry.path for entry in files.find("**")]:
        # What is no text has no lines to count.
        lines += len((files.read_text(path) or "").splitlines())
    return [Metric(name="workspace.lines", value=float(lines), unit="1", attributes=[])]


def audit(finished: list[FinishedTask]) -> list[NewTask]:
    return [note(task.id) for task in finished if wants_a_note(task)][:TASKS_MAX]


def wants_a_note(task: FinishedTask) -> bool:
    return task.outcome == Outcome.FAILED and not task.id.startswith("look-at-")


def note(id: str) -> NewTask:
    """A task for one that failed. Its id comes from the other's: asking twice adds it once."""
    return NewTask(
        id=f"look-at-{id[:100]}",
        description=f"look at {id}: it failed",
        kind="note",
        command=None,
        priority=0,
        cost=1,
        dependencies=[],
        settings="{}",
    )
