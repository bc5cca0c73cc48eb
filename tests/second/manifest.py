"""`manifest.json`: its schema by hand, and what a schema cannot say. Everything here is of the family `manifest`."""

import re

import permissions
import settings
import strict
from answer import Malformed, Refused, form
from forms import LABEL, is_digest, is_id, is_name, version
from shape import U64, Default, kept, listing, number, one_of, record, text

ROLES = ("planner", "executor", "reflector", "auditor", "verifier", "guard", "provider", "service")
PATHS = {"component": "component.wasm", "sbom": "sbom.cdx.json", "license": "LICENSE", "readme": "README.md"}
# What hosts offer: all of what older ones did.
HOSTS = ((0, 1, 0), (0, 1, 1))
ADDRESS = re.compile(r"https://[!#-.0-;=?A-\[\]-_a-~][!#-;=?A-\[\]-_a-~]*")
TASK_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
PART = r"(0|[1-9][0-9]*|[*xX])"
COMPARATOR = re.compile(
    rf"(=|>=|<=|>|<|~|\^)? *{PART}(?:\.{PART}(?:\.{PART}(?:-({LABEL}(?:\.{LABEL})*))?(?:\+[0-9A-Za-z.-]+)?)?)?"
)

SHAPE = record(
    schema=one_of("urn:orch:plugin-manifest:v1"),
    id=text(is_id),
    version=kept(version),
    name=text(least=1, most=100),
    description=text(most=1000),
    license=text(least=1, most=200),
    repository=Default(text(most=500), ""),
    homepage=Default(text(most=500), ""),
    changelog=Default(text(most=500), ""),
    keywords=Default(listing(text(), most=16), []),
    roles=listing(one_of(*ROLES), 1, len(ROLES)),
    kinds=Default(listing(text(), most=64), []),
    isolation=Default(one_of("any", "none", "worktree"), "any"),
    taskKeys=Default(listing(text(), most=64), []),
    settingsSchema=Default(settings.a_mapping, {}),
    host=record(api=text()),
    permissions=Default(permissions.SHAPE, {}),
    limits=record(
        memoryMiB=number(1, 256),
        busyMs=number(1, 600_000),
        wallMs=number(1, 604_800_000),
        outputKiB=number(1, 16_384),
        hostCalls=number(1, 10_000_000),
        logKiB=number(0, 16_384),
    ),
    integrity=record(
        files=listing(record(path=text(), role=one_of(*PATHS), size=U64, sha256=text(is_digest)), 2, 32)
    ),
)


def is_for_this_host(wanted):
    """True if a requirement of Cargo's grammar holds for this host's interfaces."""
    if wanted.strip(" ") in ("*", "x", "X"):
        return True
    comparators = [part.strip(" ") for part in wanted.split(",")]
    form(len(comparators) <= 32, "requirement")
    return any([all([holds(part, host) for part in comparators]) for host in HOSTS])


def holds(comparator, host):
    found = COMPARATOR.fullmatch(comparator)
    form(found is not None, "requirement")
    sign, *parts, before = found.groups()
    wild = [part is None or part in "*xX" for part in parts]
    form(not wild[0] and not (wild[1] and not wild[2]), "requirement")
    starred = any(part is not None and part in "*xX" for part in parts)
    given = [int(part) for part, free in zip(parts, wild) if not free]
    low = tuple(given + [0] * (3 - len(given)))
    after = lambda place: tuple(low[:place]) + (low[place] + 1,) + (0,) * (2 - place)
    at_least = host > low or host == low  # A pre-release of this very version lies before it.
    if sign == "=" or (sign is None and starred):
        return host[: len(given)] == tuple(given) and before is None
    if sign == ">":
        return host >= after(len(given) - 1) if len(given) < 3 else host > low or (host == low and before is not None)
    if sign == ">=":
        return at_least
    if sign == "<":
        return host < low
    if sign == "<=":
        return host < after(len(given) - 1) if len(given) < 3 else host < low or (host == low and before is None)
    if sign == "~":
        return at_least and host < after(min(len(given) - 1, 1))
    first = next((place for place in range(len(given)) if low[place]), len(given) - 1)
    return at_least and host < after(first)


def read(data):
    """The manifest, defaults filled in."""
    try:
        found = SHAPE(strict.read(data), False)
        check(found)
    except Malformed as error:
        raise Refused("manifest") from error
    return found


def check(found):
    roles, kinds, asked = found["roles"], found["kinds"], found["permissions"]
    said = [found[field] for field in ("repository", "homepage", "changelog")]
    form(all(not one or ADDRESS.fullmatch(one) for one in said), "address")
    form(all(map(is_name, found["keywords"])), "keywords")
    form(len(set(roles)) == len(roles), "a role twice")
    form("provider" not in roles or len(roles) == 1, "a provider that is something else too")
    form(("executor" in roles) == bool(kinds) and all(map(is_name, kinds)), "kinds")
    form("executor" in roles or not asked.get("files", {}).get("write"), "a writer that executes nothing")
    form("executor" in roles or found["isolation"] == "any", "isolation")
    form("executor" in roles or not found["taskKeys"], "keys of tasks")
    form(all(map(TASK_KEY.fullmatch, found["taskKeys"])), "keys of tasks")
    form("settings" in asked or "planner" in roles or not found["settingsSchema"], "settings of nobody")
    settings.check(found["settingsSchema"])
    form(version(found["version"])[2] is None, "build metadata")
    form(is_for_this_host(found["host"]["api"]), "host")
    permissions.check_form(asked)
    form(not any("*" in label for label in asked.get("kv", {}).get("labels", [])), "labels")
    form("*" not in asked.get("tasks", {}).get("kinds", []), "kinds of tasks")
    form("*" not in asked.get("notify", {}).get("channels", []), "channels")
    for name in ("llm", "embed"):
        form("*" not in asked.get(name, {}).get("models", []), "models")
    form("*" not in asked.get("retrieve", {}).get("collections", []), "collections")
    for field in ("read", "write"):
        form("*" not in asked.get("vectors", {}).get(field, []), "collections")
    files = found["integrity"]["files"]
    said = [file["role"] for file in files]
    form(said.count("component") == 1 and said.count("sbom") == 1, "one component and one sbom")
    form(all(file["path"] == PATHS[file["role"]] for file in files), "path")
