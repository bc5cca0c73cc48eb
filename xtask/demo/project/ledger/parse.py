"""Lines like `2026-11-21 food 12.50 lunch` to entries."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True)
class Entry:
    day: str
    account: str
    amount: Decimal
    note: str


def parse_line(line):
    """One line to an entry, or None for blank lines and comments."""
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    parts = text.split(maxsplit=3)
    if len(parts) < 3:
        raise ValueError(f"expected DAY ACCOUNT AMOUNT [NOTE], found {text!r}")
    try:
        amount = Decimal(parts[2])
    except InvalidOperation as error:
        raise ValueError(f"{parts[2]!r} is no amount") from error
    return Entry(parts[0], parts[1], amount, parts[3] if len(parts) == 4 else "")


def parse(text):
    """All entries of a text, in order."""
    return [entry for entry in map(parse_line, text.splitlines()) if entry]
