"""How other tools count FLOPs: one rule per layer type, each checked against the tool itself."""
