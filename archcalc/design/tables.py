"""Rows of a sweep as Arrow tables, and the files that they are written to: Parquet, CSV, Arrow.

A figure beyond int64 is a decimal of 38 digits, and beyond that a text: always exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archcalc.errors import ArchcalcError, MissingExtraError

FORMATS = {".parquet": "parquet", ".csv": "csv", ".arrow": "arrow", ".feather": "arrow"}
ROW_GROUP = 1 << 20
DIGITS = 38  # of the widest decimal that all readers of Parquet know


def needed() -> Any:
    """The package pyarrow; raises `MissingExtraError` with the command that installs it."""
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError(
            "writing a sweep needs pyarrow: python -m pip install 'archcalc[sweep]'"
        ) from None
    return pyarrow


def format_of(path: str) -> str:
    """The format that a file's name asks for; raises `ArchcalcError` for a name that asks for none."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ArchcalcError(f"{path}: expected a name that ends in {', '.join(FORMATS)}")
    return FORMATS[suffix]


def table_of(columns: Mapping[str, Any], count: int) -> Any:
    """A table of `count` rows; an unknown column is all null."""
    pa = needed()
    arrays = {name: pa.nulls(count) if c is None else _array(c) for name, c in columns.items()}
    return pa.table(arrays)


def _array(column: Any) -> Any:
    pa = needed()
    if column.dtype.kind != "O":
        return pa.array(column)
    values = column.tolist()
    if not values:
        return pa.array([], pa.int64())
    if isinstance(values[0], str):
        return pa.array(values, pa.string())
    if max(abs(v) for v in values) >= 10**DIGITS:
        return pa.array(list(map(str, values)), pa.string())
    from decimal import Decimal

    return pa.array(list(map(Decimal, values)), pa.decimal128(DIGITS, 0))


def columns_of(table: Any) -> dict[str, Any]:
    """The columns of such a table as arrays again."""
    import numpy as np

    pa = needed()
    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.type == pa.int64():
            columns[name] = column.to_numpy()
        elif column.type == pa.null():
            columns[name] = None
        else:
            values = column.to_pylist()
            is_label = column.type == pa.string() and not all(v.lstrip("-").isdecimal() for v in values)
            columns[name] = np.array(values if is_label else list(map(int, values)), dtype=object)
    return columns


def common(schemas: Iterable[Any]) -> Any:
    """The schema that holds the columns of all of them; of a column's types the widest counts."""
    pa = needed()
    order = [pa.null(), pa.int64(), pa.decimal128(DIGITS, 0), pa.string()]
    widest: dict[str, int] = {}
    for schema in schemas:
        for field in schema:
            widest[field.name] = max(widest.get(field.name, 0), order.index(field.type))
    # a column that is unknown throughout is still one of integers
    return pa.schema([(name, order[rank or 1]) for name, rank in widest.items()])


def write_piece(table: Any, path: Path) -> None:
    """Write a table as one Parquet file, small and fast: neighbouring rows differ by little."""
    from pyarrow import parquet

    parquet.write_table(table, path, **_encodings(table.schema))


def read_piece(path: Path) -> Any:
    """The table of such a file, with one chunk a column."""
    from pyarrow import parquet

    return parquet.read_table(path, memory_map=False, use_threads=False)


def _encodings(schema: Any) -> dict[str, Any]:
    pa = needed()
    whole = [field.name for field in schema if field.type == pa.int64()]
    return {
        "use_dictionary": [field.name for field in schema if field.name not in whole],
        "column_encoding": dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
    }


def write_all(tables: Iterable[Any], schema: Any, form: str, path: Path) -> None:
    """Write tables one after the other into one file, in bounded memory."""
    with _WRITERS[form](path, schema) as write:
        for group in _grouped(tables, schema):
            write(group)


def _grouped(tables: Iterable[Any], schema: Any) -> Iterator[Any]:
    """The tables cast to the schema, in groups of about `ROW_GROUP` rows."""
    pa = needed()
    waiting: list[Any] = []
    for table in tables:
        waiting.append(table.cast(schema))
        if sum(t.num_rows for t in waiting) >= ROW_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


@contextmanager
def _parquet(path: Path, schema: Any) -> Iterator[Callable[[Any], object]]:
    from pyarrow import parquet

    with parquet.ParquetWriter(path, schema, **_encodings(schema)) as writer:
        yield lambda table: writer.write_table(table, row_group_size=2 * ROW_GROUP)


@contextmanager
def _csv(path: Path, schema: Any) -> Iterator[Callable[[Any], object]]:
    from pyarrow import csv

    with csv.CSVWriter(path, schema) as writer:
        yield writer.write_table


@contextmanager
def _arrow(path: Path, schema: Any) -> Iterator[Callable[[Any], object]]:
    from pyarrow import OSFile, ipc

    with OSFile(str(path), "wb") as file, ipc.new_file(file, schema) as writer:
        yield writer.write_table


_WRITERS = {"parquet": _parquet, "csv": _csv, "arrow": _arrow}
