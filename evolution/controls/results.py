"""The results table as data: rows that may come from several machines, checked against each other, and what is computed of them.

Plays nothing and reads no store. A file of results is enough to draw every table and picture again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import jsonschema

from homebody.agents.errors import AgentError
from homebody.envs.file import UserPath, expand_path
from homebody.envs.text import read_json
from homebody.evolution.controls.benchmark import published
from homebody.evolution.controls.claims import mean_claim, protocol_claims, size_claim

FORMAT = 1
"""Of the file: counted up when an older one cannot be read any more."""
FILE = "results.json"
KEY = ("model", "benchmark", "protocol", "objective", "split", "repeat", "harness_of")
"""What tells the rows of a table apart; a row without `harness_of` is of a harness that evolved for its model."""
MAY_DIFFER = ("tokens",)
"""Of two rows that say the same: what was served from a cache depends on the machine."""


class ResultsError(AgentError):
    """A file of results that cannot be read, or rows that do not belong in one table."""


@dataclass(frozen=True)
class Results:
    """Rows of a results table, from one source."""

    source: str
    """A file, for people."""
    rows: Sequence[Mapping[str, Any]]
    """As `homebody.evolution.controls.table.table_row` returns them."""
    combinations: Sequence[Mapping[str, Any]]
    """As `homebody.evolution.controls.table.read_combination` returns them, one a row."""
    quick: bool = False

    def pairs(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Yield each row with its combination."""
        return zip(self.rows, self.combinations, strict=True)

    def without(self, others: Results) -> Results:
        """Return it without the rows that others have, whatever those say."""
        known = {key_of(row) for row in others.rows}
        kept = [(row, one) for row, one in self.pairs() if key_of(row) not in known]
        return replace(self, rows=[row for row, _ in kept], combinations=[one for _, one in kept])


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells a row from the others of a table."""
    return tuple(row.get(name) for name in KEY)


def build_report(rows: Sequence[Mapping[str, Any]], combinations: Sequence[Mapping[str, Any]], quick: bool) -> dict[str, Any]:
    """Return all that the table and the figures show.

    Returns:
        `format`; `quick`; `rows`; `mean_gain` (`points`, `ci95`, and of how many models on benchmarks, `n`), in which a null gain counts 0;
        `size` and `protocol` as `homebody.evolution.controls.claims` has them; `published`, the rows of the same benchmarks;
        `combinations`.
    """
    names, others = {row["benchmark"] for row in rows}, published()
    return {
        "format": FORMAT,
        "quick": quick,
        "rows": list(rows),
        "mean_gain": mean_claim(rows, combinations),
        "size": size_claim(rows, combinations),
        "protocol": protocol_claims(rows, combinations),
        "published": {**others, "rows": [row for row in others["rows"] if row["benchmark"] in names]},
        "combinations": list(combinations),
    }


def dump_report(report: Mapping[str, Any]) -> str:
    """Return a report as JSON text, a line for each row and each combination: what changes from version to version shows in a diff."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    def many(items: Sequence[Any]) -> str:
        return "[" + ",".join(f"\n  {line(item)}" for item in items) + ("\n ]" if items else "]")

    parts = [f' "{key}": {many(value) if key in ("rows", "combinations") else line(value)}' for key, value in report.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_results(path: UserPath) -> Results:
    """Read the rows of a file of results, or of the folder that `homebody reproduce` wrote one into.

    Raises:
        EnvError: there is none, or it is not JSON.
        ResultsError: it holds something else.
    """
    found = expand_path(path)
    found = found / FILE if found.is_dir() else found
    content = read_json(found)
    try:
        jsonschema.Draft202012Validator(_schema()).validate(content)
    except jsonschema.ValidationError as error:
        where = "/".join(map(str, error.absolute_path)) or "the whole"
        raise ResultsError(f"{found} holds no results of format {FORMAT}: at {where}, {error.message[:200]}") from None
    if len(content["rows"]) != len(content["combinations"]):
        counts = f"{len(content['rows'])} rows and {len(content['combinations'])} combinations"
        raise ResultsError(f"{found} holds {counts}; each row needs its combination: write the file anew with homebody reproduce")
    for row, one in zip(content["rows"], content["combinations"], strict=True):
        lengths = {key: len(one["outcomes"][key]) for key in ("tasks", "seed", "evolved")}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} {length}" for key, length in lengths.items())
            name = f"{row['model']} on {row['benchmark']}"
            raise ResultsError(f"{found}: outcomes of {name} need a letter a task, and there are {told}; write the file anew")
    return Results(str(found), content["rows"], content["combinations"], content["quick"])


def merge(parts: Sequence[Results]) -> Results:
    """Return the rows of several sources as one table, benchmark by benchmark; the same row from two of them once.

    Raises:
        ResultsError: two sources tell another thing of the same row, or played a benchmark or a model that differs.
    """
    found: dict[tuple[Any, ...], tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {}
    setting: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    for part in parts:
        for row, one in part.pairs():
            for what, name, facts in _settings(row, one):
                source, known = setting.setdefault((what, name), (part.source, facts))
                if differing := [key for key, value in facts.items() if known[key] != value]:
                    was = ", ".join(f"{key} is {known[key]!r} in {source} and {facts[key]!r} in {part.source}" for key in differing)
                    raise ResultsError(f"{what} {name} is not the same in all results: {was}; make tables of their own")
            key = key_of(row)
            if key in found:
                source, known_row, known_one = found[key]
                _check_same(known_row, known_one, row, one, f"{source} and {part.source}")
                continue
            found[key] = (part.source, row, one)
    order = list(dict.fromkeys(row["benchmark"] for _, row, _ in found.values()))
    kept = sorted(found.values(), key=lambda item: order.index(item[1]["benchmark"]))
    sources = ", ".join(part.source for part in parts)
    return Results(sources, [row for _, row, _ in kept], [one for _, _, one in kept], any(part.quick for part in parts))


def shipped_results() -> Results:
    """Return the rows that ship with homebody."""
    content = json.loads((resources.files("homebody.assets") / FILE).read_text("utf-8"))
    return Results(f"assets/{FILE}", content["rows"], content["combinations"], content["quick"])


def _settings(row: Mapping[str, Any], one: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield what all rows of a benchmark have in common, and all rows of a model."""
    manifest = one["manifest"]
    yield "benchmark", row["benchmark"], {key: manifest[key] for key in ("env", "env_args", "max_steps")}
    yield "model", row["model"], {"model_sha256": row["model_sha256"]}


def _check_same(
    known_row: Mapping[str, Any], known_one: Mapping[str, Any], row: Mapping[str, Any], one: Mapping[str, Any], where: str
) -> None:
    """Check that two sources tell the same of a row.

    Raises:
        ResultsError: they do not.
    """
    differing = [key for key in row if key not in MAY_DIFFER and known_row.get(key) != row[key]]
    differing += ["outcomes"] if known_one["outcomes"] != one["outcomes"] else []
    differing += ["behaviour_hash"] if known_one["manifest"]["behaviour_hash"] != one["manifest"]["behaviour_hash"] else []
    if differing:
        of = f", in the harness of {row['harness_of']}" if row.get("harness_of") else ""
        name = f"{row['model']} on {row['benchmark']} ({row['protocol']}, {row['objective']}, {row['split']}, repeat {row['repeat']}{of})"
        raise ResultsError(f"{where} both have {name} and differ in {', '.join(differing)}; leave one of them out")


def _schema() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((resources.files("homebody.assets") / "schemas" / FILE).read_text("utf-8"))
    return content
