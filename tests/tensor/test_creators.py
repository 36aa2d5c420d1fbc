"""Variables of every dtype and rank under their names."""

import pytest

import croton
import croton.tensor as T
from croton.tensor.creators import CREATORS

DTYPES = {
    "b": "int8", "w": "int16", "i": "int32", "l": "int64",
    "f": "float32", "d": "float64", "c": "complex64", "z": "complex128",
}  # fmt: skip
PATTERNS = {
    "scalar": (), "vector": (False,), "row": (True, False), "col": (False, True), "matrix": (False, False),
    **{f"tensor{n}": (False,) * n for n in (3, 4, 5, 6, 7)},
}  # fmt: skip
PLURALS = {"matrix": "matrices"}
NAMES = [prefix + rank for rank in PATTERNS for prefix in ("", *DTYPES)]
SEVERAL = [prefix + PLURALS.get(rank, f"{rank}s") for rank in PATTERNS for prefix in ("", *DTYPES)]


def test_all_creators_are_there():
    assert set(CREATORS) == {*NAMES, *SEVERAL}


@pytest.mark.parametrize("rank", PATTERNS)
@pytest.mark.parametrize("prefix", ["", *DTYPES])
def test_one_and_several(rank, prefix):
    create, several = getattr(T, prefix + rank), getattr(T, prefix + PLURALS.get(rank, f"{rank}s"))
    x = create("x")
    assert x.name == "x" and x.dtype == DTYPES.get(prefix, "float32") and x.broadcastable == PATTERNS[rank]
    assert create().name is None and create(name="y").name == "y" and create() is not create()
    assert [v.name for v in several("first", "second")] == ["first", "second"]
    assert [v.name for v in several("abc")] == ["a", "b", "c"]
    assert [v.name for v in several(2)] == [None, None]
    assert all(v.type == x.type for v in [*several("a", "b"), *several(3), several("x")])
    with pytest.raises(TypeError):
        several()


def test_names_without_a_prefix_follow_floatx_and_dtype():
    with croton.config(floatX="float64"):
        assert T.matrix().dtype == T.tensor3().dtype == T.tensor().dtype == "float64"
    assert T.matrix(dtype="int8").dtype == "int8" and T.vector("v", "float64").dtype == "float64"
    with pytest.raises(TypeError, match="unsupported dtype"):
        T.matrix(dtype="number")
    with pytest.raises(TypeError):
        T.fmatrix("x", dtype="float64")


def test_tensor():
    x = T.tensor(dtype="int32", broadcastable=(False, True), name="x")
    assert (x.dtype, x.broadcastable, x.name) == ("int32", (False, True), "x")
    assert T.tensor("float64").ndim == 0
