"""Temperatures and levels that were put in are found again."""

import numpy as np
import pytest

from cxjobs import calibrate
from cxjobs.model import sigmoid, softmax
from cxjobs.taxonomy import ROLES


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(true):
    """Roles drawn from softmax(scores / T) give T back."""
    draw = np.random.default_rng(0)
    scores = draw.normal(0, 3, (20_000, len(ROLES)))
    p = softmax(scores / true)
    drawn = (p.cumsum(axis=1) > draw.random((len(p), 1))).argmax(axis=1)
    found = calibrate.temperature(scores, np.array(ROLES)[drawn])
    assert found == pytest.approx(true, rel=0.04)


def test_temperature_of_draws_together_is_that_of_their_rows_stacked():
    draw = np.random.default_rng(1)
    scores = draw.normal(0, 3, (3, 200, len(ROLES)))
    roles = draw.choice(ROLES, 200)
    stacked = calibrate.temperature(scores.reshape(-1, len(ROLES)), np.tile(roles, 3))
    assert calibrate.temperature(scores, roles) == pytest.approx(stacked)


def test_levels_of_practice_elements_are_found_again():
    draw = np.random.default_rng(3)
    n = 20_000
    scores = draw.normal(-1, 2, (n, 5))
    slopes, shifts = np.array([0.5, 1.0, 2.0, 1.5, 0.7]), np.array([0.0, 1.0, -1.0, 0.5, -0.5])
    chances = sigmoid(scores * slopes + shifts)
    truth = (draw.random(chances.shape) < chances).astype(float)
    truth[:100, 4] = np.nan
    levels = calibrate.practice_levels(scores, truth)
    np.testing.assert_allclose(levels, np.column_stack([slopes, shifts]), atol=0.12)


def test_a_practice_element_that_scores_do_not_part_keeps_its_scores():
    scores = np.tile(np.arange(8.0)[:, None], 2)
    truth = np.column_stack([[1.0] * 4 + [0.0] * 4, [1.0] * 8])
    assert calibrate.practice_levels(scores, truth) == [[1.0, 0.0]] * 2
