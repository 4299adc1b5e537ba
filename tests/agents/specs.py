"""Random harness documents, drawn from the processors' own schemas, and random damage to them.

Everything follows from one `random.Random`, so that a number names a document.
"""

from __future__ import annotations

import copy
import json
import sys
from random import Random
from typing import Any

from homebody.agents.harness.hooks import DIMENSIONS
from homebody.agents.harness.library import REGISTRY
from homebody.agents.harness.patch import PatchError, apply, pointer
from homebody.agents.harness.schema import problems
from homebody.agents.harness.spec import component

KNOWN: dict[str, list[Any]] = {
    "think.template": [{}, {"enable_thinking": False}, {"reasoning_effort": "low", "most": 7}],
    "think.marks": [{}, {"start": "<a>", "end": "</a>"}],
    "template.text": ["{{ content }}", "{% if content %}Now:{% endif %}", "Act."],
}
"""Values of parameters that must meet more than their schema says."""
PATTERNS = {r"^(\*|\{\d+\}|[^={}*]+)=[a-zA-Z]$": ["*=a", "{0}=b", "dock=c", "{1}=d"], r"^\{\d+\}$": ["{0}", "{1}"]}
"""Texts that match a pattern; elsewhere the default, lengthened."""
SOURCES = [
    "def process(event):\n    return None",
    "def process(event):\n    return {}",
    "def process(event):\n    return event",
    "def process(event):\n    return {'choice': {**event['choice'], 'samples': 2}} if 'choice' in event else None",
]
WORDS = ("walk to #", "unlock #", "lift # off #", "wait", "crate", "dock", "shed", "put a {0} on a {1}", "", "é„“", "a/b~c", "{", "x" * 40)
IDS = ("a", "b", "guard", "zz", "list-1", "A", "0", "_", "-", "x" * 64, "loop_guard", "decide", "m", "n", "o", "p", "q")
"""Ids of components."""
CONDITIONS: dict[str, tuple[str, ...]] = {
    "stalled": ("at_least",), "refused": ("at_least", "of_last"), "repeated": ("at_least",), "unusable": ("at_least",),
    "steps_left": ("at_most",), "phase_steps": ("at_least",),
}  # fmt: skip


def value(rule: dict[str, Any], rng: Random) -> Any:
    """Draw a value that meets a JSON Schema of the kinds that processors use."""
    if "enum" in rule:
        return rng.choice(rule["enum"])
    kind = rule["type"]
    if kind == "string":
        if "pattern" not in rule:
            return rng.choice([word for word in WORDS if len(word) >= rule.get("minLength", 0)])
        return rng.choice(PATTERNS.get(rule["pattern"]) or [rule["default"] + more for more in ("", " Then?", " So.")])
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "integer":
        low = rule.get("minimum", 0)
        return rng.randint(low, min(rule.get("maximum", low + 20), low + 20))
    if kind == "number":
        low = rule.get("minimum", rule.get("exclusiveMinimum", 0.0))
        high = rule.get("maximum", low + 8)
        return round(low + (high - low) * rng.uniform(0.01, 1.0), 3)
    if kind == "array":
        low = rule.get("minItems", 0)
        items = [value(rule["items"], rng) for _ in range(rng.randint(low, min(rule.get("maxItems", low + 2), low + 2)))]
        return [item for i, item in enumerate(items) if item not in items[:i]] if rule.get("uniqueItems") else items
    assert kind == "object", rule
    if "properties" not in rule:
        return {
            rng.choice(("crate", "dock", "shed", "a/b", "~")): value(rule.get("additionalProperties", {"type": "integer"}), rng)
            for _ in range(rng.randint(0, 3))
        }
    optional = set(rule["properties"]) - set(rule.get("required", ()))
    return {key: value(inner, rng) for key, inner in rule["properties"].items() if key not in optional or rng.random() < 0.5}


def param(use: str, key: str, rng: Random) -> Any:
    """Draw a value of a processor's parameter."""
    known = KNOWN.get(f"{use}.{key}")
    return rng.choice(known) if known else value(REGISTRY[use].schema[key], rng)


def params(use: str, rng: Random) -> dict[str, Any]:
    """Draw what is required, and each of the rest half of the time."""
    schema = REGISTRY[use].schema
    return {key: param(use, key, rng) for key in sorted(schema) if "default" not in schema[key] or rng.random() < 0.5}


def draw_entry(use: str, rng: Random) -> dict[str, Any]:
    """Draw a component that uses a processor, at times by module:Class."""
    processor = REGISTRY[use]
    if processor.hook:
        made = component(use, params(use, rng))
        own = {"use": f"{processor.__module__}:{processor.__name__}", **({"version": processor.version} if processor.version > 1 else {})}
        return made | own if rng.random() < 0.1 and processor.__module__ in sys.modules else made
    free = {"hook": rng.choice(REGISTRY[use].hooks), "dimension": rng.choice(DIMENSIONS)}
    return component(use, params(use, rng), **free, **({"source": rng.choice(SOURCES)} if use == "code" else {}))


