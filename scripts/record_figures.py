"""Records every figure that archcalc prints for many networks, to compare before and after a change.

    python -m scripts.record_figures record FOLDER [--workers 2]
    python -m scripts.record_figures compare BEFORE AFTER

Records the JSON of all of keras.applications, gradients of every example and of twelve applications, FLOPs
in every convention of ten, and the other formats of five. Prints every figure that differs and, apart from
those, every text; exits with 1 if a figure differs or a record is missing. To record an earlier version,
run the script in its checkout.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent / "examples"
GRADIENTS = (
    *("ResNet50", "ResNet50V2", "MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0"),
    *("EfficientNetV2B0", "DenseNet121", "InceptionV3", "VGG16", "Xception", "ConvNeXtTiny"),
)
CONVENTIONS = (
    *("ResNet50", "ResNet101V2", "MobileNet", "MobileNetV3Large", "EfficientNetB1", "DenseNet169"),
    *("InceptionResNetV2", "NASNetMobile", "VGG19", "Xception"),
)
FORMATTED = ("resnet50", "unet", "resnet_depth_n", "inception_resnet_a", "conv_then_local")


def commands() -> dict[str, list[str]]:
    """The arguments of every run, by the name of its record."""
    from archcalc.readers.applications import names

    runs = {f"applications/{name}.json": ["analyze", f"keras:{name}", "--format", "json"] for name in names()}
    for name in GRADIENTS:
        runs[f"gradients/{name}.json"] = ["analyze", f"keras:{name}", "--gradients", "--format", "json"]
    for path in sorted(EXAMPLES.glob("*.json")):
        source = f"examples/{path.name}"
        runs[f"examples/{path.name}"] = ["analyze", source, "--gradients", "--clipped", "--format", "json"]
        runs[f"specs/{path.name}"] = ["convert", source, "--to", "spec"]
        runs[f"specs/{path.stem}.py"] = ["convert", source, "--to", "python"]
    for name in CONVENTIONS:
        for form in ("json", "table"):
            arguments = ["analyze", f"keras:{name}", "--compare-conventions", "--format", form]
            runs[f"conventions/{name}.{form}"] = arguments
    for name in FORMATTED:
        for form in ("table", "csv", "markdown", "latex"):
            arguments = ["analyze", f"examples/{name}.json", "--gradients", "--format", form]
            runs[f"formats/{name}.{form}"] = [*arguments, *(["--width", "120"] if form == "table" else [])]
    runs["layers.json"] = ["layers", "--format", "json"]
    runs["schema.json"] = ["schema"]
    return runs


def record(folder: Path, workers: int) -> int:
    """Run every command and write its output; returns how many failed."""

    def run(item: tuple[str, list[str]]) -> bool:
        name, arguments = item
        command = [sys.executable, "-m", "archcalc", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=EXAMPLES.parent)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ran.stdout, encoding="utf-8")
        if ran.returncode:
            print(f"{name}: ended with {ran.returncode}: {ran.stderr.strip()[-200:]}")
        return bool(ran.returncode)

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(run, commands().items()))


def leaves(data: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Every value inside JSON data, with its path."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(data, list):
        yield f"{path}.length", len(data)
        for i, value in enumerate(data):
            yield from leaves(value, f"{path}[{i}]")
    else:
        yield path, data


def is_prose(value: Any) -> bool:
    """Whether a value is a sentence; names, numbers and closed forms are not."""
    return isinstance(value, str) and any(word.isalpha() and len(word) > 2 for word in value.split()[1:])


def differences(before: Path, after: Path) -> tuple[list[str], list[str]]:
    """The figures that differ between two records, and the texts."""
    if before.suffix != ".json":
        printed = [p.read_text(encoding="utf-8") for p in (before, after)]
        numbers = [re.findall(r"\d[\d,.]*", text) for text in printed]
        lines = difflib.unified_diff(*(text.splitlines() for text in printed), lineterm="", n=0)
        changed = [line for line in lines if line[:2] != "@@"]
        return ([], changed) if numbers[0] == numbers[1] else (changed, [])
    old, new = (dict(leaves(json.loads(p.read_text(encoding="utf-8")))) for p in (before, after))
    figures, texts = [], []
    for path in sorted((old.keys() | new.keys()) - {"$.tool.version"}):
        a, b = old.get(path, "(missing)"), new.get(path, "(missing)")
        if a != b or type(a) is not type(b):
            (texts if is_prose(a) and is_prose(b) else figures).append(f"{path}: {a!r} -> {b!r}")
    return figures, texts


def compare(before: Path, after: Path) -> int:
    """Print what differs; returns the number of different figures and missing records."""
    names = sorted({str(p.relative_to(folder)) for folder in (before, after) for p in folder.rglob("*.*")})
    count = 0
    for name in names:
        pair = before / name, after / name
        if not all(p.exists() for p in pair):
            print(f"{name}: recorded only once")
            count += 1
            continue
        figures, texts = differences(*pair)
        count += len(figures)
        for kind, lines in (("figure", figures), ("text", texts)):
            for line in lines:
                print(f"{name}: {kind}: {line}")
    print(f"{len(names)} records, {count} figures differ")
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record")
    recording.add_argument("folder", type=Path)
    recording.add_argument("--workers", type=int, default=2)
    comparing = verbs.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.verb == "record":
        return min(record(options.folder, options.workers), 1)
    return min(compare(options.before, options.after), 1)


if __name__ == "__main__":
    sys.exit(main())
