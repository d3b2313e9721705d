"""How other tools count FLOPs: one rule per layer type, each checked against the tool itself."""

# in the order of every table; light enough for `--help`
NAMES = (
    "archcalc",
    "torchinfo",
    "fvcore",
    "ptflops",
    "ptflops-aten",
    "thop",
    "calflops",
    "torch",
    "tf-profiler",
)
