"""Engines of other languages in a component, by the list that the project publishes with its sources."""

import hashlib
import re
from pathlib import Path

from answer import form

DYLINK = "dylink.0"
TABLE = Path(__file__).parents[2] / "trust/src/engines/table.rs"


def listed():
    """Name, version of the list, digests of modules with the interpreter first: for each engine."""
    engines = []
    for block in TABLE.read_text(encoding="utf-8").split("Engine {")[1:]:
        name = re.search(r'name: "([^"]+)"', block)
        since = re.search(r"since: ([0-9]+)", block)
        engines.append((name[1], int(since[1]), re.findall(r'"([0-9a-f]{64})"', block)))
    return engines


class Module:
    """What is counted of one module."""

    def __init__(self):
        self.digest, self.linked, self.memory, self.start = hashlib.sha256(), False, False, False
        self.segments = self.data = self.exports = self.functions = self.code = 0


def judge(modules):
    """The engine that these modules are, as facts say it; none if no module says that it is one's."""
    linked = {module.digest.hexdigest() for module in modules if module.linked}
    if not linked:
        return None
    there = [engine for engine in listed() if engine[2][0] in linked]
    form(len(there) == 1, "engine")
    name, since, digests = there[0]
    rest = [module for module in modules if not (module.linked and module.digest.hexdigest() in digests)]
    snapshots = [module for module in rest if module.memory and module.segments]
    form(len(snapshots) <= 1, "snapshots")
    for snapshot in snapshots:
        form(snapshot.code <= 16 << 10 and not snapshot.start, "snapshot")
        form(snapshot.segments <= 20_000 and snapshot.exports <= 4_000, "snapshot")
    glue = [module for module in rest if module not in snapshots]
    form(sum(module.code for module in glue) <= 128 << 10, "glue")
    form(not any(module.data or (module.start and module.functions) for module in glue), "glue")
    return {"name": name, "table": since}
