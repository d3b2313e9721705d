"""Judgements of a network: what is wrong with it, and what changed."""
