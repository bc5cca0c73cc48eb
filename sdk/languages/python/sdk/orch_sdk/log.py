"""Lines for the host's log, with the permission `log`; without it they are dropped.

`print` writes lines at `info`, what is printed to `sys.stderr` at `warn`, `logging` each record at its level. While the plugin is built both go to the terminal.
"""

import io
import logging
import sys

from orch_sdk import _machine

try:
    from wit_world.imports import log as _host
except ImportError:
    _host = None


def error(text: object) -> None:
    _write("ERROR", text)


def warn(text: object) -> None:
    _write("WARN", text)


def info(text: object) -> None:
    _write("INFO", text)


def debug(text: object) -> None:
    _write("DEBUG", text)


def _write(level: str, text: object) -> None:
    if _host is not None:
        _host.write(_host.Level[level], str(text))


class _Lines(io.TextIOBase):
    """A stream whose lines go into the log when they end."""

    def __init__(self, write) -> None:
        self._log, self._open = write, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *ended, self._open = (self._open + text).split("\n")
        for line in ended:
            self._log(line)
        return len(text)

    def end(self) -> None:
        """Writes a line that has no end yet."""
        rest, self._open = self._open, ""
        if rest:
            self._log(rest)


_out, _err = _Lines(info), _Lines(warn)


class _Handler(logging.Handler):
    """`logging` of the standard library: its levels are those of the log, `CRITICAL` is `error`."""

    def emit(self, record: logging.LogRecord) -> None:
        is_at_least = record.levelno.__ge__
        write = (
            error
            if is_at_least(logging.ERROR)
            else warn
            if is_at_least(logging.WARNING)
            else info
            if is_at_least(logging.INFO)
            else debug
        )
        for line in self.format(record).split("\n"):
            write(line)


logging.basicConfig(level=logging.DEBUG, handlers=[_Handler()], format="%(message)s")


def _begin() -> None:
    sys.stdout, sys.stderr = _out, _err
    _machine.begin()


def _end() -> None:
    _out.end()
    _err.end()
