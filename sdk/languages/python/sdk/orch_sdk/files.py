"""Files of the workspace, whole and one after the other. Permission: `files`. `wit_world.imports.files` has every function."""

from collections.abc import Iterator

from componentize_py_types import Err
from wit_world.imports import files as _host
from wit_world.imports.files import Entry

from orch_sdk import _types as types

READ_BYTES_MAX = 1024 * 1024
_ENTRIES_MAX = 1000


def find(glob: str) -> Iterator[Entry]:
    """Files that match the glob and may be read, sorted by path."""
    after = None
    while True:
        page = _host.find(glob, after)
        yield from page
        if len(page) < _ENTRIES_MAX:
            return
        after = page[-1].path


def read(path: str, bytes_max: int = 16 * READ_BYTES_MAX) -> bytes:
    """The whole file; one that is larger is thrown as `limit`."""
    content = bytearray()
    while True:
        part = _host.read(path, len(content))
        content += part
        if len(content) > bytes_max:
            raise Err(types.Error_Limit(f"{bytes_max} bytes of `{path}`"))
        if len(part) < READ_BYTES_MAX:
            return bytes(content)


def read_text(path: str, bytes_max: int = 16 * READ_BYTES_MAX) -> str | None:
    """The whole file as text; `None` for one that is no UTF-8."""
    try:
        return read(path, bytes_max).decode()
    except UnicodeDecodeError:
        return None
