"""The order in which the components of a harness are asked.

Hooks come in the order of an episode. Within a hook a component follows those that its class names
in `after`, those whose class names it in `before`, and the ids in its own `after`. Where none of
these decides, the id does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from homebody.agents.errors import AgentError
from homebody.agents.harness.hooks import HOOKS
from homebody.agents.processors.base import Processor

Component = Mapping[str, Any]
"""One entry of `components` in a harness document."""


class CycleError(AgentError):
    """Components that wait for each other.

    Attributes:
        pairs: the cycle. The first component of each pair follows the second, which is the first of
            the next pair.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.pairs = list(zip(ids, [*ids[1:], ids[0]], strict=True))
        super().__init__(f"components wait for each other: {', '.join(f'{one} after {other}' for one, other in self.pairs)}")


Processors = Mapping[str, type[Processor] | None]
"""The classes of components, by id; None for one that is not imported."""


def hook_of(component: Component, processor: type[Processor] | None) -> str:
    """Return the hook of a component: its class's, or its own where the class leaves it open.

    It is empty where the class is not imported.
    """
    return "" if processor is None else str(processor.hook or component["hook"])


def dimension_of(component: Component, processor: type[Processor] | None) -> str:
    """Return the dimension of a component, as `hook_of` returns the hook."""
    return "" if processor is None else str(processor.dimension or component["dimension"])


def in_order(components: Mapping[str, Component], processors: Processors) -> list[str]:
    """Return the ids of components in the order in which they are asked.

    Components whose class is not imported come last.

    Args:
        components: by id.
        processors: their classes, by id.

    Raises:
        CycleError: some of them wait for each other.
    """
    hooks = {name: (*HOOKS, "").index(hook_of(component, processors[name])) for name, component in components.items()}
    earlier = {name: _earlier(name, components, processors, hooks) for name in components}
    left = sorted(components, key=lambda name: (hooks[name], name))
    placed: dict[str, None] = {}
    while left:
        ready = next((name for name in left if earlier[name] <= placed.keys()), None)
        if ready is None:
            raise CycleError(_cycle(left[0], earlier, left))
        left.remove(ready)
        placed[ready] = None
    return list(placed)


def _earlier(name: str, components: Mapping[str, Component], processors: Processors, hooks: Mapping[str, int]) -> set[str]:
    """Return the ids that come before one."""
    found = components.keys() & set(components[name].get("after", ()))
    own = processors[name]
    for other, processor in processors.items():
        if own is None or processor is None or other == name or hooks[other] != hooks[name]:
            continue
        if _names(components[other], processor) & {*own.after} or _names(components[name], own) & {*processor.before}:
            found.add(other)
    return found


def _names(component: Component, processor: type[Processor]) -> set[str]:
    return {component["use"], processor.name}


def _cycle(start: str, earlier: Mapping[str, Collection[str]], left: Collection[str]) -> list[str]:
    """Return a cycle that is reached from one of the components that could not be placed."""
    path = [start]
    while True:
        following = min(name for name in earlier[path[-1]] if name in left)
        if following in path:
            return path[path.index(following) :]
        path.append(following)
