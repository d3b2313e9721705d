"""The settings of lint: `[tool.archcalc.lint]` of pyproject.toml, and the same keys as options."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from archcalc.errors import ArchcalcError, did_you_mean
from archcalc.graph.compiled import LABELS, Compile, Loss, Suppression
from archcalc.report.options import AnalysisOptions, Interval
from archcalc.report.rule import SEVERITIES
from archcalc.review.lint import budgets
from archcalc.review.lint.catalogue import ids_of, rule_of

FILE, TABLE = "pyproject.toml", "tool.archcalc.lint"
COMPILE = ("loss", "optimizer", "learning-rate", "momentum", "labels", "classes")
ANALYSIS = ("batch", "dtype", "memory", "optimizer")
GIVEN = ("largest-object", "smallest-object", "input-range")
KEYS = (
    *("select", "ignore", "fail-on", *GIVEN),
    *dict.fromkeys((*COMPILE, *ANALYSIS)),
    *budgets.NAMES,
)
WITH_MOMENTUM = ("sgd", "rmsprop")
NETWORKS = "networks"
WARNING = "warning"


@dataclass(frozen=True)
class Settings:
    """What lint checks of one network.

    `selected`, `ignored`: ids of rules; `suppressions` and `given` as the rules read them; `limits` the
    budgets; `trained` arguments of `compile`, `analysis` options of `archcalc.analyze`.
    """

    selected: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()
    suppressions: tuple[Suppression, ...] = ()
    fail_on: str = WARNING
    given: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    trained: Mapping[str, Any] = field(default_factory=dict)
    analysis: Mapping[str, Any] = field(default_factory=dict)

    def includes(self, rule: str) -> bool:
        return (self.selected is None or rule in self.selected) and rule not in self.ignored

    def with_words(self, words: Mapping[str, Any], where: str) -> Settings:
        """The same with further keys, which replace what was stated, or add to it (`ignore`, budgets).

        Raises `ArchcalcError` that names `where` and the key.
        """
        settings = self
        for key, value in words.items():
            if key not in KEYS:
                hint = did_you_mean(key, KEYS, f"the keys are {', '.join(KEYS[:12])}, ...")
                raise ArchcalcError(f"{where}: unknown key {key!r}{hint}")
            try:
                settings = settings._with(key, value)
            except ArchcalcError as problem:
                raise ArchcalcError(f"{where}: {key}: {str(problem).removeprefix(f'{key}: ')}") from None
        return settings

    def _with(self, key: str, value: Any) -> Settings:
        if key == "select":
            return replace(self, selected=frozenset(ids_of(_texts(value))))
        if key == "ignore":
            entries = value if isinstance(value, list | tuple) else [value]
            words = [entry for entry in entries if not isinstance(entry, Mapping)]
            meant = tuple(_suppression(entry) for entry in entries if isinstance(entry, Mapping))
            ignored = self.ignored | ids_of(_texts(words))
            return replace(self, ignored=ignored, suppressions=(*self.suppressions, *meant))
        if key == "fail-on":
            return replace(self, fail_on=_choice(value, SEVERITIES))
        if key in budgets.NAMES:
            return replace(self, limits={**self.limits, key: budgets.limit(key, value)})
        if key in GIVEN:
            read = Interval().check(value) if key == "input-range" else _positive(value)
            return replace(self, given={**self.given, key: read})
        settings = self
        if key in COMPILE:
            settings = replace(settings, trained={**self.trained, key: _trained(key, value)})
        if key in ANALYSIS:
            AnalysisOptions(**{key: value})
            settings = replace(settings, analysis={**self.analysis, key: value})
        return settings

    def compiled(self, stated: Compile | None, outputs: int) -> Compile:
        """What a network is trained with: what its file states, where no option says otherwise.

        Raises `ArchcalcError` for a momentum that the optimizer has not, and for losses of other `outputs`.
        """
        words = {key.replace("-", "_"): value for key, value in self.trained.items()}
        compiled = (stated or Compile()).with_optimizer(words.pop("optimizer", None))
        if "loss" in words:
            words["losses"] = words.pop("loss")
            if len(words["losses"]) not in (1, outputs):
                raise ArchcalcError(f"loss: {len(words['losses'])} losses for {outputs} outputs")
        if words.get("momentum") and compiled.optimizer not in WITH_MOMENTUM:
            of = f"{compiled.optimizer} has none" if compiled.optimizer else "no optimizer is stated"
            raise ArchcalcError(f"momentum: {of}; {' and '.join(WITH_MOMENTUM)} have one")
        return replace(compiled, **words)


def _texts(value: Any, what: str = "ids or names of rules") -> list[str]:
    texts = value if isinstance(value, list | tuple) else [value]
    words = [word.strip() for text in texts if isinstance(text, str) for word in text.split(",")]
    if not all(isinstance(text, str) for text in texts) or not all(words):
        raise ArchcalcError(f"expected {what}, got {value!r}")
    return words


def _suppression(entry: Mapping[str, Any]) -> Suppression:
    unknown = set(entry) - {"rule", "reason", "layers"}
    layers = entry.get("layers", [])
    named = isinstance(layers, list) and all(isinstance(name, str) for name in layers)
    if unknown or not entry.get("reason") or not entry.get("rule") or not named:
        raise ArchcalcError(
            'an entry is the id of a rule, or {rule = "AC301", reason = "...", layers = ["stem/*"]}; '
            f"got {dict(entry)!r}"
        )
    return Suppression(rule_of(str(entry["rule"])).id, str(entry["reason"]), tuple(layers))


def _choice(value: Any, names: tuple[str, ...]) -> str:
    if value not in names:
        raise ArchcalcError(f"expected one of {', '.join(names)}, got {value!r}")
    return str(value)


def _positive(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArchcalcError(f"expected a positive integer, got {value!r}")
    return value


def _trained(key: str, value: Any) -> Any:
    """The value of an argument of `compile`."""
    if key == "loss":
        return tuple(map(Loss.of, _texts(value, "the name of a loss, or one for each output")))
    if key == "labels":
        return _choice(value, LABELS)
    if key == "classes":
        return _positive(value)
    if key in ("learning-rate", "momentum"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if key == "momentum" and not (number and 0 <= value < 1):
            raise ArchcalcError(f"expected a number from 0 to below 1, got {value!r}")
        if key == "learning-rate" and not (number and 0 < value < float("inf")):
            raise ArchcalcError(f"expected a number above 0, got {value!r}")
        return float(value)
    return value


@dataclass(frozen=True)
class Configuration:
    """The file's table, for all networks and for those that a glob names."""

    everywhere: Settings = Settings()
    networks: tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...] = ()
    folder: str = ""
    where: str = TABLE

    def of(self, source: str) -> Settings:
        """The settings of a source: those of every glob that its path, or its name `keras:NAME`, matches."""
        names = {source, os.path.normpath(source)}
        if self.folder and not source.startswith(("keras:", "python:")):
            names.add(os.path.relpath(source, self.folder).replace(os.sep, "/"))
        settings = self.everywhere
        for globs, words in self.networks:
            if any(fnmatchcase(name, glob) or PurePath(name).match(glob) for name in names for glob in globs):
                settings = settings.with_words(words, f"{self.where}.{NETWORKS}")
        return settings


