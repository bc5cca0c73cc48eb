"""Branches: if, elif, conditional expressions, boolean operators, assert."""


def empty():
    pass


def docstring_only():
    """Says nothing."""


def one_if(x):
    if x:
        return 1
    return 0


def ladder(x):
    if x < 0:
        return "negative"
    elif x == 0:
        return "zero"
    elif x < 10:
        return "small"
    elif x < 100:
        return "medium"
    else:
        return "large"


def nested_ifs(a, b, c):
    if a:
        if b:
            if c:
                return 3
            return 2
        else:
            return 1
    else:
        if c:
            return -1
    return 0


def conditional(x):
    return "even" if x % 2 == 0 else "odd"


def chained_conditional(x):
    return 1 if x > 0 else -1 if x < 0 else 0


def flat_and(a, b, c, d):
    return a and b and c and d


def mixed_booleans(a, b, c, d):
    return a and b or c and not d or (a or d)


def boolean_in_condition(a, b, c):
    if a and (b or c):
        return True
    while a or b and c:
        a = b = False
    return not a


def asserts(x, y):
    assert x
    assert x and y or x, "both" if y else "one"
    return x


def comparison_chain(a, b, c):
    return a < b < c != a


def walrus(items):
    if (n := len(items)) > 3 and n % 2:
        return n
    return 0


def defaults(a=1 if True else 2, b=[i for i in range(3) if i], *, c: int = 1 or 2) -> int or None:
    return a


def annotated(x):
    y: int if x else str = x or 3
    return y


def in_format(x, y):
    return f"{x if x else y:>{10 if y else 20}} {x and y!r}"


def in_subscript(x, y):
    return x[0 if y else 1], x[y or 1:y and 2]


def in_call(f, x):
    return f(x or 1, *([x] if x else []), **({"a": 1} if x else {}), key=x and 2)
