"""Planner: highest priority first, in file order on a tie, within what is left of the budget."""

from wit_world.exports.planner import (
    Change,
    Change_Budget,
    Change_Finished,
    Change_Ready,
    Change_Withdrawn,
    Decision,
    Decision_Finished,
    Decision_Start,
    Decision_Wait,
    ReadyTask,
)


class Session:
    """One run: made when it begins, and again after a restart of the host, which keeps it between calls."""

    def __init__(self, settings: str, kinds: list[str]) -> None:
        self.ready: dict[int, ReadyTask] = {}
        self.running = 0
        # None until the host says one.
        self.budget: int | None = None

    def observe(self, changes: list[Change]) -> None:
        for change in changes:
            match change:
                case Change_Ready(task):
                    self.ready[task.index] = task
                case Change_Withdrawn(index):
                    self.ready.pop(index, None)
                case Change_Finished(_):
                    self.running -= 1
                case Change_Budget(left):
                    self.budget = left

    def next(self, slots: int) -> Decision:
        started: list[int] = []
        for task in sorted(self.ready.values(), key=before):
            affordable = self.budget is None or task.cost <= self.budget
            if len(started) < slots and affordable:
                started.append(task.index)
                if self.budget is not None:
                    self.budget -= task.cost
        for index in started:
            del self.ready[index]
        self.running += len(started)
        if started:
            return Decision_Start(started)
        if self.running > 0:
            return Decision_Wait()
        return Decision_Finished("what is ready costs more than is left" if self.ready else "nothing is ready")


def before(task: ReadyTask) -> tuple[int, int]:
    """Tasks start in the order of this value, lowest first."""
    return (-task.priority, task.index)
