"""The harness as data: load, print, hash, compare and edit it.

A harness is a JSON document (assets/schemas/harness.json): components by id. Loading fails closed:
every processor that the document declares lives afterwards, or the load is an error that lists all
that is wrong. Edits are JSON Patches (RFC 6902), which name a component by its id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from homebody.agents import wording
from homebody.agents.content_hash import canonical, digest
from homebody.agents.errors import AgentError
from homebody.agents.harness.library import Processor, defaults, find, known
from homebody.agents.harness.order import in_order
from homebody.agents.harness.patch import Patch, PatchError, apply, difference, is_same, pointer
from homebody.agents.harness.schema import code_problems, problems
from homebody.agents.harness.seed import pick_document, seed_names
from homebody.envs.core import did_you_mean
from homebody.envs.file import expand_path
from homebody.envs.text import NoFileError, UnreadableError, read_json

HOLD_PATCHES = ("adaptations", "variants")
"""Members of a harness whose items hold a patch of it."""


class HarnessError(AgentError):
    """A harness document, or a file of one, that cannot be used.

    Attributes:
        problems: all that is wrong with the document, each as `path: what`.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(f"{message}: {'; '.join(problems)}" if problems else message)
        self.problems = tuple(problems)


@dataclass(frozen=True)
class HarnessSpec:
    """A checked harness document.

    Immutable by convention: `document` is never changed, `patch` gives a new spec.

    Loading, showing, hashing, comparing and patching read the document alone. Checking (`check`) and
    playing (`processors`, in this process and in each worker) import the modules of the user's own
    processors, `module:Class`, and their components are then held to what the classes declare.
    """

    document: dict[str, Any]

    @classmethod
    def from_json(cls, document: object, source: str = "harness") -> HarnessSpec:
        """Check a parsed JSON document.

        None of its code is run and nothing is imported, see `check`.

        Args:
            document: the parsed document.
            source: how to call it in messages.

        Raises:
            HarnessError: it breaks the schema, names an unknown processor, has bad parameters,
                components that exclude each other or wait for each other, or an adaptation or
                variant that leads to any of these.
        """
        if wrong := problems(document):
            raise HarnessError(source, wrong)
        assert isinstance(document, dict)
        return cls(json.loads(json.dumps(document)))

    @classmethod
    def load(cls, name_or_path: str | Path, model: str | None = None) -> HarnessSpec:
        """Load a harness that ships with homebody, by name, or a file, by path.

        The name of a seed, as `generic`, stands for the one of its documents that fits the model,
        as `generic-react`. None of its code is run and nothing is imported, see `check`.

        Args:
            name_or_path: of the harness.
            model: who is to play, see `homebody.agents.harness.seed.pick_document`; of no matter
                unless a seed is named.

        Raises:
            HarnessError: there is none, or it is not valid.
            AgentError: a seed is named and there is no such model, or it cannot be read.
        """
        shipped, known = resources.files("homebody.assets") / "harnesses", harness_names()
        name = pick_document(str(name_or_path), known, model).name
        if name in known:
            return cls.from_json(json.loads((shipped / f"{name}.json").read_text("utf-8")), name)
        path = expand_path(name_or_path)
        try:
            return cls.from_json(read_json(path), str(path))
        except NoFileError as error:
            known = sorted([*known, *seed_names(known)])
            hint = f"give the path of a JSON file or one of {', '.join(known)}{did_you_mean(name_or_path, known)}"
            raise HarnessError(f"no harness {str(name_or_path)!r}: {error.fault}; {hint}") from None
        except UnreadableError as error:
            raise HarnessError(f"{path} {error.fault}; `homebody harness show {harness_names()[0]}` prints a valid harness") from None

    def check(self) -> HarnessSpec:
        """Try what the harness brings with it, once; return this spec.

        Its code and its templates are run on sample events, fenced in. The modules of processors that
        it names as `module:Class` are imported, those of its rules and variants too: that runs them,
        as any import does, without a fence.

        Raises:
            HarnessError: something of it fails, answers with what its hook does not allow, cannot be
                imported or is no processor.
        """
        if wrong := problems(self.document, imports=True) or code_problems(self.document):
            raise HarnessError(f"harness {self.name}", wrong)
        return self

    def processors(self) -> dict[str, type[Processor]]:
        """Return the processor class of each component by id, in the order in which they are asked.

        Modules of processors that the harness names as `module:Class` are imported.

        Raises:
            HarnessError: one of them cannot be imported or is no processor, or its component is not
                as it declares.
        """
        if any(known(item["use"]) is None for item in self.components.values()) and (wrong := problems(self.document, imports=True)):
            raise HarnessError(f"harness {self.name}", wrong)
        found = {name: find(item["use"]) for name, item in self.components.items()}
        return {name: found[name] for name in in_order(self.components, found)}

    @property
    def name(self) -> str:
        """The name for people."""
        return str(self.document["name"])

    @property
    def components(self) -> dict[str, dict[str, Any]]:
        """The components by id; not to be changed."""
        found: dict[str, dict[str, Any]] = self.document["components"]
        return found

    def in_order(self) -> list[str]:
        """Return the ids of the components in the order in which they are asked; see `order`.

        Nothing is imported: processors that the harness names as `module:Class` come last.
        """
        return in_order(self.components, {name: known(item["use"]) for name, item in self.components.items()})

    @property
    def adaptations(self) -> list[dict[str, Any]]:
        """The rules that change the harness in the midst of an episode, in order; not to be changed."""
        rules: list[dict[str, Any]] = self.document.get("adaptations", [])
        return rules

    @property
    def variants(self) -> list[dict[str, Any]]:
        """Other harnesses for some goals, in order; not to be changed."""
        found: list[dict[str, Any]] = self.document.get("variants", [])
        return found

    @property
    def behaviour_hash(self) -> str:
        """SHA-256 of what decides behaviour.

        That is ids, processors, their versions, parameters that are not the default, `after`, code,
        rules and variants. Ids count, since patches and traces call components by them. Of
        `module:Class` the version is the document's, and all parameters count that it gives: nothing
        is imported.
        """
        content: dict[str, Any] = {"components": {name: _behaviour(item) for name, item in self.components.items()}}
        if self.adaptations:
            content["adaptations"] = [self._behaviour_of_rule(rule) for rule in self.adaptations]
        if self.variants:
            content["variants"] = [[_plain(item["route"]), self.variant(item).behaviour_hash] for item in self.variants]
        return digest(content)

    def _behaviour_of_rule(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a rule does; later versions of processors that its patch may bring in count, first ones go without saying."""
        patched = {item["use"] for item in apply(self.document, rule["patch"])["components"].values()}
        later = {use: processor.version for use in patched if (processor := known(use)) and processor.version > 1}
        content = {"when": _plain(rule["when"]), "patch": _plain(rule["patch"]), "most": rule.get("most", 1)}
        return content | ({"versions": later} if later else {})

    def without_adaptations(self) -> HarnessSpec:
        """Return the same harness, which stays as it is throughout an episode."""
        return HarnessSpec({key: value for key, value in self.document.items() if key != "adaptations"})

    def without_variants(self) -> HarnessSpec:
        """Return the harness itself: what plays the goals that no variant is for."""
        return HarnessSpec({key: value for key, value in self.document.items() if key != "variants"})

    def with_variants(self, variants: Sequence[Mapping[str, Any]]) -> HarnessSpec:
        """Return the harness with these variants in place of its own.

        Raises:
            HarnessError: one of them does not fit it.
        """
        document = self.without_variants().document
        return HarnessSpec.from_json({**document, "variants": list(variants)} if variants else document, f"harness {self.name}")

    def without(self, name: str) -> HarnessSpec:
        """Return the harness without a component, also in its adaptations and variants.

        What had to follow the component follows what the component had to follow.

        Raises:
            HarnessError: it has no component of that id, or what is left is no harness.
        """
        bare, known = _drop(self.document, name), set(self.components)
        document = {key: value for key, value in bare.items() if key not in HOLD_PATCHES}
        for key in HOLD_PATCHES:
            held = []
            for item in self.document.get(key, []):
                led = apply(self.document, item["patch"])
                known.update(led["components"])
                if patch := _patch_without(name, item["patch"], bare, _drop(led, name)):
                    held.append({**item, "patch": patch})
            document |= {key: held} if held else {}
        if name not in known:
            hint = did_you_mean(name, sorted(known)) or f"; it has {', '.join(sorted(known)) or 'none at all'}"
            raise HarnessError(f"harness {self.name} has no component {name!r}{hint}")
        return HarnessSpec.from_json(document, f"harness {self.name} without {name}")

    def variant(self, variant: Mapping[str, Any]) -> HarnessSpec:
        """Return the harness that one of `variants` stands for, which has no variants itself."""
        return HarnessSpec(apply(self.without_variants().document, variant["patch"]))

    def route(self, goal: str) -> dict[str, Any] | None:
        """Return the variant that plays a goal: the first of those that score it highest, above 0; None leaves it to the harness itself."""
        scores = [route_score(variant["route"], goal) for variant in self.variants]
        best = max(scores, default=0.0)
        return self.variants[scores.index(best)] if best > 0 else None

    def id_of(self, use: str) -> str | None:
        """Return the id of the component that uses this processor, or None.

        If several do, it is the first in alphabetical order.
        """
        return min((name for name, item in self.components.items() if item["use"] == use), default=None)

    def param(self, use: str, name: str) -> Any:
        """Return a parameter of the component that uses a processor, its default where the component does not say; None without one."""
        found = self.id_of(use)
        if found is None:
            return None
        return self.components[found]["params"].get(name, find(use).schema[name].get("default"))

    def patch(self, patch: Patch) -> HarnessSpec:
        """Apply a JSON Patch; this spec stays as it is. Of the result's code none is run, see `check`.

        Raises:
            PatchError: the patch is malformed, does not apply, or leads to an invalid harness.
        """
        try:
            document = apply(self.document, patch)
        except PatchError as error:
            raise PatchError(f"the patch does not apply to harness {self.name}: {error}; nothing was changed") from None
        try:
            return HarnessSpec.from_json(document, f"harness {self.name} after the patch")
        except HarnessError as error:
            raise PatchError(f"{error}; nothing was changed") from None

    def diff(self, other: HarnessSpec) -> Patch:
        """Return the JSON Patch that turns this harness into the other; parameters are wholes."""
        return difference(self.document, other.document, depth=4)  # /components/ID/params/NAME

    def dumps(self) -> str:
        """Return the document as readable JSON, with a line end."""
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"


def _patch_without(name: str, patch: Patch, bare: Mapping[str, Any], led: Mapping[str, Any]) -> Patch:
    """Return a held patch without what it says of a component; it leads from `bare` to `led`."""
    own = pointer("components", name, "")
    left = [item for item in patch if not any(f"{item.get(key)}/".startswith(own) for key in ("path", "from"))]
    try:
        if is_same(apply(bare, left), led):
            return left
    except PatchError:
        pass
    return difference(bare, led, depth=2)  # /components/ID


def _drop(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a document without a component."""
    instead = document["components"].get(name, {}).get("after", ())
    components = {}
    for other, item in document["components"].items():
        if other != name:
            components[other] = item
            if name in item.get("after", ()):
                followed = dict.fromkeys(one for known in item["after"] for one in (instead if known == name else [known]))
                components[other] = {key: value for key, value in {**item, "after": list(followed)}.items() if key != "after" or value}
    return {**document, "components": components}


def route_score(route: Mapping[str, Any], goal: str) -> float:
    """Return how much a route is for a goal: its bias and the weights of the goal's words, each word once."""
    weights: Mapping[str, float] = route["words"]
    return float(route["bias"]) + sum(weights.get(word, 0.0) for word in sorted(set(wording.words(goal))))


def _behaviour(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a component does; a parameter at its default is left out."""
    processor = known(item["use"])
    usual = _plain(defaults(processor)) if processor else {}
    params = {key: value for key, value in _plain(item["params"]).items() if key not in usual or canonical(value) != canonical(usual[key])}
    own = {key: item[key] for key in ("hook", "dimension", "source") if key in item}
    after = {"after": sorted(item["after"])} if item.get("after") else {}
    version = processor.version if processor else item.get("version", 1)
    return {"use": item["use"], "version": version, "params": params, **own, **after}


def _plain(value: Any) -> Any:
    """Write whole floats as integers, so that 2 and 2.0 have one hash."""
    return json.loads(json.dumps(value), parse_float=_number)


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def component(use: str, params: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a component as a document holds it.

    Args:
        use: the processor.
        params: its parameters.
        **more: other members, as `after`.
    """
    return {"use": use, "params": dict(params or {}), **more}


def harness_names() -> list[str]:
    """Return the names of the harnesses that ship with homebody, sorted."""
    return sorted(
        f.name.removesuffix(".json") for f in (resources.files("homebody.assets") / "harnesses").iterdir() if f.name.endswith(".json")
    )
