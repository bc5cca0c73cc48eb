"""Operators and operands of every kind."""

import math

LIMIT = 1 + 1.0 + True - 0j
NAME = "a" "b" + 'ab' * 2
RAW = b"x" + b"x" + rb"\x" + u"x"
BIG = 0xFFFFFFFFFFFFFFFFFF | 4722366482869645213695 ^ 1e3 & 1000
NOTHING = None is not Ellipsis and ... != None

LIMIT += -1
LIMIT -= +LIMIT
LIMIT *= ~LIMIT
LIMIT **= 2
LIMIT //= 3
LIMIT %= 4
LIMIT <<= 5
LIMIT >>= 6
LIMIT @= NAME


def shared(a, b=1 + 2, *, c: "3 + 4" = 5 * 6) -> 7 + 8:
    return a + b * c - a / b // c % a ** b


@decorate(LIMIT + 1)
def decorated(self):
    total = (self.a and self.b) and self.c or self.a
    return not total in (self.a < self.b <= 3 > 2, self.d is None)


async def waits(session):
    async for each in session:
        await each + session.each
    async with session as held, held.lock as lock:
        return held - lock if held else lock - held


class Vector:
    scale: float = 1.0 / 3

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __init__(self, x, y):
        self.x, self.y = x + 0, y + 0

    class Inner(Vector, metaclass=type("M" + "N")):
        def __init__(self, x):
            self.x = x + 0
            self.names = [f"{x + 1:>{x * 2}}" f"{x!r}" for x in range(10) if x % 2 if x > 3]

    if math.pi > 3:
        def area(self):
            return self.x * self.y


def outer(n):
    def inner(n):
        return n + 1

    key = lambda n, m=1 + 1: n + m
    return inner(n) + key(n) + n[1:-1][::2][n - 1]


def matched(point):
    match point:
        case -1 | 1 + 2j:
            return point - 1
        case {"a": [x, *rest], **others} if x > 1:
            return x + len(rest)
        case Vector(x=0) as zero:
            return zero + 1
        case _:
            return {**point, "a": 1 + 1}
