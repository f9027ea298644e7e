"""Fixtures that several files need: a small labelled table, and models trained on it."""

from __future__ import annotations

import random
from functools import partialmethod
from inspect import signature
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import settings

from cxjobs import dataset, store, text
from cxjobs.model import JobClassifier
from cxjobs.taxonomy import PRACTICES, label_of

# Machines that run this are shared: what is slow today was not yesterday.
settings.register_profile("cxjobs", deadline=None)
settings.load_profile("cxjobs")

# Before 8.2, click's runner mixed the two streams unless told not to.
if "mix_stderr" in signature(CliRunner).parameters:
    CliRunner.__init__ = partialmethod(CliRunner.__init__, mix_stderr=False)

ROOT = Path(__file__).parent.parent

WORDS = {
    "cx_management": "journey blueprint listening programme governance loyalty touchpoints culture",
    "call_center": "calls chats queue tickets shift agents complaints headset",
    "sales": "quota pipeline prospects deals territory hunting closing commission",
    "usability": "wireframes prototypes interface figma usability screens research layout",
    "other": "kubernetes ledgers payroll forklift anatomy compliance drilling python",
}


def labelled(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """Made-up labelled table that obeys every rule; roles are told by their words."""
    draw = random.Random(seed)
    roles = list(WORDS)
    table = []
    for i in range(rows):
        role = roles[i % len(roles)]
        words = WORDS[role].split()
        alone = i % 6 == 5
        own = [f"unique{i}x{k}" for k in range(8)]
        body = "" if alone else " ".join([*draw.choices(words, k=12), "the", "team", *own])
        table.append(
            {
                "id": f"{i:012x}",
                "title": f"{draw.choice(words)} {draw.choice(words)} lead {i}",
                "description": body,
                "role": role,
                "label": label_of(role),
                **{e: "" if alone else str(int(role == "cx_management")) for e in PRACTICES},
                "confidence": "high",
                "basis": "title" if alone else "posting",
                "coders": "2",
                "source": "composed" if i % 7 == 0 else "board",
                "year": "2025",
                "group": f"g{i % 40}",
            }
        )
    return pd.DataFrame(table, columns=list(dataset.COLUMNS))


@pytest.fixture
def table() -> pd.DataFrame:
    """A labelled table as `dataset.read` gives it: all text."""
    return labelled()


@pytest.fixture(scope="session")
def coded() -> pd.DataFrame:
    """The same, with the practice elements as numbers."""
    frame = labelled()
    for element in PRACTICES:
        frame[element] = pd.to_numeric(frame[element])
    return frame


@pytest.fixture(scope="session")
def fitted(coded: pd.DataFrame) -> JobClassifier:
    """A classifier fitted on the made-up table."""
    return JobClassifier(description_min_df=1).fit(coded, coded[["role", *PRACTICES]])


@pytest.fixture
def folder(fitted: JobClassifier, tmp_path: Path) -> Path:
    """A folder with the fitted classifier in it."""
    from cxjobs.decision import threshold_table

    sure = threshold_table([0.99] * 200 + [0.01] * 800, [1] * 200 + [0] * 800).to_dict()
    asked = {"precision": 0.9, "max_lost": 0.05, "confidence": 0.95}
    parameters = {k: v for k, v in fitted.get_params().items() if k != "background"}
    store.write(
        tmp_path / "model",
        store.model_arrays(fitted),
        {
            "name": "trial-1",
            "text_version": text.VERSION,
            "parameters": parameters,
            "promise": {"posting": asked, "title": asked},
            "thresholds": {"posting": sure, "title": sure},
        },
    )
    return tmp_path / "model"
