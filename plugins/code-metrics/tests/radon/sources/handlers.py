"""Exceptions, context managers, match."""


def try_one(path):
    try:
        return open(path)
    except OSError:
        return None


def try_all(path):
    try:
        value = int(path)
    except ValueError:
        value = 1
    except (TypeError, KeyError) as error:
        value = error or 2
    except Exception:
        raise
    else:
        value += 1
    finally:
        print(path if path else "none")
    return value


def try_finally(lock):
    lock.acquire()
    try:
        return lock.value
    finally:
        lock.release()


def try_star(task):
    try:
        task()
    except* ValueError as group:
        return group.exceptions or 1
    except* TypeError:
        return 2
    return 0


def nested_try(a, b):
    try:
        try:
            return a()
        except ValueError:
            return b()
    except TypeError:
        if a:
            return None
        raise


def with_statement(a, b):
    with a as x, (b if b else a) as y:
        return x or y


def match_values(x):
    match x:
        case 1:
            return "one"
        case 2 | 3:
            return "few"
        case _:
            return "many"


def match_without_default(x):
    match x:
        case {"kind": kind, **rest} if rest and kind:
            return kind
        case [first, *_]:
            return first
        case str() as text:
            return text


def match_capture(x):
    match x:
        case int(real=value) if value > 0 or value < -5:
            return value
        case None:
            return 0
        case anything if anything:
            return anything


def match_only_default(x):
    match x:
        case _:
            return x or 1


def match_two_defaults(x):
    match x:
        case y if y:
            return 1
        case _:
            return 2


def raising(x):
    if not x:
        raise ValueError("x") from (x or None)
    del x
