"""What the command line prints: colours and bars on a terminal, plain lines elsewhere.

Results go to standard output, progress and errors to standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
import rich.console
import rich.live
from rich.cells import cell_len
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.syntax import Syntax
from rich.table import Column, Table
from rich.text import Text

from homebody.scripts.terminal import clean, escape

if TYPE_CHECKING:
    from homebody.agents.record import StepRecord
    from homebody.evolution.stored import StoredResult

Advance = Callable[[int, int, str], None]
_WHO = {"model": "bold blue", "agreed": "blue", "reading": "cyan", "harness": "dim", "fallback": "bold red"}
"""Style of each value of `StepRecord.decided_by`."""
_COMPARED = {"vote": "votes", "score": "scores"}
"""What is said before the best commands, by how the policy decides; elsewhere they are ranked."""


def error_line(message: str) -> None:
    """Print an error as one line on standard error."""
    click.echo("homebody: " + " ".join(clean(message).split()), err=True)


def _in_pieces(observation: str) -> str:
    """Return an observation with dots between the pieces of a page."""
    from homebody.envs.text import PIECE_MARK

    return observation.replace(PIECE_MARK, " · ")


class Console:
    """Prints the results of commands."""

    def __init__(self) -> None:
        self.out = rich.console.Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self.err = rich.console.Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
        self._picked: list[str] = []

    def episode_head(self, task: Any, spec: Any, policy: str) -> None:
        """Print what is about to be played."""
        self.say_picked(self.out)
        self.out.rule(f"[bold]{escape(task.task_id)}")
        self.out.print(
            f"[dim]harness[/] {escape(spec.name)}  [dim]behaviour[/] {spec.behaviour_hash[:12]}  [dim]policy[/] {escape(policy)}"
        )

    def opening(self, goal: str, observation: str) -> None:
        """Print what the task is and what the agent sees first."""
        self.out.print(f"\n[bold]{escape(goal)}[/]")
        if observation.strip() != goal.strip():
            self._text(_in_pieces(observation).strip(), "dim")

    def step(self, entry: StepRecord) -> None:
        """Print a step: what was chosen and who decided, what was on offer, what the model was asked, and what happened."""
        from homebody.evolution.reports import decision as words

        subgoal = entry.subgoal
        aim = f" · {subgoal['phase']} {subgoal['wanted']}" if subgoal else ""
        mark = "[bold blue]?[/]" if entry.tool else "[bold green]>[/]" if entry.accepted else "[bold red]✗[/]"
        self._step_head(entry, mark, words.decision(entry) if words.is_by_model([entry]) else "")
        self._text(f"{entry.offered} of {entry.admissible} commands on offer, {entry.method}{aim}", "dim")
        for question in entry.questions:
            self._row("asked", words.asked(question)[0])
            self._row("", "-> " + self._fitting(words.answers(question), ", "))
        for name, ranked in words.conclusions(entry):
            first, *rest = [f"{text} {value:+.1f}" for text, value in ranked]
            self._row("so", self._fitting([f"{name}: {first}", *rest], ", "))
        if thought := words.thought(entry):
            self._row("thinks", thought, "italic")
        if reply := words.reply(entry):
            self._row("wrote", reply)
        if len(entry.scores) > 1:
            label = _COMPARED.get(entry.method, "ranked")
            self._row(label, self._fitting([f"{command} {score:+.2f}" for command, score in entry.scores[:3]], "   "), "dim")
        if other := words.twin(entry):
            self._row("twin", other)
        self._text(_in_pieces(entry.observation))
        if adapted := entry.adapted:
            self.out.print(
                f"      [bold yellow]adapted[/] by {escape(adapted['rule'])} ({adapted['signal']}): {len(adapted['patch'])} edits, "
                f"behaviour {adapted['behaviour_hash'][:12]} from here on"
            )

    def _step_head(self, entry: StepRecord, mark: str, decision: str) -> None:
        """Print a command, and at the right who decided; below it where the line has no room for both."""
        *before, last = self._lines(entry.command or "(nothing)", 6)
        first = f"\n[dim]{entry.step:>3}[/] {mark} "
        for line in before:
            self.out.print(f"{first}[bold]{escape(line)}[/]")
            first = "      "
        head = f"{first}[bold]{escape(last)}[/]"
        if not decision:
            self.out.print(head)
            return
        who, _, rest = decision.partition(",")
        said = f"[{_WHO[who]}]{who}[/]" + (f"[dim],{rest}[/]" if rest else "")
        room = self._width - len(decision)
        gap = room - 6 - cell_len(last)
        self.out.print(f"{head}{' ' * gap}{said}" if gap >= 2 else f"{head}\n{' ' * room}{said}")

    @property
    def _width(self) -> int:
        """Columns of what is laid out: a line of text that is longer is hard to read."""
        return min(self.out.width, 100)

    def _row(self, label: str, text: str, style: str = "none") -> None:
        """Print a text with its label before it; on a terminal its further lines stand below its first."""
        first, *more = self._lines(text, 13)
        self.out.print(f"      [dim]{label:<6}[/] [{style}]{escape(first)}[/]")
        for line in more:
            self.out.print(f"             [{style}]{escape(line)}[/]")

    def _text(self, text: str, style: str = "none") -> None:
        for line in self._lines(text, 6):
            self.out.print(f"      [{style}]{escape(line)}[/]")

    def _lines(self, text: str, indent: int) -> list[str]:
        """Return the lines of a text: as they are, and on a terminal as it has room for."""
        lines = clean(text).splitlines() or [""]
        if not self.out.is_terminal:
            return lines
        room = max(20, self.out.width - indent)
        return [part.plain.rstrip() for line in lines for part in Text(line).wrap(self.out, room)]

    def _fitting(self, parts: Sequence[str], between: str) -> str:
        """Return as many parts as a row has room for, at least the first."""
        parts = [clean(part) for part in parts]
        while len(parts) > 1 and cell_len(between.join(parts)) > self._width - 16:
            parts.pop()
        return between.join(parts)

    def episode_end(self, record: Any) -> None:
        """Print how it ended."""
        from homebody.agents.record import decisions
        from homebody.evolution.reports import decision as words

        if record.error:
            self.out.print(f"\n[bold red]failed[/] {record.error['kind']} at {record.error['boundary']}: {escape(record.error['message'])}")
            return
        if record.interrupted:
            from homebody.scripts.view.human import HUMAN

            by = "" if record.policy == HUMAN else " by the harness"
            self.out.print(f"\n[bold yellow]ended{by}[/]: {escape(record.interrupted)}")
        for failure in record.failures:
            self.out.print(f"[yellow]{failure['kind']}[/] in {escape(failure['boundary'])}: {escape(failure['message'])}")
        verdict = "[bold green]won[/]" if record.won else "[bold red]not won[/]"
        if record.strict is not None:
            verdict += f", reward {record.reward:.2f}{'' if record.strict else ', no exact match'}"
        refused = f", {record.invalid_actions} not possible" if record.invalid_actions else ""
        usage = record.usage
        adapted = f", adapted {len(record.adaptations)} times" if record.adaptations else ""
        self.out.print(f"\n{verdict} in {record.steps} steps{refused}{adapted}  [dim]trace {record.trace_hash[:12]}[/]")
        if words.is_by_model(record.trace):
            self.line(words.shares(decisions([record]).counts))
            if faults := words.faults([record]):
                self.line(faults)
        if usage.get("prompt_tokens"):
            cached = usage["cached_tokens"] / usage["prompt_tokens"]
            self.out.print(
                f"[dim]{usage['prompt_tokens']} prompt tokens ({100 * cached:.0f}% from cache), "
                f"{usage['generated_tokens']} generated, {usage['scored_tokens']} scored, {usage['seconds']:.1f} s in the model[/]"
            )

    def evaluation(self, result: StoredResult) -> None:
        """Print the result of an evaluation."""
        self.say_picked(self.out)
        from homebody.evolution.reports import worth
        from homebody.evolution.reports.summary import interval, steps

        where = f"{result['env']} {result['split']}, {result['max_steps']} steps"
        self.out.print(f"[bold]{escape(result['harness'])}[/], {escape(result['policy'])}, {where}")
        is_graded = "success_strict" in result
        table = Table("type", "n", "success", *(("reward", "exact match") if is_graded else ()), box=None, pad_edge=False)
        for kind, row in result["by_type"].items():
            # Episodes of a type may all have failed, and then have no grades.
            grades = (f"{row['reward_mean']:.3f}", f"{100 * row['success_strict']:.1f}%") if "success_strict" in row else ()
            table.add_row(escape(kind), str(row["n"]), worth.percent(row["success"]), *grades)
        cells = [f"[bold]{result['n']}", f"[bold]{interval(result)}"]
        if is_graded:
            low, high = result["ci95_strict"]
            cells += [f"[bold]{result['reward_mean']:.3f}"]
            cells += [f"[bold]{100 * result['success_strict']:.1f}%[/] ({100 * low:.1f} to {100 * high:.1f})"]
        table.add_row("[bold]all", *cells)
        self.out.print(table)
        for line in (*worth.beside(result, "--twins"), worth.twins(result)):
            if line:
                self.out.print(escape(line))
        for k, value in result.get("pass_at_k", {}).items():
            self.out.print(f"pass@{k} {worth.percent(value)}")
        if result["adaptations"]["total"]:
            adaptations = result["adaptations"]
            self.out.print(f"{adaptations['episodes']} of {len(result['episodes'])} episodes adapted, {adaptations['total']} times in all")
        self.out.print(
            f"[dim]{steps(result)} steps a task, {result['invalid_actions']} commands not possible, "
            f"{result['prompt_tokens']} prompt and {result['generated_tokens']} generated tokens, {result['wall_s']:.1f} s, "
            f"trace {result['trace_hash'][:12]}[/]"
        )

    @contextmanager
    def progress(self, what: str) -> Iterator[Advance]:
        """Show how many of how many are done: a bar, or elsewhere than on a terminal a line every ten seconds."""
        if self.err.is_terminal:
            with self._bars() as bars:
                bar = bars.add_task(what, total=None)
                yield lambda done, total, note: bars.update(bar, completed=done, total=total, description=f"{what} ({note})")
            return
        last = [time.monotonic()]

        def line(done: int, total: int, note: str) -> None:
            if time.monotonic() - last[0] > 10:
                last[0] = time.monotonic()
                self.err.print(f"{what}: {done} of {total} ({note})")

        yield line

    @contextmanager
    def megabytes(self, what: str, name: str) -> Iterator[Callable[[int, int], None]]:
        """Show how many bytes of how many are done, in MB; yields what is to be told of them."""
        with self.progress(f"{what}, MB") as advance:
            yield lambda done, total: advance(done // 1_000_000, total // 1_000_000, name)

    def prepare(self, *models: str, n_threads: int = 1, gpu_layers: int = 0) -> None:
        """Prepare or fetch models that are not there yet, show how far that is, and say which of them will be slow.

        Args:
            models: names; those of policies without a model are passed over.
            n_threads: threads of each.
            gpu_layers: layers on the GPU; with any nothing is said.

        Raises:
            AgentError, EnvError: one cannot be prepared.
        """
        from homebody.agents.models.names import slow_line

        for name in models:
            self._fetch(name)
            if not gpu_layers and (line := slow_line(name, n_threads)):
                self.err.print(escape(line))

    def _fetch(self, model: str) -> None:
        from homebody.agents.models.names import is_prepared, resolve

        if not is_prepared(model):
            with self.megabytes("preparing", model) as progress:
                resolve(model, progress)

    def picked_harness(self, name: str, model: str | None = None) -> str:
        """Return the name or path of a harness; for a seed's bare name that of the document which fits the model.

        Which one that is stands before the result: until then a mistake is told in one line.

        Raises:
            AgentError, EnvError: a seed is named and there is no such model, or it cannot be prepared or read.
        """
        from homebody.agents.harness.seed import pick_document, seed_names
        from homebody.agents.harness.spec import harness_names

        documents = harness_names()
        if model is not None and name in seed_names(documents):
            self._fetch(model)
        pick = pick_document(name, documents, model)
        if pick.why:
            self._picked.append(f"harness {name}: {pick.name}, since {pick.why}")
        return pick.name

    def say_picked(self, out: rich.console.Console | None = None) -> None:
        """Say which documents were picked, if any were; on standard error, unless another place is given."""
        for line in dict.fromkeys(self._picked):
            (out or self.err).print(f"[dim]{escape(line)}[/]")
        self._picked.clear()

    def markdown(self, text: str) -> None:
        """Print Markdown: laid out on a terminal, as it is elsewhere."""
        self.out.print(Markdown(clean(text)) if self.out.is_terminal else escape(text))

    def line(self, text: str) -> None:
        """Print a line as it is."""
        self.out.print(escape(text), soft_wrap=True)

    def harness_list(self, found: Mapping[str, Any]) -> None:
        """Print harnesses and processors."""
        table = Table("harness", "what it is", box=None, pad_edge=False)
        for item in found["harnesses"]:
            table.add_row(item["name"], escape(item["description"]))
        self.out.print(table)
        self.out.print()
        for item in found["processors"]:
            self.out.print(f"[bold]{item['name']}[/] [dim]{item['hook']}, {item['dimension']}[/]")
            self.out.print(f"  {escape(item['does'])}")
            for name, rule in item["params"].items():
                self.out.print(f"  [cyan]{name}[/] {escape(rule['description'])}")

    def harness(self, spec: Any) -> None:
        """Print a harness by dimension; long memories are cut, the file holds them whole."""
        self.say_picked()
        from homebody.agents.harness.outline import outline, short, when

        self.out.print(f"[bold]{escape(spec.name)}[/]  [dim]behaviour {spec.behaviour_hash}[/]")
        self.out.print(escape(spec.document.get("description", "")))
        for dimension, items in outline(spec):
            self.out.print(f"\n[bold underline]{dimension}[/]")
            for item in items:
                use = "" if item.id == item.use else f" {item.use}"
                at = f" at {item.hook}" if item.hook else ""
                self.out.print(f"  [bold]{item.id}[/][dim]{use}{at}: {escape(item.does)}[/]")
                for name, value in item.params.items():
                    self.out.print(f"      [cyan]{name}[/] {escape(value)}")
        for number, rule in enumerate(spec.adaptations):
            if number == 0:
                self.out.print("\n[bold underline]adaptations[/]")
            self.out.print(f"    [bold]{rule['name']}[/] [dim]{escape(when(rule))}[/]")
            for operation in rule["patch"]:
                self.out.print(f"      {escape(short(operation))}")

    def harness_diff(self, changes: Sequence[str], patch: Sequence[Mapping[str, Any]]) -> None:
        """Print what differs, in words, and the JSON Patch, which goes to standard output alone."""
        self.say_picked()
        for line in changes:
            self.err.print(escape(line))
        self.patch(patch)

    def patch(self, patch: Sequence[Mapping[str, Any]]) -> None:
        """Print a JSON Patch."""
        text = json.dumps(patch, indent=2, ensure_ascii=False)
        self.out.print(Syntax(clean(text), "json", word_wrap=True) if self.out.is_terminal else escape(text))

    def models(self, found: Sequence[Mapping[str, Any]]) -> None:
        """Print the known models."""
        table = Table(Column("name", no_wrap=True), "model", "state", "size", "quantization", "licence", box=None, pad_edge=False)
        for item in found:
            size = f"{item['size_bytes'] / 1e6:.0f} MB"
            table.add_row(
                *(escape(str(v)) for v in (item["name"], item["title"], item["state"], size, item["quantization"], item["licence"]))
            )
        self.out.print(table)

    def pairs(self, found: Mapping[str, Any]) -> None:
        """Print names and values."""
        for name, value in found.items():
            self.out.print(f"[dim]{name:>16}[/]  {escape(str(value))}")

    def _bars(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        return Progress(*columns, console=self.err, transient=True)
