"""From wishes to JSON Patches: processors with parameters, put into a harness or taken out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from homebody.agents.harness.library import defaults, find, known
from homebody.agents.harness.patch import Patch, is_same, pointer
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.processors.operator import Edit, Settings


def as_patch(spec: HarnessSpec, edit: Edit) -> Patch:
    """Return what an edit operator does as a patch."""
    return edit if isinstance(edit, list) else set_processors(spec, edit)


def set_processors(spec: HarnessSpec, settings: Settings) -> Patch:
    """Return the patch that gives processors these parameters; those that are not there come in.

    Where several components use a processor, the patch is of the one whose id `target` returns. What
    is so already is left out.

    Args:
        spec: the harness.
        settings: parameters by processor, a name or `module:Class`; None takes the processor out.
    """
    patch: Patch = []
    for use, params in settings.items():
        name = target(spec, use)
        if params is None:
            patch += take_out(spec, name) if name in spec.components else []
        elif name in spec.components:
            patch += set_params(spec, name, params)
        else:
            version = find(use).version if known(use) is None else 1
            own = {"version": version} if version > 1 else {}
            patch.append({"op": "add", "path": pointer("components", name), "value": component(use, params, **own)})
    return patch


def set_params(spec: HarnessSpec, name: str, params: Mapping[str, Any]) -> Patch:
    """Return the patch that gives a component these parameters; what is so already is left out."""
    known = spec.components[name]["params"]
    return [
        {"op": "add", "path": pointer("components", name, "params", key), "value": value}
        for key, value in params.items()
        if key not in known or not is_same(known[key], value)
    ]


def texts_of(spec: HarnessSpec) -> dict[str, str]:
    """Return the texts that may be rewritten and are not empty, by `id.parameter`: those that the class of a processor calls `texts`."""
    found: dict[str, str] = {}
    for name, processor in spec.processors().items():
        params = defaults(processor) | spec.components[name]["params"]
        found |= {f"{name}.{param}": str(params[param]) for param in processor.texts if params.get(param)}
    return found


def take_out(spec: HarnessSpec, name: str) -> Patch:
    """Return the patch that takes a component out, also of the rules of the harness."""
    return spec.diff(spec.without(name))


def target(spec: HarnessSpec, use: str) -> str:
    """Return the id of the component that `set_processors` sets, or adds for this processor."""
    return spec.id_of(use) or new_id(spec, use)


def new_id(spec: HarnessSpec, use: str) -> str:
    """Return an id for one more component: the processor's name, numbered where it is taken."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", use.rpartition(":")[2])[:60]
    names = (f"{name}_{number}" if number > 1 else name for number in range(1, 102))
    return next(found for found in names if found not in spec.components)
