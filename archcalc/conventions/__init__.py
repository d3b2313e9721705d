"""How other tools count FLOPs: one rule per layer type, each tested against the tool itself."""

# in the order of all tables; this module imports nothing, because `--help` lists the names
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
