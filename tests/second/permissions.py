"""Permissions: their shape, the form of each entry, and what lies within what."""

import ipaddress
import re

from answer import form
from forms import is_name, is_plain
from shape import U32, U64, Default, Maybe, flag, listing, record, text

PLAIN = record()
TEXTS = listing(text())
FLAG = Default(flag, False)
NONE = Default(TEXTS, [])

SCHEME = Default(text(lambda value: value in ("https", "http")), "https")

SHAPE = record(
    log=Maybe(PLAIN),
    settings=Maybe(PLAIN),
    kv=Maybe(record(labels=TEXTS, bytes=U64)),
    tasks=Maybe(record(read=FLAG, add=Default(U32, 0), kinds=NONE)),
    files=Maybe(record(read=NONE, write=NONE)),
    diff=Maybe(PLAIN),
    git=Maybe(record(read=NONE)),
    process=Maybe(record(programs=TEXTS, env=NONE, network=NONE)),
    findings=Maybe(PLAIN),
    metrics=Maybe(record(read=NONE)),
    artifacts=Maybe(record(types=TEXTS, count=U32, bytes=U64)),
    control=Maybe(record(start=FLAG, stop=FLAG, read=FLAG)),
    notify=Maybe(record(channels=TEXTS)),
    llm=Maybe(record(models=TEXTS, tokens=U32)),
    embed=Maybe(record(models=TEXTS, bytes=U32)),
    retrieve=Maybe(record(collections=TEXTS)),
    vectors=Maybe(record(read=NONE, write=NONE, bytes=Default(U64, 0))),
    http=Maybe(listing(record(scheme=SCHEME, hosts=TEXTS, methods=TEXTS, paths=TEXTS))),
    secrets=Maybe(record(use=listing(record(name=text(), host=text())))),
    wasi=Maybe(record(clocks=FLAG, random=FLAG, http_types=FLAG)),
)


def parts_are_plain(value):
    return all(part not in ("", ".", "..") for part in value.split("/"))


def is_glob(value):
    stars = all(part == "**" or "**" not in part for part in value.split("/"))
    return parts_are_plain(value) and stars and not set(value) & set("\\{}[]")


def is_program(value):
    if value.startswith("/"):
        return parts_are_plain(value[1:]) and "*" not in value
    folder, slash, name = value.rpartition("/")
    if value == "*" or value[:1] == "-" or "*" in folder or ("*" in name and (not slash or name != "*")):
        return value == "*"
    if not slash:
        return parts_are_plain(value)
    return parts_are_plain(name) and (folder == "." or parts_are_plain(folder))


def is_variable(value):
    name, at, program = value.partition("@")
    if value == "*":
        return True
    plain = name != "" and not set(name) & set("=*") and "=" not in program
    return plain and (not at or (program not in ("", "*") and is_program(program)))


def is_host(value):
    host, colon, port = value.rpartition(":")
    if not (colon and re.fullmatch(r"[1-9][0-9]{0,4}", port) and int(port) < 65_536 and len(host) <= 253):
        return False
    if host.startswith("[") and host.endswith("]"):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        mapped = address.ipv4_mapped
        return "%" not in host and (f"::ffff:{mapped}" if mapped else str(address)) == host[1:-1]
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        pass
    # What ends in a number is looked up as an address.
    last = host.rpartition(".")[2]
    if re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", last):
        return False
    label = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    return re.fullmatch(rf"(?:\*\.)?{label}(?:\.{label})*", host) is not None


def is_reach(value):
    """A host and a port, every name at a port, or what somebody else names."""
    return value == "*" or is_host(value) or (value.startswith("*:") and is_host("a" + value[1:]))


def is_path(value):
    segments = value.split("/")
    plain = not any(part in (".", "..") for part in segments) and "//" not in value and value[0] == "/"
    return plain and all("!" <= one <= "~" for one in value) and not set(value) & set('%?#\\*"')


def is_media_type(value):
    part = r"[a-z0-9.+_-]+"
    return value == "*" or re.fullmatch(rf"{part}/(?:\*|{part})", value) is not None


def is_metric(value):
    return value == "*" or re.fullmatch(r"[a-z0-9_.]{1,128}\*?", value) is not None


FORMS = {
    "kv.labels": lambda value: value == "*" or is_name(value.removesuffix("*")),
    "tasks.kinds": lambda value: value == "*" or is_name(value),
    "files.read": is_glob,
    "files.write": is_glob,
    "git.read": is_glob,
    "process.programs": is_program,
    "process.env": is_variable,
    "process.network": is_reach,
    "metrics.read": is_metric,
    "artifacts.types": is_media_type,
    "notify.channels": lambda value: value == "*" or is_name(value),
    "llm.models": lambda value: value == "*" or is_name(value),
    "embed.models": lambda value: value == "*" or is_name(value),
    "retrieve.collections": lambda value: value == "*" or is_name(value),
    "vectors.read": lambda value: value == "*" or is_name(value),
    "vectors.write": lambda value: value == "*" or is_name(value),
}

