"""From what applications send to what models take: AWS Panorama's applications decide the cases."""

import numpy as np
import pytest
from vedette_model_inference.matching import match

from vedette.messages import Tensor
from vedette.rings.calls import CallRefused, TensorSpec, TensorView

IMAGE = TensorSpec("data", "float32", (1, 3, 4, 5))
FREE = TensorSpec("data", "float32", ("N", 3, -1, -1))


def sent(array: np.ndarray, name: str = "data") -> TensorView:
    return TensorView(name, array.dtype.name, array.shape, memoryview(bytearray(array.tobytes())))


def image(dtype: str = "float32", shape: tuple[int, ...] = (1, 3, 4, 5)) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def test_what_fits_is_not_copied() -> None:
    view = sent(image())
    array = match([view], [IMAGE], [])["data"]
    view.buffer[0:4] = np.float32(77).tobytes()
    assert array[0, 0, 0, 0] == 77


@pytest.mark.parametrize("dtype", ["float64", "uint8", "float16", "int64", "bool"])
def test_another_element_type_is_converted_as_numpy_would(dtype: str) -> None:
    array = match([sent(image(dtype))], [IMAGE], [])["data"]
    assert array.dtype == np.float32
    assert np.array_equal(array, image(dtype).astype(np.float32))


def test_numbers_the_models_type_cannot_hold_are_no_error() -> None:
    spec = TensorSpec("data", "int32", (3,))
    array = match([sent(np.array([np.nan, np.inf, 2.9]))], [spec], [])["data"]
    assert array.dtype == np.int32
    assert array[2] == 2
    too_large = match([sent(np.array([1e300]))], [TensorSpec("data", "float32", (1,))], [])["data"]
    assert np.isinf(too_large[0])


@pytest.mark.parametrize(
    ("shape", "spec", "becomes"),
    [
        ((3, 4, 5), IMAGE, (1, 3, 4, 5)),  # mot_analysis and yolox leave the batch out
        ((60,), IMAGE, (1, 3, 4, 5)),
        ((4, 5, 3), IMAGE, (1, 3, 4, 5)),
        ((3, 4, 5), FREE, (1, 3, 4, 5)),
        ((7, 3, 2, 9), FREE, (7, 3, 2, 9)),  # pose_estimation sends batches of crops
        ((0, 3, 2, 2), FREE, (0, 3, 2, 2)),
    ],
)
def test_a_missing_batch_dimension_is_added_and_equal_counts_are_reshaped(
    shape: tuple[int, ...], spec: TensorSpec, becomes: tuple[int, ...]
) -> None:
    array = match([sent(image(shape=shape))], [spec], [])["data"]
    assert array.shape == becomes
    assert np.array_equal(array.ravel(), image(shape=shape).ravel())


def test_free_dimensions_are_reshaped_to_the_descriptors_shape() -> None:
    declared = [Tensor(name="data", shape=[2, 3, 4, 5])]
    assert match([sent(image(shape=(120,)))], [FREE], declared)["data"].shape == (2, 3, 4, 5)
    with pytest.raises(CallRefused):
        match([sent(image(shape=(120,)))], [FREE], [])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 4, 6), "has the shape 1x3x4x6, the model takes 1x3x4x5"),
        ((61,), "has the shape 61, the model takes 1x3x4x5"),
        ((), "has the shape of a single number, the model takes 1x3x4x5"),
        ((1, 1, 3, 4, 6), "has the shape 1x1x3x4x6"),
    ],
)
def test_a_shape_that_does_not_fit_is_named_beside_the_right_one(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(CallRefused, match=message) as caught:
        match([sent(image(shape=shape))], [IMAGE], [])
    assert caught.value.code == "wrong_shape"


def test_an_array_without_a_name_goes_to_the_only_input() -> None:
    assert list(match([sent(image(), "")], [IMAGE], [])) == ["data"]


def test_the_descriptors_name_stands_for_the_files_where_both_have_one_input() -> None:
    declared = [Tensor(name="input_1", shape=[1, 3, 4, 5])]
    assert list(match([sent(image(), "input_1")], [IMAGE], declared)) == ["data"]
    assert list(match([sent(image(), "data")], [IMAGE], declared)) == ["data"]


def test_an_unknown_input_is_named_beside_those_that_exist() -> None:
    with pytest.raises(CallRefused, match="input 'image' is unknown: the model takes 'data', 'input_1'") as caught:
        match([sent(image(), "image")], [IMAGE], [Tensor(name="input_1")])
    assert caught.value.code == "unknown_input"


def test_the_descriptors_names_are_not_mixed_up_where_there_are_several() -> None:
    inputs = [TensorSpec("a", "float32", (1,)), TensorSpec("b", "float32", (1,))]
    declared = [Tensor(name="x"), Tensor(name="y")]
    with pytest.raises(CallRefused, match="input 'x' is unknown: the model takes 'a', 'b'"):
        match([sent(image(shape=(1,)), "x"), sent(image(shape=(1,)), "y")], inputs, declared)
    with pytest.raises(CallRefused, match="without a name was sent, the model takes 'a', 'b'"):
        match([sent(image(shape=(1,)), "")], inputs, [])


def test_a_missing_input_is_named() -> None:
    inputs = [TensorSpec("a", "float32", (1,)), TensorSpec("b", "float32", (1,))]
    with pytest.raises(CallRefused, match="input 'b' is missing: the model takes 'a', 'b'") as caught:
        match([sent(image(shape=(1,)), "a")], inputs, [])
    assert caught.value.code == "missing_input"


def test_an_input_sent_twice_is_refused() -> None:
    inputs = [TensorSpec("a", "float32", (1,)), TensorSpec("b", "float32", (1,))]
    with pytest.raises(CallRefused, match="'a' was sent twice"):
        match([sent(image(shape=(1,)), "a"), sent(image(shape=(1,)), "a")], inputs, [])


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_what_may_be_an_index_cannot_be_changed_after_it_was_checked(dtype: str) -> None:
    view = sent(np.array([1, 2], dtype))
    array = match([view], [TensorSpec("data", dtype, (2,))], [])["data"]
    view.buffer[:] = bytes(len(view.buffer))
    assert array.tolist() == [1, 2]


def test_an_array_that_is_not_aligned_is_copied() -> None:
    memory = memoryview(bytearray(np.ones(4, np.float64).tobytes() + b"1"))
    view = TensorView("data", "float32", (3,), memory[1:13])
    assert match([view], [TensorSpec("data", "float32", (3,))], [])["data"].flags.aligned
