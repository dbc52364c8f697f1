"""The comparison of a converted model with its original."""

import numpy as np
import pytest

from vedette.conversion.errors import ProofFailed
from vedette.conversion.proof import compare


def test_a_difference_above_the_tolerance_passes() -> None:
    a = np.linspace(-1, 1, 100, dtype=np.float32).reshape(1, 100)
    assert compare(["y"], [[a]], [[a + 1e-3]]).holds()
    far = a.copy()
    far[0, 7] += 0.01
    proof = compare(["y"], [[a]], [[far]])
    assert not proof.holds()
    assert proof.largest == pytest.approx(0.005, rel=1e-3)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_number_that_is_none_passes(wrong: float) -> None:
    a = np.ones((1, 4), np.float32)
    b = a.copy()
    b[0, 1] = wrong
    assert not compare(["y"], [[a]], [[b]]).holds()
    assert compare(["y"], [[b]], [[b]]).holds()


def test_an_output_of_another_shape_is_compared() -> None:
    with pytest.raises(ProofFailed, match=r"output y has the shape \[1, 100\], the original's is \[1, 100, 1\]"):
        compare(["y"], [[np.zeros((1, 100, 1))]], [[np.zeros((1, 100))]])
    with pytest.raises(ProofFailed, match="the original has 2 outputs, the converted model 1"):
        compare(["y"], [[np.zeros(1), np.zeros(1)]], [[np.zeros(1)]])


def test_near_ties_that_change_places_count_as_wrong() -> None:
    rng = np.random.default_rng(1)
    boxes, scores = rng.random((1, 50, 4)), np.sort(rng.random((1, 50)))[:, ::-1]
    order = np.arange(50)
    order[[3, 4]] = order[[4, 3]]
    original, result = [[boxes, scores]], [[boxes[:, order], scores[:, order]]]
    assert not compare(["b", "s"], original, result).holds()
    assert compare(["b", "s"], original, result, ["NonMaxSuppression"]).sorted_rows == 1.0
    # Other boxes are no near ties.
    assert not compare(["b", "s"], original, [[boxes + 0.1, scores]], ["NonMaxSuppression"]).holds()
