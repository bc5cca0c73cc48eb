"""Facts of a component, read from the binary format by its specification: sections, and in them no more than names,
imports, exports, memories and tables. Everything that is wrong with it is of the family `component`."""

import engines
from answer import Malformed, Refused, form

SECTIONS = {
    "name", "component-name", "producers", "target_features", ".dep-v0", "authors", "description", "licenses",
    "source", "homepage", "revision", "version",
}  # fmt: skip
CORE, COMPONENT = b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"
# In which order a module's sections stand: by id.
ORDER = {section: place for place, section in enumerate([1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11])}
ABSTRACT = set(range(0x68, 0x76))
PAGE = 65_536


class Reader:
    """Bytes of one section, or of the whole."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def rest(self):
        return len(self.data) - self.at

    def take(self, count):
        form(count <= self.rest(), "cut off")
        found = self.data[self.at : self.at + count]
        self.at += count
        return found

    def byte(self):
        return self.take(1)[0]

    def unsigned(self, bits=32):
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            shift += 7
            form(result < 1 << bits and shift < bits + 7, "number")
            if byte < 0x80:
                return result

    def text(self):
        data = self.take(self.unsigned())
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("text") from error

    def each(self, read):
        for _ in range(self.unsigned()):
            read(self)
        form(self.rest() == 0, "more in the section than it says")


class Facts:
    """What `facts` of a certificate must say."""

    def __init__(self, data):
        self.size, self.imports, self.exports, self.inner = len(data), [], [], []
        self.memories, self.tables, self.elements, self.starts = [], 0, 0, 0
        self.modules = self.components = self.functions = self.sections = 0
        self.customs, self.met = set(), []
        try:
            form(data.startswith(COMPONENT), "no component")
            self.component(data, 1)
            self.engine = engines.judge(self.met)
        except Malformed as error:
            raise Refused("component") from error

    def as_json(self):
        return {
            "sizeBytes": self.size,
            "imports": sorted(self.imports, key=str.encode),
            "exports": sorted(self.exports, key=str.encode),
            "innerImports": sorted(set(self.inner), key=str.encode),
            "memories": self.memories,
            "tables": self.tables,
            "tableElements": self.elements,
            "startFunctions": self.starts,
            "modules": self.modules,
            "components": self.components,
            "functions": self.functions,
            "customSections": sorted(self.customs, key=str.encode),
            **({"engine": self.engine} if self.engine else {}),
        }

    def sections_of(self, data, head, module=None):
        form(data.startswith(head), "another version")
        reader = Reader(data)
        start = reader.take(len(head))
        if module:
            module.digest.update(start)
        while reader.rest():
            begun = reader.at
            kind, section = reader.byte(), Reader(reader.take(reader.unsigned()))
            if kind == 0:
                self.custom(section.text(), module)
                continue
            if module:
                module.digest.update(data[begun : reader.at])
            yield kind, section

    def custom(self, name, module):
        if module and name == engines.DYLINK:
            module.linked = True
        else:
            form(name in SECTIONS, "custom section")
        self.sections += 1
        form(self.sections <= 4096, "custom sections")
        self.customs.add(name)

    def component(self, data, level):
        form(level <= 32, "nesting")
        started = False
        for kind, section in self.sections_of(data, COMPONENT):
            if kind == 1:
                self.modules += 1
                form(self.modules <= 256 and level < 32, "modules")
                self.module(section.data)
            elif kind == 4:
                self.components += 1
                form(self.components <= 64, "components")
                self.component(section.data, level + 1)
            elif kind == 9:
                form(not started, "two starts")
                started = True
                self.starts += 1
                section.unsigned()
                [section.unsigned() for _ in range(section.unsigned())]
                section.unsigned()
                form(section.rest() == 0, "start")
            elif kind == 10:
                section.each(lambda one: self.take_import(one, level == 1))
            elif kind == 11 and level == 1:
                section.each(self.take_export)
            else:
                form(kind in (2, 3, 5, 6, 7, 8, 11), "unknown section")
                section.unsigned()

    def name(self, section):
        # 0 or 1: nothing but a name; 2: something else beside it, which could mean another interface.
        form(section.byte() in (0, 1), "annotated name")
        name = section.text()
        form(len(name.encode()) <= 1024, "long name")
        return name

    def take_import(self, section, outermost):
        name, is_instance = self.name(section), self.extern(section)
        if outermost:
            form(is_instance, "import of something else than an interface")
            self.imports.append(name)
            form(len(self.imports) <= 256, "imports")
        elif set(name) & set(":=<"):
            self.inner.append(name)
            form(len(self.inner) <= 256, "imports inside")

    def take_export(self, section):
        self.exports.append(self.name(section))
        form(len(self.exports) <= 256, "exports")
        self.kind(section)
        section.unsigned()
        described = section.byte()
        form(described in (0, 1), "export")
        if described:
            self.extern(section)

    def kind(self, section):
        kind = section.byte()
        form(kind <= 5 and (kind != 0 or section.byte() == 0x11), "kind")
        return kind

    def extern(self, section):
        """True of an instance; whatever it is, it is read to its end."""
        kind = self.kind(section)
        if kind == 3 and section.byte() == 1:
            return False
        if kind == 2 and 0x40 <= section.data[section.at : section.at + 1][0] < 0x80:
            section.byte()
        else:
            section.unsigned()
        return kind == 5

    def module(self, data):
        last, functions, bodies, segments, said = -1, None, None, None, None
        module = engines.Module()
        self.met.append(module)
        for kind, section in self.sections_of(data, CORE, module):
            form(kind in ORDER and ORDER[kind] > last, "unknown section, or out of order")
            last = ORDER[kind]
            if kind == 4:
                section.each(self.take_table)
            elif kind == 5:
                section.each(self.take_memory)
                module.memory = len(section.data) > 1
            elif kind in (8, 12):
                said = section.unsigned() if kind == 12 else said
                self.starts += kind == 8
                module.start |= kind == 8
                form(kind == 12 or section.unsigned() >= 0, "start")
                form(section.rest() == 0, "start or count")
            elif kind == 10:
                bodies = section.unsigned()
                module.code = section.rest()
                [section.take(section.unsigned()) for _ in range(bodies)]
                form(section.rest() == 0, "bodies")
            else:
                count = section.unsigned()
                functions = count if kind == 3 else functions
                segments = count if kind == 11 else segments
                module.exports = count if kind == 7 else module.exports
                if kind == 11:
                    module.segments, module.data = count, self.data_in(section, count)
        form((functions or 0) == (bodies or 0), "functions without bodies, or the other way round")
        form(said is None or said == (segments or 0), "another number of segments")
        module.functions = functions or 0
        self.functions += functions or 0
        form(self.functions <= 500_000, "functions")

    def data_in(self, section, count):
        """Bytes of all segments, as far as they can be read; what cannot is another's business."""
        total = 0
        try:
            for _ in range(count):
                flags = section.unsigned()
                if flags == 2:
                    section.unsigned()
                if flags != 1:
                    # `i32.const` or `global.get`, a number, `end`.
                    form(section.byte() in (0x41, 0x23), "offset")
                    while section.byte() & 0x80:
                        pass
                    form(section.byte() == 0x0B, "offset")
                total += len(section.take(section.unsigned()))
        except Malformed:
            pass
        return total

    def take_memory(self, section):
        flags = section.byte()
        form(flags in (0, 1), "shared, of 64 bits, or with pages of its own size")
        least = section.unsigned(64)
        most = section.unsigned(64) * PAGE if flags else None
        ceiling = (1 << 64) - 1
        self.memories.append({"min": min(least * PAGE, ceiling), "max": most and min(most, ceiling)})
        form(len(self.memories) <= 64, "memories")

    def take_table(self, section):
        has_value = section.data[section.at : section.at + 1] == b"\x40"
        form(not has_value or section.take(2) == b"\x40\0", "table")
        kind = section.byte()
        if kind in (0x63, 0x64):
            section.unsigned(33)
        else:
            form((section.byte() if kind == 0x65 else kind) in ABSTRACT, "type of a table")
        flags = section.byte()
        form(flags in (0, 1), "shared or of 64 bits")
        self.elements += section.unsigned(64)
        if flags:
            section.unsigned(64)
        if has_value:
            form(section.byte() == 0xD0 and section.byte() in ABSTRACT and section.byte() == 0x0B, "first value")
        self.tables += 1
        form(self.tables <= 64 and self.elements <= 200_000, "tables")
