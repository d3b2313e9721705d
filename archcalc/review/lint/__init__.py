"""Lint: findings of a network in the hands of a reviewer, and budgets."""
