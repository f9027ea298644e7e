"""``cxjobs evaluate``: how good the model is, on postings that it has not seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxjobs.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BASES = {"posting": "title and description", "title": "title alone"}

HEADLINE = {
    ("role", "accuracy"): "role accuracy",
    ("role", "macro_f1"): "role macro-F1",
    ("role", "kappa"): "role kappa",
    ("label", "average_precision"): "CX average precision",
    ("label", "f1"): "CX F1 at 0.5",
    ("label", "precision_at_95_recall"): "CX precision at 95 % recall",
    ("label", "brier"): "CX Brier score",
    ("label", "log_loss"): "CX log loss",
    ("label", "calibration_error"): "CX calibration error",
    ("label", "risk_area"): "CX area under coverage-risk",
}


@click.command("evaluate")
@click.argument("data", type=click.Path(path_type=Path), default=Path("data/labeled_jobs.csv"))
@click.option(
    "--model",
    "folder",
    type=click.Path(path_type=Path),
    help="Score this model as it is, instead of cross-validating.",
)
@options.folds
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(1), help="Draws of the folds."
)
@click.option("--seed", default=0, show_default=True, help="Of the first draw.")
@click.option(
    "--background",
    type=click.Path(path_type=Path),
    help="Counts of terms in real postings. Default: background.csv beside DATA, if any.",
)
@options.replicates
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@options.quiet
@click.pass_context
def command(
    ctx: click.Context,
    data: Path,
    folder: Path | None,
    folds: int,
    repeats: int,
    seed: int,
    background: Path | None,
    replicates: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score the model on postings that it has not seen.

    By default DATA is the labelled table: models with the parameters of 'cxjobs train' are
    trained and scored by grouped cross-validation, so that no posting is scored by a model that
    has seen its employer. Composed rows train but don't count.

    With --model FOLDER that model is scored as it is. DATA is then a CSV or JSON lines with title,
    description and role (optionally the practice elements, and group: rows to be resampled
    together) of postings that it was not trained on.

    \b
    cxjobs evaluate
    cxjobs evaluate --folds 10 --repeats 5 --json > figures.json
    cxjobs evaluate other_postings.csv --model models/default
    """  # noqa: D301
    tell = options.teller(quiet)
    if folder is None:
        found = _cross_validate(data, folds, repeats, seed, background, replicates, tell)
    else:
        for name in ("folds", "repeats", "seed", "background"):
            if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
                raise click.UsageError(f"--{name} is for cross-validation; leave out --model.")
        found = _as_it_is(data, folder, replicates, tell)
    click.echo(json.dumps(found, indent=1) if as_json else _report(found))


