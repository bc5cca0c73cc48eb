"""JSON as everybody reads it the same way, and its one compact spelling."""

import json
import re

from answer import Malformed, form

DEPTH_MAX = 32
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def read(data):
    """The value of these bytes: UTF-8 without a mark, no key twice, 32 levels, numbers that fit 64 bits."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
    form(not text.startswith("\ufeff"), "byte order mark")
    form(depth(text) <= DEPTH_MAX, "too deep")
    try:
        hooks = {"parse_int": integer, "parse_float": no_number, "parse_constant": no_number}
        value = json.loads(text, object_pairs_hook=once, **hooks)
        text_of(value).encode("utf-8")
    except (ValueError, RecursionError) as error:
        # A lone surrogate is a ValueError too, when it is encoded.
        raise Malformed(str(error)) from error
    return value


def depth(text):
    level = most = 0
    for character in re.findall(r"[\[\]{}]", STRINGS.sub("", text)):
        level += 1 if character in "[{" else -1
        most = max(most, level)
    return most


def once(pairs):
    keys = [key for key, _ in pairs]
    form(len(keys) == len(set(keys)), "a key twice")
    return dict(pairs)


def integer(text):
    number = int(text) if len(text) < 25 else 1 << 70
    form(text != "-0" and -(1 << 63) <= number < 1 << 64, "a number beyond 64 bits")
    return number


def no_number(text):
    raise Malformed(f"{text} is no integer")


def text_of(value):
    """The compact spelling, keys in the order in which they stand."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
