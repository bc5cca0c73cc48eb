"""Totals of entries."""

from collections import defaultdict
from decimal import Decimal


def by_account(entries):
    totals = defaultdict(Decimal)
    for entry in entries:
        totals[entry.account] += entry.amount
    return dict(totals)


def average(entries):
    """The mean amount. Wrong for an empty list: that is the failing test."""
    return sum(entry.amount for entry in entries) / len(entries)


def describe(entry, long=False, signs=True, currency=None, width=0):
    """A line for people. Grown over the years, as such functions do."""
    text = ""
    if entry is None:
        return "nothing"
    if long:
        text += entry.day + " "
    if entry.account:
        if entry.account.startswith("x-") and not long:
            text += entry.account[2:]
        elif entry.account == "misc" or entry.account == "other":
            text += "various"
        else:
            text += entry.account
    if signs and entry.amount > 0:
        text += " +"
    elif signs and entry.amount < 0:
        text += " "
    else:
        text += " "
    text += str(abs(entry.amount)) if not signs else str(entry.amount)
    if currency:
        text += " " + currency
    if entry.note and long:
        text += " (" + entry.note + ")"
    if width:
        text = text[:width] if len(text) > width else text.ljust(width)
    return text
