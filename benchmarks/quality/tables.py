"""Tables and the figure of the comparison, from what run.py found. Numbers in, pages out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

METRICS = {
    "accuracy": "role accuracy",
    "macro_f1": "role macro-F1",
    "kappa": "role kappa",
    "average_precision": "CX: average precision",
    "precision_at_95_recall": "CX: precision at 95 % recall",
    "brier": "CX: Brier score",
    "calibration_error": "CX: calibration error",
}
"""Key and name of each figure; of the last two, less is better."""

GOALS = {
    "accuracy": (0.87, "at least"),
    "macro_f1": (0.85, "at least"),
    "average_precision": (0.88, "at least"),
    "calibration_error": (0.05, "at most"),
}
"""What was asked of the model on the measuring postings before it was made."""

START, END = "<!-- results -->", "<!-- end of results -->"
TITLES = {
    "cv": "Grouped cross-validation",
    "measuring, all": "Measuring postings, real and retold together",
    "measuring, real": "Measuring postings, real ones",
    "measuring, retold": "Measuring postings, retold ones",
}


def refresh(path: Path, found: dict[str, Any]) -> None:
    """Put the tables between the marks of a README; a page without them gets them at its end."""
    page = path.read_text(encoding="utf-8") if path.is_file() else "# Quality, side by side\n"
    head, _, rest = page.partition(START)
    tail = rest.partition(END)[2]
    path.write_text(f"{head.rstrip()}\n\n{START}\n\n{body(found)}\n\n{END}\n\n{tail.lstrip()}")


def body(found: dict[str, Any]) -> str:
    """All tables in Markdown."""
    parts = [
        f"{found['draws']} draws of 5 folds; {found['replicates']} resamples of employers (of "
        "postings, for the measuring ones); 95 % intervals in brackets. "
        + ", ".join(f"{name} {v}" for name, v in found["versions"].items())
        + f". Data SHA-256 `{found['data'][:16]}`.",
        *(f"{name}: {why}." for name, why in found["skipped"].items()),
        "Settings chosen: "
        + "; ".join(
            f"{name} {', '.join(f'{k}={v}' for k, v in setting.items())}"
            for name, setting in found["settings"].items()
            if setting
        )
        + ".",
    ]
    for key, title in TITLES.items():
        if key not in found["sets"]:
            continue
        size = found["sets"][key]
        parts += [
            f"### {title}",
            f"{size['postings']} postings, {size['cx']} of them true CX management.",
            table(
                ["", *METRICS.values()],
                [
                    [name, *(shown(of["figures"][metric]) for metric in METRICS)]
                    for name, of in found["figures"][key].items()
                ],
            ),
        ]
    for key in ("cv", "measuring, all"):
        leads = {n: of["lead"] for n, of in found["figures"].get(key, {}).items() if of["lead"]}
        if leads:
            parts += [
                f"### The model's lead: {TITLES[key][0].lower()}{TITLES[key][1:]}",
                "The model's figure minus the baseline's, on the same resamples; an interval "
                "without 0 is a difference that resampling does not explain. Of the last two "
                "columns, less than 0 is a lead.",
                table(
                    ["minus", *METRICS.values()],
                    [
                        [name, *(shown(lead[metric], "+.3f") for metric in METRICS)]
                        for name, lead in leads.items()
                        if not name.startswith("cxjobs")
                    ],
                ),
            ]
    return "\n\n".join([*parts, *asked_for(found["figures"]), *closer(found["model"])])


def asked_for(figures: dict[str, Any]) -> list[str]:
    """Goals beside what was reached, and beside the best baseline on each."""
    of = figures.get("measuring, all", {})
    rivals = [name for name in of if not name.startswith("cxjobs")]
    if "cxjobs" not in of or not rivals:
        return []
    rows = []
    for metric, (goal, side) in GOALS.items():

        def value(name: str, metric: str = metric) -> float:
            return of[name]["figures"][metric]["estimate"]

        best = (max if side == "at least" else min)(rivals, key=value)
        own = of["cxjobs"]["figures"][metric]
        met = own["estimate"] >= goal if side == "at least" else own["estimate"] <= goal
        rows.append(
            [
                METRICS[metric],
                f"{side} {goal}",
                shown(own),
                "reached" if met else "not reached",
                f"{value(best):.3f}, {best}",
            ]
        )
    return [
        "### Asked for and reached",
        "On the measuring postings, real and retold together.",
        table(["figure", "goal", "model", "", "best baseline"], rows),
    ]


def closer(model: dict[str, Any]) -> list[str]:
    """The model's roles, commonest errors and three-way decision, on each set."""
    if not model["cv"]:
        return []
    sets = [key for key in TITLES if key in model]
    near = [key for key in ("cv", "measuring, all") if key in model]
    parts = [
        "### The model's roles",
        "F1 and, in brackets, the number of postings of the role; first draw.",
        table(
            ["role", *(TITLES[key] for key in sets)],
            [
                [role, *(_role(model[key]["posting"]["per_role"][role]) for key in sets)]
                for role in model["cv"]["posting"]["per_role"]
            ],
        ),
        "### The model's commonest errors",
        "True role, answer, and how often.",
        *(
            f"{TITLES[key]}: "
            + "; ".join(
                f"{true} as {said} {n}" for n, true, said in model[key]["posting"]["errors"]
            )
            + "."
            for key in near
        ),
        "### The model's three-way decision",
        "Thresholds are chosen on the cross-validation's answers, on 50 true ones or so, and only "
        "then meet the measuring postings. *Promised*: what the model ships with, with a stated "
        "confidence for postings to come. *Observed*: thresholds that just keep a precision of "
        "0.90 and a loss of 0.05 on the cross-validation's own answers, with no bound for others.",
    ]
    rows = []
    for kind in ("promised", "observed"):
        for basis, name in (("posting", "title and description"), ("title", "title alone")):
            for key in near:
                got = model[key][basis][kind]
                rows.append(
                    [
                        kind,
                        name,
                        TITLES[key],
                        f"{got['called_true']} of {got['called']}: {shown(got['precision'])}",
                        f"{got['lost']} of {got['positives']}: {shown(got['lost_share'])}",
                        shown(got["review_share"]),
                    ]
                )
    head = ["", "basis", "postings", "called CX and true", "true ones lost", "for review"]
    return [*parts, table(head, rows)]


