"""How often the stated intervals and promises hold, by simulation.

    python benchmarks/coverage/run.py            prints the tables of README.md
    python benchmarks/coverage/run.py --write    and puts them there

Every cell draws its labelled postings and its batch anew in each run, so that it carries both
the sampling error of the batch and the estimation error of the model's errors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from simulated import K, probabilities

from cxjobs.binomial import wilson
from cxjobs.decision import threshold_table
from cxjobs.prevalence import Calibration, looks, told
from cxjobs.shares import audited_share
from cxjobs.taxonomy import ROLES

LABELLED = np.repeat(np.arange(K), np.r_[300, np.linspace(40, 180, K - 1)].astype(int))
"""True roles of the labelled postings: 300 of CX management, 40 to 180 of each other role."""

QUALITIES = {"poor": 1.5, "fair": 2.0, "good": 3.0, "very good": 4.0}
PREVALENCES = (0.02, 0.05, 0.1, 0.3, 0.6)
HERE = Path(__file__).parent


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def corrected(runs):
    """Coverage of the corrected shares, of CX management and of the other twelve roles."""
    rows = []
    for name, quality in QUALITIES.items():
        rng = np.random.default_rng(17)
        right = probabilities(rng, LABELLED, quality).argmax(axis=1) == LABELLED
        for share in PREVALENCES:
            for n in (300, 1000):
                mix = np.r_[share, (1 - share) * rng.dirichlet(np.full(K - 1, 1.5))]
                hits, naive, width = np.zeros(K), 0, 0.0
                for _ in range(runs):
                    seen = looks(told(probabilities(rng, LABELLED, quality)))
                    fitted = Calibration.fit(seen, LABELLED)
                    batch = told(probabilities(rng, rng.choice(K, n, p=mix), quality))
                    found = fitted.shares(looks(batch))
                    hits += [i.low <= t <= i.high for i, t in zip(found, mix, strict=True)]
                    low, high = wilson(int((batch["role"] == ROLES[0]).sum()), n)
                    naive += low <= share <= high
                    width += found[0].high - found[0].low
                others = hits[1:] / runs
                rows.append(
                    (
                        f"{name} ({right.mean():.2f})",
                        f"{share:.0%}",
                        n,
                        f"{hits[0] / runs:.3f}",
                        f"{others.mean():.3f} ({others.min():.3f} to {others.max():.3f})",
                        f"{width / runs:.3f}",
                        f"{naive / runs:.3f}",
                    )
                )
                print(rows[-1], flush=True)
    heads = ("model (role accuracy)", "true share", "batch", "corrected, CX management",
             "corrected, other roles: mean (range)", "mean width, CX",
             "counted, uncorrected")  # fmt: skip
    return table(heads, rows)


def audit(runs):
    """Coverage of the audited share."""
    rows = []
    for audited in (30, 60, 100, 200, 400):
        for quality in (1.0, 2.0, 3.0):
            rng = np.random.default_rng(19)
            cells = []
            for share in PREVALENCES:
                hits, width = 0, 0.0
                for _ in range(runs):
                    truth = (rng.random(audited + 1500) < share).astype(float)
                    z = rng.normal(size=truth.size) + quality * truth
                    p = 1 / (1 + np.exp(-(quality * z - quality**2 / 2 - 1.4)))
                    found = audited_share(truth[:audited], p[:audited], p[audited:])
                    hits += found.low <= share <= found.high
                    width += found.high - found.low
                cells.append(f"{hits / runs:.3f} ({width / runs:.2f})")
            rows.append((audited, quality, *cells))
            print(rows[-1], flush=True)
    heads = ("audited", "separation", *(f"{share:.0%}" for share in PREVALENCES))
    return table(heads, rows)


def promise(runs):
    """How often a chosen band breaks its promise; at most 1 - confidence is allowed."""
    rows = []
    for slope in (0.6, 1.0, 1.6):
        rng = np.random.default_rng(23)

        def draw(n, rng=rng, slope=slope):
            z = rng.normal(-3, 4, n)
            return 1 / (1 + np.exp(-slope * z)), rng.random(n) < 1 / (1 + np.exp(-z))

        p, truth = draw(400_000)
        all_p, true_p = np.sort(p), np.sort(p[truth])
        for precision, lost, confidence in ((0.85, 0.1, 0.9), (0.9, 0.05, 0.95)):
            broken, met = np.zeros(2), np.zeros(2)
            for _ in range(runs):
                band = threshold_table(*draw(1500)).choose(precision, lost, confidence)
                called = all_p.size - np.searchsorted(all_p, band.upper)
                good = true_p.size - np.searchsorted(true_p, band.upper)
                gone = np.searchsorted(true_p, band.lower) / true_p.size
                met += [band.precision_met, band.lost_met]
                broken += [band.precision_met and good < precision * called, gone > lost]
            cells = [f"{b / runs:.3f} ({m / runs:.2f})" for b, m in zip(broken, met, strict=True)]
            rows.append((slope, precision, lost, confidence, *cells))
            print(rows[-1], flush=True)
    heads = ("slope of the logits (1: calibrated)", "precision", "lost", "confidence",
             "precision broken (promised)", "lost broken (promised)")  # fmt: skip
    return table(heads, rows)


PARTS = {"corrected": corrected, "audit": audit, "promise": promise}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    options = parser.parse_args()
    if strange := set(options.parts) - set(PARTS):
        parser.error(f"no part is named {strange.pop()}")
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name in options.parts or PARTS:
        found = PARTS[name](options.runs)
        print(f"\n{found}\n")
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(start)
        text = before + start + found + "\n" + end + rest.split(end)[1]
    if options.write:
        readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