def _cross_validate(
    data: Path,
    folds: int,
    repeats: int,
    seed: int,
    background: Path | None,
    replicates: int,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    from threadpoolctl import threadpool_limits

    from cxjobs import dataset, decision, evaluate
    from cxjobs.model import JobClassifier
    from cxjobs.training import PROMISE

    frame = dataset.load(data)
    background = background or dataset.background_beside(data)
    counts = None if background is None else dataset.load_background(background)
    found: dict[str, Any] = {
        "data": str(data),
        "sha256": dataset.file_hash(data),
        "background": None if background is None else str(background),
        "folds": folds,
        "repeats": repeats,
        "seed": seed,
        "bases": {},
    }
    with threadpool_limits(1):
        tell(f"scoring {len(frame)} rows out of fold, {folds * repeats} folds in all")
        result = evaluate.out_of_fold(
            frame, JobClassifier(background=counts), n_splits=folds, repeats=repeats, seed=seed
        )
        keep = result.scored
        truth = evaluate.is_cx(result.frame)[keep]
        found["rows_trained_on_only"] = len(frame) - int(keep.sum())
        for basis in evaluate.BASES:
            tell(f"measuring by {BASES[basis]}")
            heat = result.temperature(basis)
            asked = PROMISE[basis]
            table = evaluate.thresholds(result, basis, heat, confidence=asked["confidence"])
            band = table.choose(asked["precision"], asked["max_lost"])
            p = result.probabilities(basis, heat)[0, keep, 0]
            found["bases"][basis] = {
                "temperature": heat,
                **evaluate.figures(result, basis, heat, replicates=replicates),
                "band": {**band.to_dict(), "said": str(band)},
                "decision": evaluate.decided(truth, decision.decide_all(p, band)),
            }
    return found


def _as_it_is(
    data: Path, folder: Path, replicates: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    from cxjobs import dataset, decision, evaluate, store
    from cxjobs.answer import load_model
    from cxjobs.errors import DataError

    model = load_model(folder)
    frame = evaluate.load(data)
    seen = model.manifest.get("data", {}).get("sha256")
    if dataset.file_hash(data) == seen:
        raise DataError(
            f"{data}: is the table that {model.name} was trained on (same SHA-256); scored on it, "
            "any model looks better than it is. Try: cxjobs evaluate without --model, which "
            "cross-validates; or other postings."
        )
    classifier = store.to_classifier(model.folder)
    found: dict[str, Any] = {
        "data": str(data),
        "sha256": dataset.file_hash(data),
        "model": model.name,
        "bases": {},
    }
    for basis, band in model.bands.items():
        if basis not in classifier.coef_:
            continue
        result = evaluate.apply(classifier, frame, basis)
        if not result.scored.any():
            continue
        tell(f"measuring by {BASES[basis]}")
        keep = result.scored
        p = result.probabilities(basis)[0, keep, 0]
        figures = evaluate.figures(result, basis, 1.0, replicates=replicates)
        figures.pop("draws")
        truth = evaluate.is_cx(result.frame)[keep]
        found["bases"][basis] = {
            **figures,
            "band": {**band.to_dict(), "said": str(band)},
            "decision": evaluate.decided(truth, decision.decide_all(p, band)),
        }
    if not found["bases"]:
        raise DataError(f"{data}: has no posting that can be scored.")
    return found


def _report(found: dict[str, Any]) -> str:
    """All tables as text."""
    from cxjobs import taxonomy
    from cxjobs.intervals import number, shown

    bases = {basis: found["bases"][basis] for basis in BASES if basis in found["bases"]}
    main = next(iter(bases))
    names = taxonomy.load()
    lines = [*_opening(found, bases), ""]
    lines += _table(
        ["figure", *(BASES[b] for b in bases)],
        [
            [name, *(shown(of[part][key]) for of in bases.values())]
            for (part, key), name in HEADLINE.items()
        ],
    )
    if "draws" in bases[main] and found["repeats"] > 1:
        lines += ["", "The same by draw of the folds, in their order:"]
        for basis, of in bases.items():
            for key, name in (("accuracy", "role accuracy"), ("average_precision", "CX AP")):
                values = ", ".join(number(v) for v in of["draws"][key])
                lines.append(f"  {name}, {BASES[basis]}: {values}")
    others = list(bases)[1:]
    lines += _section(
        f"Roles by {BASES[main]}",
        ["role", "postings", "precision", "recall", "F1", *(f"F1, {BASES[b]}" for b in others)],
        [
            [
                names.name(row["role"]),
                str(row["support"]),
                number(row["precision"]),
                number(row["recall"]),
                shown(row["f1"]),
                *(shown(bases[b]["per_role"][i]["f1"]) for b in others),
            ]
            for i, row in enumerate(bases[main]["per_role"])
        ],
    )
    for basis, of in bases.items():
        lines += _section(
            f"Confusion by {BASES[basis]}: true role by row, answer by column",
            ["", "", *(str(i + 1) for i in range(len(of["confusion"])))],
            [
                [str(i + 1), names.name(of["per_role"][i]["role"]), *(str(n or ".") for n in row)]
                for i, row in enumerate(of["confusion"])
            ],
        )
    for basis, of in bases.items():
        lines += _section(
            f"Reliability of the probability of CX management, by {BASES[basis]}",
            ["postings", "stated", "observed", "95 % interval"],
            [
                [
                    str(row["n"]),
                    number(row["probability"]),
                    number(row["observed"]),
                    f"{number(row['low'])} to {number(row['high'])}",
                ]
                for row in of["reliability"]
            ],
        )
    lines += _section(
        "Share of errors among the surest answers",
        ["answered", *(f"{k}, {BASES[b]}" for b in bases for k in ("role", "CX"))],
        _risks([of["coverage_risk"][k] for of in bases.values() for k in ("role", "label")]),
    )
    lines += _section(
        "Practice elements: average precision",
        ["element", *(BASES[b] for b in bases)],
        [
            [names.name(e), *(shown(of["practice"][e]) for of in bases.values())]
            for e in bases[main]["practice"]
        ],
    )
    for basis, of in bases.items():
        lines += ["", f"Decision by {BASES[basis]}", "", of["band"]["said"], *_decision(of)]
    if "folds" in found:
        lines += ["The band is chosen on the very answers it is counted on here."]
    return "\n".join(lines)


def _opening(found: dict[str, Any], bases: dict[str, Any]) -> list[str]:
    counts = "; ".join(
        f"{of['n']} postings of {of['groups']} groups by {BASES[b]}, "
        f"{of['decision']['positives']} of them true CX management"
        for b, of in bases.items()
    )
    how = (
        f"{found['folds']} folds, draws of them: {found['repeats']}; figures are of the first. "
        f"{found['rows_trained_on_only']} further rows train but don't count."
        if "folds" in found
        else f"By {found['model']} as it is."
    )
    return [f"{found['data']}: {counts}.", how, "In brackets 95 % intervals, resampling groups."]


def _decision(of: dict[str, Any]) -> list[str]:
    from cxjobs.intervals import shown

    got = of["decision"]
    return [
        f"  called cx_management and true   {got['called_true']} of {got['called']}"
        f"  {shown(got['precision'])}",
        f"  true ones called conflated      {got['lost']} of {got['positives']}"
        f"  {shown(got['lost_share'])}",
        f"  for review                      {got['review']} of {of['n']}"
        f"  {shown(got['review_share'])}",
    ]


def _risks(curves: list[list[dict[str, float]]]) -> list[list[str]]:
    """Every tenth of the answers; few postings have fewer points than twenty."""
    from cxjobs.intervals import number

    rows = []
    for tenth in range(1, 11):
        at = [
            next((p["risk"] for p in curve if p["coverage"] >= tenth / 10 - 1e-9), None)
            for curve in curves
        ]
        rows.append([f"{tenth * 10} %", *(number(v) for v in at)])
    return rows


def _section(title: str, head: list[str], rows: list[list[str]]) -> list[str]:
    return ["", title, "", *_table(head, rows)]


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Columns side by side under their heads; the first ones to the left, numbers to the right."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    words = [not any(c.isdigit() for line in lines[1:] for c in line[i]) for i in range(len(head))]
    shown = [
        "  ".join(
            f"{cell:<{width}}" if left or not i else f"{cell:>{width}}"
            for i, (cell, width, left) in enumerate(zip(line, widths, words, strict=True))
        ).rstrip()
        for line in lines
    ]
    return [shown[0], "  ".join("-" * width for width in widths), *shown[1:]]
