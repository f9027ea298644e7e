"""What is fuzzed: each target takes bytes, and raises only what would be a bug.

Every reader must give rows or rejects, or refuse with an error of ours; what it gives must hold
together. The scorer must give the reference's numbers.
"""

from __future__ import annotations

import atexit
import functools
import io
import json
import re
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from cxjobs import answer, store, text
from cxjobs.errors import CxjobsError
from cxjobs.postings import delimited, inputs
from cxjobs.postings.layout import Layout
from cxjobs.postings.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
PLACE = Path(tempfile.mkdtemp(prefix="cxjobs-fuzz-", dir=MEMORY))
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)


class _Memory(inputs._Counted):
    """A file in memory, so that the readers' speed is not the disk's."""

    def __init__(self, data: bytes) -> None:
        self.count, self._kept, self.raw = 0, b"", io.BytesIO(data)


def _stream(data: bytes) -> inputs.Stream:
    before = inputs._Counted
    inputs._Counted = lambda _: _Memory(data)  # type: ignore[assignment, misc]
    try:
        return inputs.Stream("fuzz")
    finally:
        inputs._Counted = before  # type: ignore[misc]


def _check_message(error: CxjobsError) -> None:
    """Whether a refusal says where: the file, the folder, or the option."""
    assert str(PLACE) in str(error) or "--" in str(error), error


def _read(data: bytes, kind: str) -> None:
    """Through the whole reading: rows, rejects, texts, and rows written again."""
    path = PLACE / "in"
    path.write_bytes(data)
    try:
        reading = Reading([path], format=kind, mapping=None)
        batches = list(reading.batches(7))
    except CxjobsError as error:
        _check_message(error)
        return
    own = pa.table({"label": pa.array([], pa.string())}).schema
    for batch in batches:
        n = len(batch)
        assert all(len(x) == n and not x.null_count for x in (batch.title, batch.description))
        if n:
            layout = Layout(batch.table.schema, own)
            answers = pa.table({"label": pa.array(["x"] * n)})
            assert layout.table(batch, answers).num_rows == n
            lines = layout.lines(batch, answers).splitlines()
            assert len(lines) == n
            for line in lines:
                assert isinstance(json.loads(line), dict)
        for reject in batch.rejects:
            assert json.loads(reject.to_line())["reason"]


csv = functools.partial(_read, kind="csv")
tsv = functools.partial(_read, kind="tsv")
jsonl = functools.partial(_read, kind="jsonl")
json_ = functools.partial(_read, kind="json")
html = functools.partial(_read, kind="html")
parquet = functools.partial(_read, kind="parquet")
any_ = functools.partial(_read, kind=None)


def table(data: bytes) -> None:
    """The table reader alone: no byte may get lost between its pieces, whatever their size."""
    size = 1 + (data[0] if data else 0) % 61
    found = []
    for chunk in (size, 1 << 20):
        stream = _stream(b"title,b\n" + data[1:])
        if stream.binary or stream.packed:
            return
        try:
            names, pieces = delimited.read(stream, delimited.Dialect(), chunk=chunk)
            pieces = list(pieces)
        except CxjobsError:
            return
        rows = [tuple(r.values()) for p in pieces for r in p.table.to_pylist()]
        rejects = [(r.line, r.raw) for p in pieces for r in p.rejects]
        found.append((names, rows, rejects))
    assert found[0] == found[1], found


def cleaner(data: bytes) -> None:
    """Cleaning: no failure, no growth without bound, what is clean stays as it is."""
    try:
        raw = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raw = data.decode("latin-1")
    cleaned = text.clean(raw)
    assert len(cleaned) <= 20 * len(raw) + 20
    cleaned.encode()
    text.tidy(cleaned)
    if not any("\ud800" <= c <= "\udfff" for c in raw) and not _dirty(raw):
        assert cleaned == raw
    assert len(text.fingerprint(cleaned, "")) == 16


def _dirty(raw: str) -> bool:
    return bool(re.search(text.DIRTY, raw))


@functools.cache
def _model() -> SimpleNamespace:
    folder = store.read(store.shipped())
    return SimpleNamespace(
        model=answer.load_model(), reference=store.to_classifier(folder), folder=folder
    )


def scorer(data: bytes) -> None:
    """One by one, by the column, and the reference: the same numbers."""
    import pandas as pd

    whole = data.decode("utf-8", "replace")
    parts = whole.split("\n")
    rows = [tuple((one + "\t").split("\t")[:2]) for one in parts[:6]]
    found = _model().model._scorer.score_batch(
        pa.array([r[0] for r in rows], pa.string()), pa.array([r[1] for r in rows], pa.string())
    )
    X = pd.DataFrame(rows, columns=["title", "description"], dtype=object)
    roles, practice = _model().reference.predict_proba(X), _model().reference.practice_proba(X)
    np.testing.assert_allclose(found.roles, roles, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.practice, practice, rtol=0, atol=1e-9)
    hashes = found.text_hash.to_pylist()
    for i, row in enumerate(rows):
        one = _model().model._scorer.score_one(*row)
        np.testing.assert_allclose(one.roles, roles[i], rtol=0, atol=1e-9)
        assert one.text_hash == hashes[i]
        assert one.n_tokens == found.n_tokens[i]
        assert one.n_known == found.n_known[i]


def manifest(data: bytes) -> None:
    """A model folder with any manifest: loaded or refused."""
    place = PLACE / "model"
    if not place.exists():
        place.mkdir()
        (place / store.ARRAYS).symlink_to((Path(store.shipped()) / store.ARRAYS).resolve())
    (place / store.MANIFEST).write_bytes(data)
    try:
        answer.load_model(place)
    except CxjobsError as error:
        _check_message(error)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "csv": csv,
    "tsv": tsv,
    "table": table,
    "jsonl": jsonl,
    "json": json_,
    "html": html,
    "parquet": parquet,
    "any": any_,
    "cleaner": cleaner,
    "scorer": scorer,
    "manifest": manifest,
}
