"""`settingsSchema`: which keywords a schema of settings may have, and what stands behind each."""

import json

from answer import form

TYPES = {"array", "boolean", "integer", "null", "number", "object", "string"}
BYTES_MOST = 16 * 1024
SCHEMAS_MOST = 128


def is_number(value):
    return type(value) is int and -(2**63) <= value < 2**63


def is_count(value):
    return type(value) is int and 0 <= value < 2**32


def is_type(value):
    words = value if isinstance(value, list) and value else [value]
    return all(isinstance(word, str) and word in TYPES for word in words) and len(set(words)) == len(words)


FORMS = {
    "default": lambda value: True,
    "const": lambda value: True,
    "title": lambda value: isinstance(value, str),
    "description": lambda value: isinstance(value, str),
    "type": is_type,
    "enum": lambda value: isinstance(value, list) and bool(value),
    "examples": lambda value: isinstance(value, list) and bool(value),
    "required": lambda value: isinstance(value, list) and all(isinstance(key, str) for key in value),
    "uniqueItems": lambda value: isinstance(value, bool),
    "additionalProperties": lambda value: isinstance(value, (bool, dict)),
    "items": lambda value: isinstance(value, dict),
    "properties": lambda value: isinstance(value, dict),
    "anyOf": lambda value: isinstance(value, list) and bool(value),
    "oneOf": lambda value: isinstance(value, list) and bool(value),
}
FORMS.update(dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), is_number))
FORMS.update(
    dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), is_count
    )
)


def a_mapping(value, canonical):
    form(isinstance(value, dict), "not an object")
    return value


def check(schema):
    if schema:
        size = len(json.dumps(schema, separators=(",", ":"), ensure_ascii=False).encode())
        form(size <= BYTES_MOST, "a schema too large")
        form(schema.get("type") == "object", "settings that are no object")
        form(check_schema(schema) <= SCHEMAS_MOST, "too many schemas")


def check_schema(schema):
    """How many schemas it is, with all within it."""
    form(isinstance(schema, dict), "not a schema")
    count = 1
    for keyword, value in schema.items():
        form(keyword in FORMS and FORMS[keyword](value), "keyword")
        if keyword == "properties":
            below = list(value.values())
        elif keyword in ("anyOf", "oneOf"):
            below = value
        elif keyword in ("items", "additionalProperties") and isinstance(value, dict):
            below = [value]
        else:
            below = []
        count += sum(map(check_schema, below))
    return count
