"""The folder of an unfinished sweep, `FILE.part`: what was asked, and one file for each box that is done.

Every file in it appears whole or not at all, and the sweep's own file only at the end. So a sweep that was
killed, or whose disk was full, continues where it was, and no row is lost or written twice.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archcalc.design import tables
from archcalc.design.rows import Rows
from archcalc.errors import ArchcalcError
from archcalc.writers.files import write_whole

ASKED = "sweep.json"
COUNTS = b"archcalc"  # the key of a piece's metadata


class Unfinished:
    """The folder beside the file that a sweep writes."""

    def __init__(self, output: str, asked: Mapping[str, Any], *, resume: bool) -> None:
        """Create the folder, or with `resume` continue in it.

        Raises `ArchcalcError` where there is a folder and nobody asked to continue, none to continue in, one
        of another sweep or one in which another process is at work.
        """
        tables.needed()
        self.form = tables.format_of(output)
        self.output = Path(output)
        self.folder = self.output.with_name(self.output.name + ".part")
        text = json.dumps(asked, indent=1, sort_keys=True)
        if resume:
            self._require_same(json.loads(text))
        else:
            self._create(text)
        self._lock = _locked(self.folder / ASKED)
        if self._lock is None:
            raise ArchcalcError(f"{self.folder}: another process is at work in it")

    def _create(self, text: str) -> None:
        try:
            self.folder.mkdir()
            write_whole(self.folder / ASKED, lambda file: file.write_text(text, encoding="utf-8"))
        except FileExistsError:
            raise ArchcalcError(
                f"{self.folder} is there, with {len(self.done())} parts of an unfinished sweep; "
                "--resume continues it, or delete the folder"
            ) from None
        except OSError as problem:
            raise ArchcalcError(f"cannot write {self.folder}: {problem.strerror or problem}") from None

    def _require_same(self, asked: Mapping[str, Any]) -> None:
        try:
            before = json.loads((self.folder / ASKED).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ArchcalcError(
                f"{self.folder}: there is no unfinished sweep to resume; leave out --resume"
            ) from None
        except (OSError, ValueError) as problem:
            raise ArchcalcError(f"{self.folder / ASKED}: cannot be read: {problem}") from None
        other = [name for name in asked if not isinstance(before, dict) or before.get(name) != asked[name]]
        if other:
            raise ArchcalcError(
                f"{self.folder} is of another sweep: {', '.join(other)} differ; "
                "ask as before, or delete the folder and leave out --resume"
            )

    def _piece(self, number: int) -> Path:
        return self.folder / f"{number:08}.parquet"

    def done(self) -> set[int]:
        """The numbers of the boxes that are done."""
        return {int(path.stem) for path in self.folder.glob("[0-9]*.parquet")}

    def write(self, number: int, rows: Rows) -> None:
        """Write a box's rows; the file is on the disk when this returns."""
        counts = {"invalid": rows.invalid, "unmatched": rows.unmatched}
        table = tables.table_of(rows.columns, rows.selected)
        table = table.replace_schema_metadata({COUNTS: json.dumps(counts)})
        with self._told():
            write_whole(self._piece(number), lambda file: tables.write_piece(table, file))

    def read(self, number: int) -> Rows:
        """The rows of a box that is done."""
        with self._told():
            table = tables.read_piece(self._piece(number))
        counts = json.loads(table.schema.metadata[COUNTS])
        return Rows(tables.columns_of(table), table.num_rows, **counts)

    def finish(self, boxes: int) -> None:
        """Write the file from the pieces, in one step at the end, and remove the folder."""
        from pyarrow import parquet

        schema = tables.common(parquet.read_schema(self._piece(i)) for i in range(boxes))

        def each() -> Iterator[Any]:
            for i in range(boxes):
                yield tables.read_piece(self._piece(i)).replace_schema_metadata(None)

        with self._told():
            write_whole(self.output, lambda file: tables.write_all(each(), schema, self.form, file))
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Let other processes continue in the folder; one in which nothing was done is removed."""
        if self._lock:
            self._lock.close()
        if not self.done():
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Says what to do where a file of the sweep cannot be written."""
        try:
            yield
        except OSError as problem:
            why = os.strerror(problem.errno) if problem.errno else str(problem)
            raise ArchcalcError(
                f"cannot write {self.output}: {why}; what is done is in {self.folder}, "
                "and --resume continues it"
            ) from None


def _locked(path: Path) -> Any:
    """The open file with a lock that ends with the process; None if another process has it."""
    file = path.open("rb")
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
