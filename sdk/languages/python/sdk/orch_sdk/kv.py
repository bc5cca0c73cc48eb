"""Labelled byte stores of this plugin, kept between calls and runs. Permission: `kv`.

Writes are seen at once by the same call, and kept only if its result is accepted.
"""

import json as _json
from collections.abc import Iterator
from typing import Any

from wit_world.imports import kv as _host

_KEYS_MAX = 1000


class Bucket:
    """One granted label: keys of 1 to 256 bytes, values of at most 64 KiB."""

    def __init__(self, label: str) -> None:
        self._own = _host.Bucket.open(label)

    def get(self, key: str) -> bytes | None:
        return self._own.get(key)

    def set(self, key: str, value: str | bytes) -> None:
        self._own.set(key, value.encode() if isinstance(value, str) else value)

    def delete(self, key: str) -> None:
        """Absent is no error."""
        self._own.delete(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """All keys with that prefix, sorted."""
        after = None
        while True:
            page = self._own.keys(prefix, after)
            yield from page
            if len(page) < _KEYS_MAX:
                return
            after = page[-1]

    def get_json(self, key: str, default: Any = None) -> Any:
        value = self.get(key)
        return default if value is None else _json.loads(value)

    def set_json(self, key: str, value: Any) -> None:
        self.set(key, _json.dumps(value))
