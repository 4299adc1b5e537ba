"""Evidence, all that a proposer may know: digests of failures, the landscape of what was tried, statistics of play without a model."""
