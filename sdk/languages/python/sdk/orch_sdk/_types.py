"""`orch:types`, whose module has another name where the world has further interfaces that are called `types`."""

try:
    from wit_world.imports.orch_types_types import *  # noqa: F403
except ImportError:
    from wit_world.imports.types import *  # noqa: F403