HTTP_FORMS = {
    "hosts": lambda value: value == "*" or is_host(value),
    "methods": lambda value: re.fullmatch("[A-Z]+", value) is not None and value not in ("CONNECT", "TRACE"),
    "paths": is_path,
}


def check_form(asked):
    """Every entry means what it says by its text alone."""
    lists = []
    for path, fits in FORMS.items():
        name, _, field = path.partition(".")
        lists.append((path, asked.get(name, {}).get(field, []), fits))
    rules = asked.get("http", [])
    form(len(rules) <= 32, "http: too many")
    lists += [("", rule[field], fits) for rule in rules for field, fits in HTTP_FORMS.items()]
    uses = asked.get("secrets", {}).get("use", [])
    lists += [("", [one["name"] for one in uses], is_name)]
    lists += [("", [one["host"] for one in uses], HTTP_FORMS["hosts"])]
    for path, entries, fits in lists:
        form(len(entries) <= 64, f"{path}: too many")
        form(all(is_plain(entry, 1024) and fits(entry) for entry in entries), f"{path}: malformed")


def covers_glob(outer, inner):
    folder = outer.removesuffix("**")
    if outer == folder:
        return outer == inner
    if folder == "":
        return True
    written_out = folder.endswith("/") and not set(folder) & set("*?[{")
    return inner.startswith(folder) if written_out else outer == inner


def covers_host(outer, inner):
    outer, inner = outer.lower(), inner.lower()
    if not outer.startswith("*."):
        return outer == inner
    label, dot, rest = inner.partition(".")
    return bool(label and dot) and rest == outer[2:]


def covers_word(outer, inner):
    return outer in (inner, "*")


def covers_program(outer, inner):
    if covers_word(outer, inner):
        return True
    folder = outer[:-1]
    return outer.endswith("/*") and inner.startswith(folder) and "/" not in inner[len(folder) :]


def covers_variable(outer, inner):
    (wide, at, program), (name, also, other) = outer.partition("@"), inner.partition("@")
    if at and also:
        return wide == name and covers_program(program, other)
    return covers_word(outer, inner)


def covers_reach(outer, inner):
    host, _, port = inner.rpartition(":")
    # In front of an address a label makes a name of which the last part is a number, which is none.
    is_name = host != "*" and not host.startswith("[") and is_host(f"a.{host.removeprefix('*.')}:1")
    return covers_word(outer, inner) or covers_host(outer, inner) or (outer == f"*:{port}" and is_name)


COVERS = {
    "kv.labels": lambda outer, inner: outer == inner or (outer.endswith("*") and inner.startswith(outer[:-1])),
    "tasks.kinds": covers_word,
    "files.read": covers_glob,
    "files.write": covers_glob,
    "git.read": covers_glob,
    "process.programs": covers_program,
    "process.env": covers_variable,
    "process.network": covers_reach,
    "metrics.read": lambda outer, inner: outer == inner or (outer.endswith("*") and inner.startswith(outer[:-1])),
    "artifacts.types": lambda outer, inner: outer == inner or (outer.endswith("*") and inner.startswith(outer[:-1])),
    "notify.channels": covers_word,
    "llm.models": covers_word,
    "embed.models": covers_word,
    "retrieve.collections": covers_word,
    "vectors.read": covers_word,
    "vectors.write": covers_word,
}

HTTP_COVERS = {
    "hosts": lambda outer, inner: outer == "*" or covers_host(outer, inner),
    "methods": covers_word,
    "paths": lambda outer, inner: inner.startswith(outer),
}


def is_rule_within(rule, bound):
    """True if one rule of HTTP lies in one other, field by field."""
    fields = ("hosts", "methods", "paths")
    return rule["scheme"] == bound["scheme"] and all(is_field_within(field, rule, bound) for field in fields)


def is_field_within(field, rule, bound):
    return all(any(HTTP_COVERS[field](wide, one) for wide in bound[field]) for one in rule[field])


def is_use_within(one, bound):
    return one["name"] == bound["name"] and bound["host"] in (one["host"], "*")


FLAGS = {"wasi": ("clocks", "random", "http_types"), "control": ("start", "stop", "read")}


def is_within(asked, bound):
    """True if nothing that is asked goes beyond the bound."""
    for name, inner in asked.items():
        if name in FLAGS:
            outer = bound.get(name, dict.fromkeys(FLAGS[name], False))
        elif name not in bound:
            return False
        else:
            outer = bound[name]
        if name == "http":
            if not all(any(is_rule_within(rule, wide) for wide in outer) for rule in inner):
                return False
            continue
        for field, value in inner.items():
            if isinstance(value, (bool, int)):
                fits = value <= outer[field]
            elif field == "use":
                fits = all(any(is_use_within(one, wide) for wide in outer[field]) for one in value)
            else:
                covers = COVERS[f"{name}.{field}"]
                fits = all(any(covers(wide, one) for wide in outer[field]) for one in value)
            if not fits:
                return False
    return True


