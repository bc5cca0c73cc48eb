"""Classes, methods, closures, decorators."""

import functools

FLAG = True

if FLAG:

    def under_if(x):
        return x or 1

else:

    def under_else(x):
        if x:
            return x
        return 1 if FLAG else 2


def decorator(kind=1 if FLAG else 2):
    def wrap(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            if kind and args:
                return function(*args, **kwargs)
            return None

        return inner if kind else function

    return wrap


@decorator(kind=FLAG and 1 or 2)
def decorated(x):
    return x


def with_local_class(x):
    class Local:
        flag = x or 1

        def method(self):
            return [y for y in x if y]

    if x:
        return Local()
    return None


def loop_of_closures(items):
    made = []
    for item in items:
        def call(value=item or 1):
            return value and item

        made.append(call)
    return made


class Empty:
    pass


class Attributes:
    first = 1 if FLAG else 2
    second = [x for x in range(3) if x]


class One:
    def only(self, x):
        if x:
            return 1
        elif x is None:
            return 2
        return 3


class Shape(Empty, metaclass=type if FLAG else type):
    sides = 0 or 1

    def __init__(self, sides):
        assert sides > 0
        self.sides = sides

    @property
    def name(self):
        return {3: "triangle", 4: "square"}.get(self.sides) or "polygon"

    @classmethod
    def parse(cls, text):
        try:
            return cls(int(text))
        except ValueError:
            pass
        for index, letter in enumerate(text):
            if letter.isdigit() and index > 0:
                return cls(int(letter))
        else:
            return None

    @staticmethod
    async def load(source):
        async with source as handle:
            return [line async for line in handle if line and not line.isspace()]

    if FLAG:

        def conditional_method(self):
            def helper(x):
                return x if x else self

            return helper(self.sides)

    class Inner:
        def deep(self, x):
            while x:
                x -= 1
            return x
