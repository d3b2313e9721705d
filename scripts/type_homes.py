"""Writes archcalc/layers/homes.py: which module declares each layer type and operation.

    python -m scripts.type_homes

Run it after a type is added, moved or renamed; `tests/layers/test_registry.py` fails until then.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from archcalc import layers
from archcalc.layers import homes, operations, registry

HOMES = Path(homes.__file__)
HEAD = '''"""Which module declares each type; written by `python -m scripts.type_homes`."""

from __future__ import annotations
'''


def text() -> str:
    """The module that the classes, all of them imported, ask for."""
    homes.LAYERS.clear()  # a table that is out of date refuses types that were moved
    for package in (layers, operations):
        for module in iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")
    own = {name: cls for name, cls in registry._layers.items() if cls.__module__.startswith("archcalc.")}
    lines = [HEAD, "LAYERS = {"]
    lines += [f'    "{name}": "{_module(cls)}",' for name, cls in own.items()]
    lines += ["}", "", "# with the names of their classes in Keras configs", "OPERATIONS = {"]
    lines += [
        f'    "{name}": ("{_module(cls)}", "{cls.class_name}"),' for name, cls in registry._operations.items()
    ]
    return "\n".join([*lines, "}", ""])


def _module(cls: type) -> str:
    return cls.__module__.rpartition(".")[2]


if __name__ == "__main__":
    HOMES.write_text(text(), encoding="utf-8")
