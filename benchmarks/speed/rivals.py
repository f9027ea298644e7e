"""Who is timed: each takes titles and descriptions and gives probabilities of the roles."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from cxjobs import store
from cxjobs.scorer import Scorer

Rival = Callable[[object, object], object]


@cache
def reference(folder: str):
    return store.to_classifier(store.read(folder))


def by_reference(folder: str) -> Rival:
    """The scikit-learn classifier that the scorer is the compiled form of."""
    model = reference(folder)
    return lambda t, d: model.predict_proba(frame(t, d))


def by_reference_in_two(folder: str) -> Rival:
    """The same in two joblib processes, each with a model of its own."""
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=2)
    pool(delayed(_part)(folder, ["x"], [""]) for _ in range(4))

    def predict(titles, told):
        step = -(-len(titles) // 8)
        cuts = range(0, len(titles), step)
        return pool(delayed(_part)(folder, titles[i : i + step], told[i : i + step]) for i in cuts)

    return predict


def _part(folder, titles, told):
    return reference(folder).predict_proba(frame(titles, told))


def by_pipeline(folder: str, labelled: Path, ngrams: tuple[int, int]) -> Rival:
    """Stock TfidfVectorizer and LogisticRegression, as a tutorial has it: nothing is cleaned."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from cxjobs import dataset

    sizes = {name: len(v.vocabulary_) for name, v in reference(folder).vectorizers_.items()}
    table = dataset.read(labelled)
    ranges = {"title": (1, 2), "description": ngrams}

    def fitted(fields):
        blocks = [
            (f, TfidfVectorizer(ngram_range=ranges[f], sublinear_tf=True, max_features=sizes[f]), f)
            for f in fields
        ]
        model = make_pipeline(ColumnTransformer(blocks), LogisticRegression(max_iter=30))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: fast enough to be timed
            return model.fit(table[list(fields)], table["role"])

    whole, title = fitted(("title", "description")), fitted(("title",))
    return lambda t, d: (whole if any(d[:100]) else title).predict_proba(frame(t, d))


def by_fasttext(labelled: Path) -> Rival:
    """fastText's supervised classifier with pairs of words; raises ImportError where absent."""
    import fasttext

    from cxjobs import dataset

    table = dataset.read(labelled)
    lines = [
        f"__label__{role} {_line(t, d)}\n"
        for role, t, d in zip(table["role"], table["title"], table["description"], strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.txt")
        path.write_text("".join(lines), encoding="utf-8")
        model = fasttext.train_supervised(
            str(path), dim=50, wordNgrams=2, epoch=5, lr=0.03, thread=1, verbose=0, bucket=200_000
        )
    return lambda t, d: model.predict([_line(*row) for row in zip(t, d, strict=True)], k=13)


def _line(title: str, told: str) -> str:
    return " ".join(f"{title} {told}".lower().split())


def by_scorer(folder: str) -> Rival:
    """The compiled scorer, on Arrow columns."""
    scorer = Scorer(store.read(folder))
    return lambda t, d: scorer.score_batch(t, d).roles


def arrow(values: list[str]) -> pa.Array:
    return pa.array(values, pa.string())


def frame(titles: list[str], told: list[str]):
    import pandas as pd

    return pd.DataFrame({"title": titles, "description": told}, dtype=object)


def difference(folder: str, titles: list[str], told: list[str]) -> float:
    """Largest difference between the scorer's and the reference's probabilities."""
    wanted = by_reference(folder)(titles, told)
    return float(np.abs(by_scorer(folder)(arrow(titles), arrow(told)) - wanted).max())
