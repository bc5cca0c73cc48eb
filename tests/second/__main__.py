"""A second verifier, written from the formats, to compare answers with the first one. For tests only.

In -> out: cases on standard input, one line of JSON each (`tests/src/second/case.rs` says what is in it) -> one line
each: `{"ok": true, "level": ..., "until": ...}` or `{"ok": false, "family": ...}`.
Not here: reading folders (links, pipes, files that grow), running anything.
"""

import json
import sys

import permissions
from answer import Refused
from package import Admission


def answer(case):
    try:
        for publisher in case["rules"]["publishers"]:
            if publisher.get("maxPermissions") is not None:
                publisher["maxPermissions"] = permissions.SHAPE(publisher["maxPermissions"], False)
        case["rules"]["allow"] = permissions.SHAPE(case["rules"]["allow"], False)
        agreed = Admission(case).run()
    except Refused as refused:
        return {"ok": False, "family": refused.family}
    return {"ok": True, "level": agreed["level"], "until": agreed["until"]}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
