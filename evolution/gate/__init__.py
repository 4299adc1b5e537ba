"""The gate: from a proposed edit to a verdict. Candidates are reviewed, played beside the present harness and their twins, and judged.

Holds the manifest and the critic, the player (episodes within budgets, each played once), the twins, the rule with its statistics, and
simulations of how often it errs. A round, a run, the reports and the controls import it; it imports settings, proposers, evidence and
the store.
"""
