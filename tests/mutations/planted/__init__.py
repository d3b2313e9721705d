"""Mistakes that somebody computing such figures really makes, planted one at a time."""

from __future__ import annotations

from tests.mutations.mutants import Mutant
from tests.mutations.planted.fields import FIELDS
from tests.mutations.planted.operations import OPERATIONS
from tests.mutations.planted.rules import RULES
from tests.mutations.planted.sequences import SEQUENCES

PLANTED: list[Mutant] = [*RULES, *FIELDS, *SEQUENCES, *OPERATIONS]
