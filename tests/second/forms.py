"""Texts that have one spelling: digests, names, versions, ranges, periods, times, base64."""

import base64
import re
import unicodedata

from answer import Malformed, form

DAY = 86_400
RESERVED = {"orch", "wasi", "wit", "core", "host", "component"}
DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[a-z0-9-]{1,64}")
NUMBER = r"(0|[1-9][0-9]*)"
LABEL = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
VERSION = re.compile(
    rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:-({LABEL}(?:\.{LABEL})*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")
COMPARATOR = re.compile(r"(<=|>=|<|>|=)(.+)")


def is_commit(text):
    return re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", text) is not None


def day(text):
    """The first second of a date."""
    form(re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None, "day")
    return time(f"{text}T00:00:00Z")


def decode64(text):
    """Bytes of the standard alphabet, padded, with nothing in the unused bits."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise Malformed("base64") from error
    form(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data


def is_digest(text):
    return DIGEST.fullmatch(text) is not None


def is_name(text):
    return NAME.fullmatch(text) is not None


def is_id(text):
    namespace, slash, name = text.partition("/")
    return slash == "/" and is_name(namespace) and is_name(name) and namespace not in RESERVED


def is_plain(text, most):
    """A short text of one line."""
    return 1 <= len(text.encode()) <= most and not any(unicodedata.category(one) == "Cc" for one in text)


def version(text):
    """Sort key and build of a semantic version; the key orders by precedence."""
    found = VERSION.fullmatch(text)
    form(found is not None, "version")
    numbers = tuple(int(part) for part in found.group(1, 2, 3))
    form(all(number < 1 << 64 for number in numbers), "version")
    labels = found.group(4)
    if labels is None:
        rank = (1,)
    else:
        rank = (0, *((0, int(one), "") if one.isdigit() else (1, 0, one) for one in labels.split(".")))
    return numbers, rank, found.group(5)


def precedence(text):
    return version(text)[:2]


def covers(text, found):
    """True if that version lies in the range; a version that is none lies in every range."""
    comparators = version_range(text)
    try:
        place = precedence(found)
    except Malformed:
        return True
    holds = {
        "<": lambda bound: place < bound,
        "<=": lambda bound: place <= bound,
        "=": lambda bound: place == bound,
        ">=": lambda bound: place >= bound,
        ">": lambda bound: place > bound,
    }
    return all(holds[sign](bound) for sign, bound in comparators)


def version_range(text):
    if text == "*":
        return []
    parts = [COMPARATOR.fullmatch(part) for part in text.split(", ")]
    form(len(parts) <= 8 and all(parts), "range")
    read = [(part.group(1), version(part.group(2))) for part in parts]
    form(all(build is None for _, (_, _, build) in read), "range with build metadata")
    return [(sign, (numbers, rank)) for sign, (numbers, rank, _) in read]


def period(text):
    """Seconds of `P30D`, `PT12H`, `PT15M`: the largest unit without a rest, one minute to 3660 days."""
    found = re.fullmatch(r"P(?:([1-9][0-9]{0,9})D|T([1-9][0-9]{0,9})H|T([1-9][0-9]{0,9})M)", text)
    form(found is not None, "period")
    days, hours, minutes = (int(part or 0) for part in found.groups())
    form(hours == 0 or hours % 24 != 0, "whole days in hours")
    form(minutes == 0 or minutes % 60 != 0, "whole hours in minutes")
    seconds = days * DAY + hours * 3600 + minutes * 60
    form(seconds <= 3660 * DAY, "period")
    return seconds


def time(text):
    """Seconds since 1970 of RFC 3339 in UTC, whole seconds."""
    found = TIME.fullmatch(text)
    form(found is not None, "time")
    year, month, day, hour, minute, second = (int(part) for part in found.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    form(1 <= month <= 12 and 1 <= day <= lengths[month - 1], "date")
    form(hour < 24 and minute < 60 and second < 60, "time of day")
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 + sum(lengths[: month - 1]) + day - 719_163
    return days * DAY + hour * 3600 + minute * 60 + second