def configuration(path: str | None = None) -> Configuration:
    """The configuration in this file, or in the nearest pyproject.toml that has the table; else an empty one.

    Raises `ArchcalcError` with the file and the key of what it cannot follow.
    """
    if path is not None:
        return _read(Path(path), required=True)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / FILE).is_file():
            return _read(folder / FILE, required=False)
    return Configuration()


def _read(path: Path, *, required: bool) -> Configuration:
    try:
        data: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ArchcalcError(f"{path}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ArchcalcError(f"{path}: not TOML: {problem}") from None
    for step in TABLE.split("."):
        data = data.get(step, {}) if isinstance(data, dict) else {}
    if not isinstance(data, dict) or (required and not data):
        raise ArchcalcError(f"{path}: has no table [{TABLE}]")
    where = f"{path}: [{TABLE}]"
    stated = dict(data)
    networks = []
    tables = stated.pop(NETWORKS, [])
    for entry in tables if isinstance(tables, list) else [tables]:
        words = dict(entry) if isinstance(entry, dict) else {}
        globs = words.pop("files", None)
        if not isinstance(globs, list) or not globs or not all(isinstance(glob, str) for glob in globs):
            form = f'each [[{TABLE}.{NETWORKS}]] needs files = ["nets/*.json"]'
            raise ArchcalcError(f"{where}: {NETWORKS}: {form}, got {entry!r}")
        Settings().with_words(words, f"{where}.{NETWORKS}")
        networks.append((tuple(globs), words))
    everywhere = Settings().with_words(stated, where)
    return Configuration(everywhere, tuple(networks), str(path.parent), where)
