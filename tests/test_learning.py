"""The curve is drawn on fair rows."""

import pytest

from cxjobs import dataset, learning
from cxjobs.errors import DataError


def test_curve_scores_the_same_fair_rows_before_and_after(coded):
    table = coded.copy()
    asked = table.index[(table["basis"] == "posting") & (table["source"] == "board")][::4]
    table.loc[asked, "source"] = dataset.REVIEWED
    found = learning.curve(table, shares=(0.4, 1.0), n_splits=2, replicates=50)
    assert found["training"].tolist() == ["before", "before", "after", "after"]
    before, after = found[found["share"] == 1.0].to_dict("records")
    assert before["rows"] < after["rows"]
    assert (found["rows"].to_numpy()[::2] < found["rows"].to_numpy()[1::2]).all()
    for name in ("accuracy", "average_precision"):
        assert (
            (found[name] >= found[f"{name}_low"]) & (found[name] <= found[f"{name}_high"])
        ).all()
        assert found[name].between(0.5, 1).all()


def test_curve_without_review_is_one_line(coded):
    found = learning.curve(coded, shares=(1.0,), n_splits=2, replicates=20)
    assert found["training"].tolist() == ["all"]
    with pytest.raises(DataError, match="No posting is left to score"):
        learning.curve(coded.assign(source="composed"), n_splits=3)
    with pytest.raises(DataError, match="as many groups"):
        learning.curve(coded, n_splits=50)
