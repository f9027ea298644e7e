"""Answers for batches in order, here or in worker processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cxjobs.errors import CxjobsError

if TYPE_CHECKING:
    from cxjobs.postings.batch import Batch

Answer = Callable[[pa.Array, pa.Array], pa.Table]
"""From title and description to the columns of the answer, a row each."""

Load = Callable[[], Answer]
"""Makes an answer; can be pickled, and is called once a process."""


def answered(
    batches: Iterable[Batch], load: Load, jobs: int = 1
) -> Iterator[tuple[Batch, pa.Table]]:
    """Each batch with its answer, in the order of the batches.

    Parameters
    ----------
    batches : iterable of Batch
    load : callable
        Makes the answer, once a process.
    jobs : int
        Worker processes; 1 answers in this one, -1 takes all cores.

    Yields
    ------
    tuple of Batch and pyarrow.Table

    Raises
    ------
    CxjobsError
        If a worker process dies.
    """
    if jobs == 1:
        answer = load()
        for batch in batches:
            yield batch, answer(batch.title, batch.description)
        return
    import joblib
    from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

    workers = joblib.effective_n_jobs(jobs)
    pool = ProcessPoolExecutor(workers, initializer=_prepare, initargs=(load,))
    waiting: deque[tuple[Batch, Any]] = deque()
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(_answer, _packed(batch))))
            # Two a worker keep all of them busy, and memory flat.
            if len(waiting) > 2 * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    except BrokenProcessPool as error:
        raise CxjobsError(
            "A worker process died: it was killed, or its memory was used up."
            " Run again with fewer --jobs; with --resume where the output is a file."
        ) from error
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _packed(batch: Batch) -> bytes:
    """The two texts as bytes; pickling a slice would send the whole table that it is cut from."""
    texts = pa.record_batch([batch.title, batch.description], names=["title", "description"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, texts.schema) as writer:
        writer.write_batch(texts)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


_here: dict[str, Answer] = {}
"""The answer of a worker process."""


def _prepare(load: Load) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _here["answer"] = load()


def _answer(packed: bytes) -> pa.Table:
    texts = pa.ipc.open_stream(packed).read_all()
    title, description = (texts.column(i).combine_chunks() for i in range(2))
    return _here["answer"](title, description)