def with_stars_named(asked, allowed, maximum):
    """What `*` stands for: programs, variables and hosts that the operator names, as far as the maximum has them."""
    named = dict(asked)
    for name, naming in (("process", named_programs), ("http", named_rules), ("secrets", named_uses)):
        if name in asked and name in allowed:
            named[name] = naming(asked[name], allowed[name], (maximum or {}).get(name))
    return named


def common(named, most, covers):
    """What both lists have."""
    ours = [one for one in named if any(covers(wide, one) for wide in most)]
    return ours + [one for one in most if any(covers(wide, one) for wide in named)]


def named_programs(asked, allowed, maximum):
    process = dict(asked)
    for field, covers in (("programs", covers_program), ("env", covers_variable), ("network", covers_reach)):
        if "*" not in process.get(field, []):
            continue
        named = allowed.get(field, [])
        if maximum is not None:
            named = common(named, maximum.get(field, []), covers)
        process[field] = sorted({one for one in process[field] + named if one != "*"})
    return process


def named_rules(asked, allowed, maximum):
    out = []
    for rule in asked:
        has_rest = lambda wide: wide["scheme"] == rule["scheme"] and all(
            is_field_within(field, rule, wide) for field in ("methods", "paths")
        )
        lists = [wide["hosts"] for wide in allowed if has_rest(wide)]
        if maximum is not None:
            tops = [wide["hosts"] for wide in maximum if has_rest(wide)]
            lists = [common(hosts, top, HTTP_COVERS["hosts"]) for hosts in lists for top in tops]
        lists = [[host for host in hosts if host != "*"] for hosts in lists]
        found = [hosts for hosts in lists if hosts] if "*" in rule["hosts"] else []
        if not found:
            out.append(rule)
            continue
        rest = [host for host in rule["hosts"] if host != "*"]
        out += [{**rule, "hosts": hosts} for hosts in ([rest] if rest else []) + found]
    return out


def named_uses(asked, allowed, maximum):
    out = []
    for one in asked["use"]:
        fits = lambda found: is_use_within(found, one) and (
            maximum is None or any(is_use_within(found, wide) for wide in maximum["use"])
        )
        found = [found for found in allowed["use"] if fits(found)] if one["host"] == "*" else []
        out += found or [one]
    return {"use": out}


# Open nothing, whoever has them.
INERT = (
    {f"cli/{name}" for name in ("environment", "exit", "stdin", "stdout", "stderr", "terminal-input", "terminal-output")}
    | {f"cli/terminal-{name}" for name in ("stdin", "stdout", "stderr")}
    | {"io/error", "io/poll", "io/streams", "filesystem/types", "filesystem/preopens"}
    | {"random/insecure", "random/insecure-seed"}
    | {f"sockets/{name}" for name in ("network", "instance-network", "ip-name-lookup")}
    | {f"sockets/{name}" for name in ("tcp", "tcp-create-socket", "udp", "udp-create-socket")}
)


# Versions of our interfaces beside 0.1.0.
LATER = {"metrics": ("0.1.1", "0.1.2"), "reflector": ("0.2.0",)}


def ours(name):
    """Package and interface of a name of ours, in a version that hosts offer; else nothing."""
    found = re.fullmatch(r"orch:([a-z]+)/([a-z]+)@([0-9.]+)", name)
    if found is None or found.group(3) not in ("0.1.0", *LATER.get(found.group(1), ())):
        return None
    return found.group(1), found.group(2)


def asks_for(asked, import_name, exports=()):
    """True if the permissions, or for providers what they provide, open that import; nothing, if no host offers it."""
    offered = ours(import_name)
    if offered is not None:
        package, interface = offered
        if interface == "shapes" and package in ("notify", "llm", "embed", "retrieve"):
            return True
        if offered == ("llm", "deltas"):
            return any(ours(export) == ("llm", "provide") for export in exports)
        if package != interface:
            return None
        if package == "types":
            return True
        known = ("log", "settings", "kv", "tasks", "files", "diff", "git", "process", "findings", "metrics", "artifacts", "control", "notify", "llm", "embed", "vectors", "retrieve", "secrets")
        return package in asked if package in known else None
    found = re.fullmatch(r"wasi:([a-z/-]+)@0\.2\.(0|[1-9][0-9]*)", import_name)
    if found is None or int(found.group(2)) > 12:
        return None
    if found.group(1) in INERT:
        return True
    wasi = asked.get("wasi", {})
    answers, clocks = wasi.get("http_types", False), wasi.get("clocks", False)
    sends = bool(asked.get("http"))
    opened = {
        "clocks/monotonic-clock": clocks or answers or sends,
        "clocks/wall-clock": clocks or answers,
        "random/random": wasi.get("random", False),
        "http/outgoing-handler": sends,
        "http/types": answers or sends,
    }
    return opened.get(found.group(1))