def _role(of: dict[str, Any]) -> str:
    return "-" if not of["postings"] else f"{of['f1']:.2f} ({of['postings']})"


def headline(found: dict[str, Any]) -> str:
    """What a terminal shows in the end: the main figures of each set, without intervals."""
    lines = []
    for key, title in TITLES.items():
        if key not in found["figures"]:
            continue
        lines += [title, "  ".join([" " * 26, *(f"{m[:9]:>9}" for m in METRICS)])]
        for name, of in found["figures"][key].items():
            values = (of["figures"][m]["estimate"] for m in METRICS)
            cells = ("-" if v is None else f"{v:.3f}" for v in values)
            lines.append("  ".join([f"{name:<26}", *(f"{c:>9}" for c in cells)]))
        lines.append("")
    return "\n".join(lines)


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(interval: dict[str, float | None], form: str = ".3f") -> str:
    if interval["estimate"] is None:
        return "-"
    value = format(interval["estimate"], form)
    if interval["low"] is None:
        return value
    return f"{value} [{format(interval['low'], form)}, {format(interval['high'], form)}]"


def draw(found: dict[str, Any], path: Path) -> None:
    """Two panels of dots with intervals, told apart by shape and fill rather than colour."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no figure: matplotlib is not installed")
        return
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    panels = {"accuracy": "Role accuracy", "average_precision": "CX management: average precision"}
    looks = {
        "cv": {"marker": "o", "color": "black", "markerfacecolor": "black"},
        "measuring, all": {"marker": "s", "color": "0.45", "markerfacecolor": "white"},
    }
    names = list(found["figures"]["cv"])
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.42 * len(names) + 1.4), sharey=True)
    for axis, (metric, title) in zip(axes, panels.items(), strict=True):
        for shift, (key, look) in zip((-0.15, 0.15), looks.items(), strict=True):
            if key not in found["figures"]:
                continue
            for i, name in enumerate(names):
                of = found["figures"][key][name]["figures"][metric]
                if of["low"] is not None:
                    axis.plot([of["low"], of["high"]], [i + shift] * 2, color=look["color"], lw=1.2)
                axis.plot(
                    of["estimate"], i + shift, ls="", ms=6,
                    label=TITLES[key] if not i else None, **look,
                )  # fmt: skip
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlim(0, 1)
        axis.grid(axis="x", color="0.88", lw=0.8)
        axis.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)
