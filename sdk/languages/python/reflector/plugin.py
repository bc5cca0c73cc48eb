"""Reflector: asks for a note on every file that has a TODO in it."""

import re

from orch_sdk import files, log
from wit_world.exports.reflector import Cycle
from wit_world.imports.types import NewTask

# As many as `tasks.add` in `plugin.json` allows.
TASKS_MAX = 20
MARK = "TODO"


def reflect(cycle: Cycle) -> list[NewTask]:
    tasks: list[NewTask] = []
    for entry in files.find("**"):
        # What is no text is nothing that a person writes notes into.
        count = (files.read_text(entry.path) or "").count(MARK)
        if count == 0:
            continue
        if len(tasks) == TASKS_MAX:
            log.warn(f"more than {TASKS_MAX} files have a {MARK}")
            break
        tasks.append(note(entry.path, count))
    return tasks


def note(path: str, count: int) -> NewTask:
    """A task for that file. Its id comes from the path: asking twice adds it once."""
    plain = re.sub("[^A-Za-z0-9]", "-", path)
    return NewTask(
        id=f"todo-{plain[-100:]}",
        description=f"{count} x {MARK} in {path}",
        kind="note",
        command=None,
        priority=0,
        cost=1,
        dependencies=[],
        settings="{}",
    )
