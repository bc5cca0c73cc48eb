"""The plugin's settings. Permission: `settings`."""

import json
from typing import Any

from wit_world.imports import settings as _host


def read() -> dict[str, Any]:
    """What the workspace's `config.yaml` says, with the defaults of the plugin's schema."""
    return json.loads(_host.read())
