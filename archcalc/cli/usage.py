"""Examples that `--help` shows below the options of each command; a test runs them."""

from __future__ import annotations

# command -> what one may type after `archcalc COMMAND`, and why
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "analyze": (
        ("net.json", "a spec, or what model.to_json() wrote"),
        ("keras:ResNet50 --depth 1", "by name, blocks as rows"),
        ("net.json --batch 32 --memory 24GiB", "does it fit?"),
        ("net.json --gradients", "will gradients vanish?"),
        ("net.json --format json -o report.json", "for scripts"),
    ),
    "audit": (
        ("net.json", "the claims in the spec"),
        ("net.json --claims ada.csv -o feedback.md", "of a student"),
    ),
    "completion": (("bash", "the script; see above"),),
    "convert": (
        ("keras:VGG16 -o vgg16.json", "a spec with blocks"),
        ("net.json -o net.py", "as Keras code"),
    ),
    "diff": (
        ("keras:VGG16 keras:VGG19", ""),
        ("old.json net.json --fail-on changed", "or exit code 1"),
    ),
    "examples": (
        ("", "list them"),
        ("copy vgg16", "to vgg16.json, to read and edit"),
    ),
    "explain": (
        ("net.json --layer conv1", "each figure step by step"),
        ("--parameters 448 --input-channels 3", "which layers?"),
        ("--receptive-field 7 --layers 3", "which chains?"),
    ),
    "layers": (
        ("", "all types"),
        ("Conv2DTranspose", "one in detail"),
    ),
    "lint": (
        ("net.json keras:MobileNetV2 --fail-on warning", "several"),
        ("net.json --budget max-parameters=5e6", "within a budget?"),
        ("net.json --format github", "beside a pull request's lines"),
    ),
    "report": (
        ("net.json -o net.html", "one page, opens offline"),
        ("keras:MobileNetV2 -o net.html", "by name"),
    ),
    "rules": (
        ("", "all rules"),
        ("AC101", "what it finds, why, how sure"),
    ),
    "schema": (("-o spec.schema.json", "for editors: name it in $schema"),),
    "solve": (
        ("net.json --for n --maximize --parameters-at-most 5e6", ""),
        ("net.json --for n --minimize macs --parameters-at-least 1000", ""),
    ),
    "sweep": (
        ("net.json --over n=1:20", "every n from 1 to 20"),
        ("net.json --over n=1:64 --minimize macs --maximize parameters", ""),
        ("net.json --over n=1:20 -o all.csv", "needs the extra sweep"),
    ),
    "verify": (
        ("net.json", "every figure against the real model"),
        ("net.json --set n=3 --all", "every check with both figures"),
    ),
}


def epilog(command: str) -> str | None:
    """The examples of a command as a paragraph that click leaves as it is."""
    lines = [
        f"  archcalc {command} {arguments}".rstrip() + (f"  # {why}" if why else "")
        for arguments, why in EXAMPLES.get(command, ())
    ]
    return "\n".join(["\b", "Examples:", *lines]) if lines else None
