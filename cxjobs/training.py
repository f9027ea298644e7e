"""From the labelled table to a model folder: calibrate, count thresholds, score, fit, write.

One seed, one thread: the same table and the same versions of the libraries give the same bytes.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from cxjobs import __version__, dataset, evaluate, prevalence, store, taxonomy, text
from cxjobs.model import JobClassifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIBRARIES = ("numpy", "scipy", "scikit-learn", "pandas", "ftfy")
"""Libraries whose version can change a trained number; the manifest records them."""

PROMISE = {
    "posting": {"precision": 0.80, "max_lost": 0.15, "confidence": 0.90},
    "title": {"precision": 0.80, "max_lost": 0.25, "confidence": 0.90},
}
"""What the decision promises unless asked otherwise, per basis; see `cxjobs.decision`."""


def train(
    data: str | Path,
    folder: str | Path,
    *,
    background: str | Path | None = None,
    name: str = "cxjobs",
    parameters: dict[str, Any] | None = None,
    replicates: int = 1000,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train on a labelled table and write the model folder.

    Temperatures, thresholds and figures come from out-of-fold scores, so that no posting is judged
    by a model that has seen its employer, and from the retold rows alone: composed ones are
    easier than real ones, and a promise made on them would not hold.

    Parameters
    ----------
    data : str or Path
        Labelled table.
    folder : str or Path
        Where the model goes; an older one there is replaced.
    background : str or Path, optional
        Counts of terms in real postings; by default ``background.csv`` beside the table, if any.
    name : str
        Of the model; answers carry it.
    parameters : dict, optional
        Of `JobClassifier`, where they are to differ from its defaults.
    replicates : int
        Bootstrap samples behind each interval.
    tell : callable
        Gets a line of progress now and then.

    Returns
    -------
    dict
        The manifest, without the index of arrays.

    Raises
    ------
    DataError
        If the table breaks a rule.
    ModelError
        If the folder cannot be written.
    """
    frame = dataset.load(data)
    background = background or dataset.background_beside(data)
    estimator = JobClassifier(
        background=None if background is None else dataset.load_background(background),
        **(parameters or {}),
    )
    with threadpool_limits(1):
        tell(f"scoring {len(frame)} rows out of fold")
        result = evaluate.out_of_fold(frame, estimator)
        temperatures = {basis: result.temperature(basis) for basis in evaluate.BASES}
        tell("measuring")
        figures = {
            basis: evaluate.figures(result, basis, temperatures[basis], replicates=replicates)
            for basis in evaluate.BASES
        }
        thresholds = {
            basis: evaluate.thresholds(
                result, basis, temperatures[basis], confidence=PROMISE[basis]["confidence"]
            ).to_dict()
            for basis in evaluate.BASES
        }
        kept = result.frame[result.scored]
        survey = prevalence.calibration(
            {b: result.probabilities(b, temperatures[b])[0, result.scored] for b in evaluate.BASES},
            kept["role"].to_numpy(str),
            groups=kept["group"].to_numpy(str),
        )
        tell("fitting on all rows")
        estimator.set_params(
            **{f"{basis}_temperature": value for basis, value in temperatures.items()},
            **{f"{basis}_practice": result.practice_levels(basis) for basis in evaluate.BASES},
        )
        model = evaluate.fit(estimator, frame)
    manifest = {
        "name": f"{name}-{__version__}",
        "cxjobs": __version__,
        "libraries": {library: version(library) for library in LIBRARIES},
        "text_version": text.VERSION,
        "taxonomy_version": taxonomy.load().version,
        "background": None if background is None else dataset.file_hash(background),
        "data": {
            "sha256": dataset.file_hash(data),
            "rows": len(frame),
            "rows_by_role": {role: int((frame["role"] == role).sum()) for role in taxonomy.ROLES},
            "postings": int((frame["basis"] == "posting").sum()),
            "composed": int((frame["source"] == dataset.COMPOSED).sum()),
        },
        "parameters": {k: v for k, v in model.get_params().items() if k != "background"},
        "promise": PROMISE,
        "figures": figures,
        "thresholds": thresholds,
        "survey": survey,
    }
    store.write(folder, store.model_arrays(model), manifest)
    return manifest
