"""Shapes of JSON: what a value must be, field by field.

A shape takes a value and whether it must be canonical, and gives the value with defaults filled in. Canonical: fields
in their order, nothing that could be left out and says nothing. Unknown fields are never taken.
"""

from answer import form


class Maybe:
    """A field that may be absent."""

    def __init__(self, shape):
        self.shape = shape


class Default:
    """A field that is filled in where it is absent, and always written."""

    def __init__(self, shape, value):
        self.shape, self.value = shape, value


def record(**fields):
    def check(value, canonical):
        form(isinstance(value, dict), "not an object")
        form(set(value) <= set(fields), "unknown field")
        if canonical:
            form(list(value) == [name for name in fields if name in value], "fields in another order")
        found = {}
        for name, shape in fields.items():
            if isinstance(shape, Maybe):
                if name not in value or (value[name] is None and not canonical):
                    continue
                shape = shape.shape
            elif isinstance(shape, Default):
                if name not in value and not canonical:
                    found[name] = shape.value
                    continue
                shape = shape.shape
            form(name in value, f"{name} is missing")
            found[name] = shape(value[name], canonical)
        return found

    return check


def variant(**shapes):
    """One of several, named by the only key."""

    def check(value, canonical):
        form(isinstance(value, dict) and len(value) == 1 and set(value) <= set(shapes), "no such variant")
        return {name: shapes[name](inner, canonical) for name, inner in value.items()}

    return check


def listing(shape, least=0, most=None):
    def check(value, canonical):
        form(isinstance(value, list) and len(value) >= least, "not such a list")
        form(most is None or len(value) <= most, "too long a list")
        return [shape(one, canonical) for one in value]

    return check


def mapping(key, shape):
    def check(value, canonical):
        form(isinstance(value, dict), "not an object")
        form(not canonical or list(value) == sorted(value), "keys in another order")
        return {key(name, canonical): shape(one, canonical) for name, one in value.items()}

    return check


def number(least, most):
    def check(value, _):
        form(type(value) is int and least <= value <= most, "not such a number")
        return value

    return check


def text(fits=lambda _: True, least=0, most=None):
    def check(value, _):
        form(isinstance(value, str) and len(value) >= least and fits(value), "not such a text")
        form(most is None or len(value) <= most, "too long a text")
        return value

    return check


def parsed(read):
    """A text that stands for something else, and has one spelling."""

    def check(value, _):
        form(isinstance(value, str), "not a text")
        return read(value)

    return check


def kept(read):
    """The same, kept as the text that it is."""

    def check(value, _):
        form(isinstance(value, str), "not a text")
        read(value)
        return value

    return check


def nullable(shape):
    return lambda value, canonical: None if value is None else shape(value, canonical)


def one_of(*words):
    return text(lambda found: found in words)


def flag(value, _):
    form(isinstance(value, bool), "neither true nor false")
    return value


U32, U64 = number(0, (1 << 32) - 1), number(0, (1 << 64) - 1)
