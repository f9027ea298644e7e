"""The model card: a page that a manifest writes about itself, never by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cxjobs import taxonomy
from cxjobs.decision import Table
from cxjobs.errors import ModelError
from cxjobs.files import replace
from cxjobs.intervals import number, shown


def write_card(folder: str | Path, manifest: dict[str, Any]) -> None:
    """Write the card as ``README.md`` into a model folder.

    Raises
    ------
    ModelError
        If the file cannot be written.
    """
    path = Path(folder) / "README.md"
    try:
        replace(path, card(manifest).encode())
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror or error}.") from None


def card(manifest: dict[str, Any]) -> str:
    """Model card in Markdown: purpose, data, figures with intervals, promise, limits.

    Parameters
    ----------
    manifest : dict
        Of a model folder.

    Raises
    ------
    ModelError
        If the manifest lacks what the page tells.
    """
    try:
        return _page(manifest)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(
            f"The manifest of this model tells too little for a card ({error!r}). "
            "Try: train it again."
        ) from None


def _page(manifest: dict[str, Any]) -> str:
    data, figures = manifest["data"], manifest["figures"]
    parts = [
        f"# {manifest['name']}",
        "Tells true customer experience (CX) management jobs from the roles that share the name: "
        f"{len(taxonomy.ROLES)} roles, {len(taxonomy.PRACTICES)} practice elements, two bases "
        "(whole posting, title alone). "
        "TF-IDF and logistic regression; English postings.",
        "## Trained on",
        f"{data['rows']} labelled rows (SHA-256 `{data['sha256'][:16]}`): {data['postings']} with "
        f"a description, {data['composed']} of them composed to fill thin cells; the others are "
        "titles that settle the role by themselves. Labels by language models after the codebook "
        "(see `data/README.md`).",
        _table(
            ("role", "rows"),
            [(taxonomy.load().name(role), n) for role, n in data["rows_by_role"].items()],
        ),
        "## How good",
        "Grouped cross-validation: every posting is scored by models that have not seen its "
        "employer. Only retold real postings are scored, never composed rows. In brackets 95 % "
        "intervals by resampling employers.",
        _figures(figures),
        "### Roles, by title and description",
        _table(
            ("role", "postings", "precision", "recall", "F1"),
            [
                (
                    taxonomy.load().name(row["role"]),
                    row["support"],
                    number(row["precision"]),
                    number(row["recall"]),
                    shown(row["f1"]),
                )
                for row in figures["posting"]["per_role"]
            ],
        ),
        "### Practice elements, average precision",
        _table(
            ("element", "by title and description"),
            [
                (taxonomy.load().name(element), shown(value))
                for element, value in figures["posting"]["practice"].items()
            ],
        ),
        "### Reliability of the probability of CX management",
        *(
            f"{heading}\n\n{_reliability(figures[basis]['reliability'])}"
            for basis, heading in (
                ("posting", "By title and description:"),
                ("title", "By the title alone:"),
            )
        ),
        "## What the decision promises",
        *_promises(manifest),
        "The bound holds for postings like those of the table, one drawn like another; a batch "
        "in which true CX management is rarer has a lower precision than promised.",
        "## Known failures",
        "Read among out-of-fold answers that were wrong: the setting taken for the duties (a sales "
        "job in a hotel called retail service, an engineer of a theme park likewise); CX words in "
        "the title or in the employer's praise without CX duties (executive assistants of a CX "
        "office, building commissioning, employee experience); service words where the work is IT "
        "support or training (called call center); research judged by its technique instead of its "
        "object (called other). Market and satisfaction research are hardly measured: 8 and 2 "
        "retold rows.",
        "## Limits",
        "English only. Trained on retold, mostly US and UK postings of 2012 to 2026, technology "
        "employers over-represented; rows were sampled by role, so shares in the table are not "
        "shares of the market. Not for judging people, pay or applicants.",
        "## Made with",
        ", ".join(f"{name} {version}" for name, version in manifest["libraries"].items())
        + f"; cxjobs {manifest['cxjobs']}, text {manifest['text_version']}, taxonomy "
        f"{manifest['taxonomy_version']}.",
        _table(("parameter", "value"), list(manifest["parameters"].items())),
    ]
    return "\n\n".join(parts) + "\n"


def _figures(figures: dict[str, Any]) -> str:
    names = (
        ("role", "accuracy", "role accuracy"),
        ("role", "macro_f1", "role macro-F1"),
        ("role", "kappa", "role kappa"),
        ("label", "average_precision", "CX: average precision"),
        ("label", "f1", "CX: F1 at 0.5"),
        ("label", "precision_at_95_recall", "CX: precision at 95 % recall"),
        ("label", "brier", "CX: Brier score"),
        ("label", "calibration_error", "CX: expected calibration error"),
    )
    rows = [
        (name, *(shown(figures[basis][part][key]) for basis in ("posting", "title")))
        for part, key, name in names
    ]
    return _table(("figure", "title and description", "title alone"), rows)


def _promises(manifest: dict[str, Any]) -> list[str]:
    return [
        f"{heading} "
        f"{Table.from_dict(manifest['thresholds'][basis]).choose(**manifest['promise'][basis])}"
        for basis, heading in (
            ("posting", "*By title and description.*"),
            ("title", "*By the title alone.*"),
        )
    ]


def _reliability(rows: list[dict[str, Any]]) -> str:
    return _table(
        ("postings", "mean probability", "observed share", "95 % interval"),
        [
            (
                row["n"],
                number(row["probability"]),
                number(row["observed"]),
                f"{number(row['low'])} to {number(row['high'])}",
            )
            for row in rows
        ],
    )


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
