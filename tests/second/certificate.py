"""Certificates: each by itself against our own list of required checks, and how many of them agree."""

import strict
from answer import Malformed, need
from envelope import SKEW, Envelope, Role, sha256
from forms import DAY, day, is_commit, is_digest, is_id, precedence, time, version
from root import LEVELS
from shape import U32, U64, Maybe, kept, listing, nullable, one_of, parsed, record, text

DIGEST, TIME, TEXTS = text(is_digest), parsed(time), listing(text())
TOOL = record(name=text(), version=text())
SUBJECTS = listing(record(name=text(), digest=record(sha256=DIGEST)))
FACTS = record(
    sizeBytes=U64,
    imports=TEXTS,
    exports=TEXTS,
    innerImports=TEXTS,
    memories=listing(record(min=U64, max=nullable(U64))),
    tables=U64,
    tableElements=U64,
    startFunctions=U64,
    modules=U64,
    components=U64,
    functions=U64,
    customSections=TEXTS,
    engine=Maybe(record(name=text(), table=U32)),
)
CHECK = record(
    id=text(),
    version=U32,
    tool=TOOL,
    status=one_of("pass", "warn", "fail", "error", "skipped"),
    lookedAt=U64,
    findings=Maybe(listing(text(), 1)),
    durationMs=U64,
    evidenceSha256=DIGEST,
)
DATABASE = record(sha256=DIGEST, date=parsed(day), advisories=U64, commit=Maybe(text()))
INPUTS = record(
    cargoLockSha256=Maybe(DIGEST),
    sourceCommit=Maybe(text()),
    advisoryDb=Maybe(DATABASE),
    knownIdsSha256=Maybe(DIGEST),
    previousManifestSha256=Maybe(DIGEST),
    rustc=Maybe(text()),
)
STATEMENT = record(
    _type=text(),
    subject=SUBJECTS,
    predicateType=text(),
    predicate=record(
        id=text(is_id),
        version=kept(version),
        level=one_of("development", *LEVELS),
        certifier=TOOL,
        environment=record(wasmtime=text(), target=text()),
        inputs=Maybe(INPUTS),
        facts=FACTS,
        checks=listing(CHECK),
        measured=record(fuelMax=U64, memoryBytesMax=U64, hostCallsMax=U64, compileMs=U64),
        selfCheck=record(corpusSha256=DIGEST, rejected=U64, of=U64),
        resultDigest=DIGEST,
        startedAt=TIME,
        finishedAt=TIME,
        signedAt=TIME,
        validUntil=TIME,
    ),
)
DAYS = {"local": 7, "certified": 90}
# How many warnings a check may have; the others must pass.
WARNINGS = {
    "names": 2, "start-functions": 2, "secrets": 8, "dangerous-content": 1, "fuzz": 6,
    "api-compatibility": 16, "vulnerabilities": 5, "dependency-review": 1,
}  # fmt: skip
LOCAL = (
    "manifest names file-set component imports exports memory start-functions complexity custom-sections "
    "dependency-list sbom secrets dangerous-content fuzz permission-probe determinism resource-profile isolation "
    "self-check"
).split()
CERTIFIED = (
    "api-compatibility dependency-match vulnerabilities licences dependency-review reproducible-build provenance"
).split()


