"""Loops, comprehensions, generators."""


def plain_for(items):
    for item in items:
        print(item)


def for_else(items):
    for item in items:
        if item:
            break
    else:
        return None
    return item


def while_else(n):
    while n > 0:
        n -= 1
    else:
        n = 7
    return n


def nested_loops(rows):
    total = 0
    for row in rows:
        for cell in row:
            while cell:
                cell -= 1
                if cell == 3:
                    continue
                total += 1
    return total


def list_comprehension(items):
    return [item for item in items]


def filtered(items):
    return [item for item in items if item if item > 2]


def double(rows):
    return {cell for row in rows if row for cell in row if cell and cell > 1}


def mapping(items):
    return {key: value or 0 for key, value in items if key}


def generator(items):
    return sum(item if item > 0 else -item for item in items)


def nested_comprehension(rows):
    return [[cell for cell in row if cell] for row in rows]


def yielding(items):
    for item in items:
        got = yield item or None
        if got:
            yield from (x for x in got)


def lambdas(items):
    pick = lambda item: item[0] or item[1]
    return sorted(items, key=lambda item: 1 if pick(item) else [y for y in item if y])


async def async_loop(source):
    async for item in source:
        if item:
            await item
    else:
        await source.close()


async def async_comprehension(source):
    return [await item async for item in source if item]


async def async_with(lock, other):
    async with lock, other as held:
        return await held.get() or None