def document(rng: Random, rules: bool = True) -> dict[str, Any]:
    """Draw a valid harness."""
    uses: list[str] = []
    groups: set[str] = set()
    drawn = [
        *rng.sample(sorted(REGISTRY), rng.randint(0, min(12, len(REGISTRY)))),
        *rng.choices(("code", "template"), k=rng.randint(0, 2)),
    ]
    for use in drawn:
        group = REGISTRY[use].group
        if not group or group not in groups:
            groups.add(group)
            uses.append(use)
    components = dict(zip(rng.sample(IDS, len(uses)), (draw_entry(use, rng) for use in uses), strict=True))
    made: dict[str, Any] = {"format": 2, "name": f"h{rng.randint(0, 9999)}", "components": components}
    for name in components:
        if rng.random() < 0.3:
            draw_after(made, name, rng)
    if rng.random() < 0.3:
        made["description"] = rng.choice(WORDS)
    if rules and rng.random() < 0.4:
        made["adaptations"] = [rule(made, n, rng) for n in range(rng.randint(0, 3))]
    return made


def draw_after(made: dict[str, Any], name: str, rng: Random) -> None:
    """Let a component follow one or two others, unless the harness is not valid then."""
    others = sorted(made["components"].keys() - {name})
    before = made["components"][name]
    made["components"][name] = {**before, "after": rng.sample(others, min(len(others), rng.randint(0, 2)))}
    if problems(made, imports=True):
        made["components"][name] = before


def rule(base: dict[str, Any], number: int, rng: Random) -> dict[str, Any]:
    """Draw an adaptation that leads from the base to a valid harness."""
    signal = rng.choice(sorted(CONDITIONS))
    when = {"signal": signal, **{key: rng.randint(1, 3) for key in CONDITIONS[signal]}}
    if signal == "phase_steps":
        when["phase"] = rng.choice(("search", "act"))
    while True:
        made = {"name": f"rule-{number}", "when": when, "patch": rule_patch(base, rng), **({"most": 2} if rng.random() < 0.3 else {})}
        if not problems({**base, "adaptations": [made]}, imports=True):
            return made


def rule_patch(base: dict[str, Any], rng: Random) -> list[dict[str, Any]]:
    """Draw a patch of the processors, mostly a valid one."""
    new = draw_entry(rng.choice(sorted(REGISTRY)), rng)
    components = base.get("components")
    names = sorted(components) if isinstance(components, dict) else []
    kind = rng.choice(("add", "remove", "replace", "set")) if names else "add"
    if kind == "add":
        return [{"op": "add", "path": f"/components/{rng.choice(IDS)}", "value": new}]
    name = rng.choice(names)
    if kind == "remove":
        return [{"op": "remove", "path": pointer("components", name)}]
    use = components[name].get("use") if isinstance(components[name], dict) else None
    if kind == "set" and isinstance(use, str) and use in REGISTRY and REGISTRY[use].schema:
        key = rng.choice(sorted(REGISTRY[use].schema))
        return [{"op": "add", "path": pointer("components", name, "params", key), "value": param(use, key, rng)}]
    again = draw_entry(use, rng) if isinstance(use, str) and use in REGISTRY else new
    return [{"op": "replace", "path": pointer("components", name), "value": again}]


# --- damage


JUNK = (
    "a",
    ["a"],
    ["guard", "zz"],
    None,
    True,
    0,
    -1,
    1.5,
    1e300,
    "",
    "decide",
    "rank",
    [],
    {},
    [[]],
    {"use": "decide"},
    "\n",
    99,
    "process(",
    "{{",
    ["walk to #"],
)


def places(value: Any, prefix: str = "") -> list[str]:
    """Return the JSON Pointers of everything inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[str] = []
    for key, item in inner:
        path = prefix + pointer(key)
        found += [path, *places(item, path)]
    return found


def damage(document: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Change a document at random, in one to three places."""
    for _ in range(rng.randint(1, 3)):
        try:
            document = apply(document, [_operation(document, rng)])
        except PatchError:
            continue
    return document


def patch(document: dict[str, Any], rng: Random) -> list[dict[str, Any]]:
    """Draw a patch of any kind: some apply, some do not, some are no patch."""
    if rng.random() < 0.4:
        return rule_patch(document, rng)
    return [_operation(document, rng) for _ in range(rng.randint(1, 3))]


def _operation(document: dict[str, Any], rng: Random) -> dict[str, Any]:
    there = ["", *places(document)]
    deep = [path for path in there if path.startswith("/components/")] or there
    path, other = rng.choice(rng.choice([there, deep])), rng.choice(deep)
    op = rng.choice(("add", "remove", "replace", "replace", "replace", "move", "copy", "test"))
    if rng.random() < 0.3:
        path += rng.choice(("x", "/-", "/0", "/99", "/params", "/turns", "/after", "/hook"))
    junk = rng.choice(JUNK)
    if rng.random() < 0.3:
        junk = draw_entry(rng.choice(sorted(REGISTRY)), rng)
    elif isinstance(junk, str) and rng.random() < 0.5:
        junk = rng.choice(sorted(REGISTRY))
    made = {"op": op, "path": path, "from": other, "value": copy.deepcopy(junk)}
    if rng.random() < 0.03:
        made.pop(rng.choice(sorted(made)))
    if rng.random() < 0.03:
        made[rng.choice(sorted(made))] = rng.choice((5, None, [], "zz"))
    return made


def plain(document: object) -> str:
    """Return a document as one text, to see whether it has changed."""
    return json.dumps(document, sort_keys=True)
