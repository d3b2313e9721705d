"""Diff: what changed between two architectures."""
