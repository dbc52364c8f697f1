"""Element types, sizes and places of tensors in a slot."""

import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.rings.calls.errors import CallError
from vedette.rings.calls.slots import place_views
from vedette.rings.calls.tensors import (
    ALIGNMENT,
    DTYPES,
    Placed,
    TensorBuffer,
    dtype_name,
    flat_bytes,
    lay_out,
    tensor_bytes,
)
from vedette.rings.errors import RingError


@pytest.mark.parametrize(
    ("given_as", "name"),
    [
        ("float32", "float32"),
        ("<f4", "float32"),
        ("|u1", "uint8"),
        ("|b1", "bool"),
        ("<i8", "int64"),
        ("<f2", "float16"),
    ],
)
def test_numpys_two_spellings_mean_the_same(given_as: str, name: str) -> None:
    assert dtype_name(given_as) == name


@pytest.mark.parametrize("dtype", [">f4", "<c8", "object", "<U3", "|b4", "", "float128", "<f3", "|S1"])
def test_a_type_no_tensor_has_is_refused_with_the_list(dtype: str) -> None:
    with pytest.raises(CallError, match="expected one of bool, int8") as caught:
        dtype_name(dtype)
    assert caught.value.code == "wrong_dtype"


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 9), max_size=4)), max_size=6))
def test_tensors_are_aligned_and_never_overlap(tensors: list[tuple[str, list[int]]]) -> None:
    placed, total = lay_out([(str(i), dtype, shape) for i, (dtype, shape) in enumerate(tensors)])
    end = 0
    for tensor in placed:
        assert tensor.offset % ALIGNMENT == 0
        assert tensor.offset >= end
        end = tensor.offset + tensor_bytes(tensor.dtype, tensor.shape)
    assert end <= total
    assert len(place_views(memoryview(bytearray(total)), placed)) == len(tensors)


@pytest.mark.parametrize("shape", [(-1, 3), (2, -5)])
def test_a_negative_dimension_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(CallError, match="negative dimension"):
        tensor_bytes("float32", shape)


def test_too_many_dimensions_are_refused() -> None:
    with pytest.raises(CallError, match="33 dimensions, expected at most 32"):
        tensor_bytes("uint8", (1,) * 33)


def test_a_buffer_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(CallError, match=r"input 'data' has 8 bytes, expected 12 for float32 \(3,\)"):
        flat_bytes(TensorBuffer("data", "float32", (3,), array.array("f", [1, 2])))


def test_a_buffer_with_gaps_is_refused() -> None:
    with pytest.raises(CallError, match="not C-contiguous"):
        flat_bytes(TensorBuffer("data", "uint8", (3,), memoryview(bytes(6))[::2]))


def test_an_empty_tensor_has_no_bytes() -> None:
    assert len(flat_bytes(TensorBuffer("data", "float32", (0, 3), array.array("f")))) == 0


@pytest.mark.parametrize("offset", [1, 61, 2**63])
def test_a_tensor_outside_of_its_area_is_refused(offset: int) -> None:
    with pytest.raises(RingError, match="outside of its area of 64 bytes"):
        place_views(memoryview(bytearray(64)), [Placed("x", "float32", (16,), offset)])


def test_a_shape_whose_product_wraps_in_64_bits_is_refused() -> None:
    with pytest.raises(RingError, match="outside of its area"):
        place_views(memoryview(bytearray(64)), [Placed("x", "uint8", (2**40, 2**40), 0)])