class Certificate:
    """One certificate that is sound by itself."""

    def __init__(self, package, name, data, certifiers, now):
        envelope = Envelope(data, "application/vnd.in-toto+json")
        keys = {key.id: key.public for key, _ in certifiers}
        signers = envelope.signers(keys, "certifier")
        kind, predicate = "https://in-toto.io/Statement/v1", "urn:orch:plugin-certification:v1"
        statement, spelled = envelope.says(STATEMENT, kind, predicate)
        need(len(signers) == 1, "envelope")
        self.key, self.level = next(one for one in certifiers if one[0].id == signers[0])
        self.says = said = statement["predicate"]
        self.finished, self.signed, self.until = said["finishedAt"], said["signedAt"], said["validUntil"]
        need(name == f"certificates/{self.key.id[:16]}.dsse.json", "certifier")
        fault = self.key.fault(self.signed, now)
        need(fault != "late", "delegation")
        need(fault is None, "certifier")
        need(package.are_subjects(statement["subject"]), "certificate")
        need((said["id"], said["version"]) == (package.id, package.version), "certificate")
        # The word of an author for a host of his own.
        need(said["level"] != "development", "certificate")
        need(self.until <= self.finished + DAYS[said["level"]] * DAY, "certificate")
        need(now <= self.until and self.finished <= self.signed <= now + SKEW, "certificate")
        need(LEVELS.index(said["level"]) <= LEVELS.index(self.level), "certifier")
        need(said["certifier"]["name"] == "orch-certify" and is_new_enough(said["certifier"]["version"]), "certificate")
        self.check_results(package.manifest["roles"])
        need(said["selfCheck"]["rejected"] == said["selfCheck"]["of"] > 0, "results")
        if said["level"] == "certified":
            self.check_inputs(said.get("inputs", {}))
        need(self.results(spelled["predicate"]) == said["resultDigest"], "results")

    def check_results(self, roles):
        checks = {check["id"]: check for check in self.says["checks"]}
        need(len(checks) == len(self.says["checks"]), "results")
        need(not any(check["status"] in ("fail", "error") for check in checks.values()), "results")
        required = LOCAL + [f"conformance/{role}" for role in roles]
        for name in required + (CERTIFIED if self.says["level"] == "certified" else []):
            need(name in checks, "results")
            check, budget = checks[name], WARNINGS.get(name, 0)
            warned = check["status"] == "warn" and budget > 0 and len(check.get("findings", [])) <= budget
            need(check["status"] == "pass" or warned, "results")
            need(check["version"] >= 1 and check["lookedAt"] > 0, "results")

    def check_inputs(self, inputs):
        """Everything that was looked at is named, and the database was young enough when the checks ended."""
        database = inputs.get("advisoryDb")
        need("cargoLockSha256" in inputs and is_commit(inputs.get("sourceCommit", "")), "inputs")
        need(database is not None and database["advisories"] > 0, "inputs")
        need(database["date"] - DAY <= self.finished <= database["date"] + 30 * DAY, "inputs")

    def check_source(self, release):
        commit = self.says.get("inputs", {}).get("sourceCommit")
        need(commit is None or commit == release.get("source", {}).get("commit"), "inputs")

    def results(self, said):
        """Digest over what every certifier that looked at the same things with the same tools must find alike."""
        outcome = lambda check: {
            **{name: check[name] for name in ("id", "version", "tool", "status", "lookedAt")},
            "findings": check.get("findings", []),
        }
        found = {name: said[name] for name in ("id", "version", "level")}
        if "inputs" in said:
            alike = {name: value for name, value in said["inputs"].items() if name != "rustc"}
            if "advisoryDb" in alike:
                alike["advisoryDb"] = {name: one for name, one in alike["advisoryDb"].items() if name != "commit"}
            found["inputs"] = alike
        found["facts"] = said["facts"]
        found["checks"] = [outcome(check) for check in said["checks"]]
        found["self_check"] = said["selfCheck"]
        return sha256(strict.text_of(found).encode())


def is_new_enough(text):
    try:
        return precedence(text) >= precedence("0.1.0")
    except Malformed:
        return False


def agree(certificates, certifiers, wanted, set_aside, now):
    """The highest level that enough of them agree on, and the last second in which enough are valid."""
    least = LEVELS.index(wanted["level"])
    high = [one for one in certificates if LEVELS.index(one.says["level"]) >= least]
    counted = [one for one in high if one.key.id not in set_aside]
    need(counted, "agreement")
    distinct = list({key.id: key for key, _ in reversed(certifiers)}.values())
    role = Role(wanted["threshold"], distinct, wanted["independent"])
    best = None
    counted.sort(key=lambda one: one.until, reverse=True)
    for digest in {one.says["resultDigest"] for one in counted}:
        same = [one for one in counted if one.says["resultDigest"] == digest]
        for count in range(1, len(same) + 1):
            if role.is_enough([(one.key.id, one.signed) for one in same[:count]], now):
                found = (LEVELS.index(same[0].says["level"]), same[count - 1].until, same[0])
                best = max(best, found, key=lambda one: one[:2]) if best else found
                break
    need(best is not None, "agreement")
    return {"level": LEVELS[best[0]], "until": best[1], "facts": best[2].says["facts"]}
