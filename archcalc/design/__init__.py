"""Design questions: closed forms of a network's figures, and the configurations that meet budgets."""
