"""What a call made, by name. Permission: `artifacts`. Kept only if the call's result is accepted."""

from wit_world.imports import artifacts as _host


def add(name: str, content: str | bytes, media_type: str = "text/plain") -> None:
    """Hands bytes over, at most 1 MiB."""
    data = content.encode() if isinstance(content, str) else content
    _host.add_bytes(_host.Label(name=name, media_type=media_type), data)


def add_file(name: str, path: str, media_type: str = "text/plain") -> None:
    """Names a regular file of the workspace, as it is now."""
    _host.add_file(_host.Label(name=name, media_type=media_type), path)
