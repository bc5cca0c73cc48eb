"""Time and random numbers of the standard library, where they are not granted: refused by name instead of a trap that says nothing.

The entry that `orch-plugin build` writes begins with `prepare`, before the plugin's own modules are loaded.
"""

import logging
import os
import random
import time
from types import SimpleNamespace

_NEEDS = 'write `"wasi": { "clocks": true, "random": true }` under `permissions` of `plugin.json`'
_CLOCKS = (
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "sleep",
    "localtime",
    "gmtime",
    "ctime",
)
_TAKE_A_TIME = {"localtime": 0, "gmtime": 0, "ctime": 0}
_state = SimpleNamespace(has_wasi=True, is_called=False)


def prepare(has_wasi: bool) -> None:
    """Once, while the plugin is built."""
    _state.has_wasi = has_wasi
    # A record's time is the host's business: it has its own clock for each line.
    logging.time = SimpleNamespace(**{**vars(time), "time": lambda: 0.0, "time_ns": lambda: 0})
    if has_wasi:
        return
    for name in _CLOCKS:
        setattr(time, name, _refused(getattr(time, name), f"time.{name}", _TAKE_A_TIME.get(name)))
    os.urandom = _refused(os.urandom, "os.urandom")
    random._urandom = os.urandom
    random.seed = _refused(random.seed, "random.seed", 0)


def begin() -> None:
    """Before each call."""
    _state.is_called = True
    if _state.has_wasi:
        # What was drawn while the plugin was built would be drawn again in each call.
        random.seed()


def _refused(original, name: str, takes: int | None = None):
    """The function, which throws in a call; but for one that is given what it would else look up as that argument."""

    def function(*arguments, **named):
        is_given = takes is not None and len(arguments) > takes and arguments[takes] is not None
        if _state.is_called and not is_given:
            raise PermissionError(f"`{name}` needs the host's clock and random numbers: {_NEEDS}")
        return original(*arguments, **named)

    return function
