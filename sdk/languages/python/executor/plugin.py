"""Executor: says what a task is about."""

from orch_sdk import log
from wit_world.exports.executor import Attempt, Completion
from wit_world.imports.types import Task


def execute(task: Task, attempt: Attempt) -> Completion:
    log.info(f"task `{task.id}`, attempt {attempt.number}")
    return Completion(summary=greet(task.description), mendable=False)


def greet(description: str) -> str:
    """What the run's journal says of the task."""
    return f"hello, {description}"
