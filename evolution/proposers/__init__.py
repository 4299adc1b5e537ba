"""Proposers: they read the evidence of training tasks and write candidate edits, each a JSON Patch with a manifest.

A proposer is a callable `(spec, evidence, k) -> list[Candidate]`. None of them sees a validation or test task. Those of homebody are in
`PROPOSERS`; yours is named `module:callable` and comes in through the same door. In a file mine.py of the current folder:

    from homebody.evolution.proposers import Candidate, make_manifest, set_processors

    def propose(spec, evidence, k):
        patch = set_processors(spec, {"loop_guard": {"repeats": 1}})
        number = f"r{evidence.round}c1"
        why = "The agent repeats what did not help."
        manifest = make_manifest(number, "control", "guard against loops", why, evidence, {"loop"}, "loop_guard")
        return [Candidate(number, "control", patch, manifest)]

`homebody evolve --proposer mine:propose` runs it. What it returns is judged like any other edit; if it fails or returns something else, the
run stops with one line, keeps what it has, and goes on with `--resume` once the callable is mended.
"""

from homebody.evolution.proposers.candidate import Candidate, Evidence, Proposer, ProposerError, make_manifest
from homebody.evolution.proposers.edit import set_processors
from homebody.evolution.proposers.registry import PROPOSERS, find_proposer

__all__ = ["PROPOSERS", "Candidate", "Evidence", "Proposer", "ProposerError", "find_proposer", "make_manifest", "set_processors"]
