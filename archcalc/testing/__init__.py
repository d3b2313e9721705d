"""Hypothesis strategies for whole architectures: `from archcalc.testing import strategies`.

Needs the extra `archcalc[testing]`.
"""
