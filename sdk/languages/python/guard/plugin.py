"""Guard: refuses commands that delete a folder and all below it."""

from wit_world.exports.guard import (
    Escalation,
    Judgement,
    Judgement_Allow,
    Judgement_Escalate,
    Judgement_Refuse,
    ProposedChange,
    ProposedChange_Task,
    Risk,
)
from wit_world.imports.types import Command_Argv, Command_Shell


def judge(change: ProposedChange) -> Judgement:
    # What attempts changed and what people take in is judged by others.
    if not isinstance(change, ProposedChange_Task):
        return Judgement_Allow()
    match change.value.command:
        case Command_Argv(words) if deletes(words):
            return Judgement_Refuse("it deletes folders")
        # What a line does cannot be read off its text: a person decides.
        case Command_Shell(line) if "rm " in line:
            return Judgement_Escalate(Escalation(Risk.MEDIUM, f"it may delete something: {line}"))
    return Judgement_Allow()


def deletes(words: list[str]) -> bool:
    """True of `rm` with an option that goes into folders."""
    if not words or words[0].rsplit("/", 1)[-1] != "rm":
        return False
    options = [word for word in words[1:] if word.startswith("-")]
    return any(
        word == "--recursive" if word.startswith("--") else "r" in word or "R" in word for word in options
    )
