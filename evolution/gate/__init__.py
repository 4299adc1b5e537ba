"""The gate: what an edit must claim, what speaks against it, what it must show to be shipped, and how often that errs."""
