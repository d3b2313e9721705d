"""Every rule: those of lint, those of the findings of analyze, and the budgets."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from archcalc.errors import ArchcalcError, did_you_mean
from archcalc.report.rule import Rule
from archcalc.report.rules import RULES
from archcalc.review.lint import rules as room
from archcalc.review.lint.budgets import BUDGETS
from archcalc.review.lint.declare import DECLARED


@cache
def catalogue() -> dict[str, Rule]:
    """Every rule by its id, in order."""
    for module in iter_modules(room.__path__):
        import_module(f"{room.__name__}.{module.name}")
    known = {rule.id: rule for rule in (*DECLARED, *BUDGETS, *RULES.values())}
    return dict(sorted(known.items()))


def rule_of(word: str) -> Rule:
    """The rule of an id or a name; raises `ArchcalcError` with the nearest if there is none."""
    known = catalogue()
    found = known.get(word.upper()) or next((r for r in known.values() if r.name == word.lower()), None)
    if found is None:
        names = [*known, *(rule.name for rule in known.values())]
        hint = did_you_mean(word, names, "`archcalc rules` lists them")
        raise ArchcalcError(f"no rule is named {word!r}{hint}")
    return found


def ids_of(words: Iterable[str]) -> set[str]:
    """The ids of rules that are given as ids, names, or beginnings of ids (`AC1`).

    Raises `ArchcalcError` for a word that names none.
    """
    found: set[str] = set()
    for word in words:
        begins = {id for id in catalogue() if id.startswith(word.upper())} if word.upper() != "A" else set()
        found |= begins or {rule_of(word).id}
    return found
