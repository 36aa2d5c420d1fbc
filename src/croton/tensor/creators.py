"""Variables of every dtype and rank under their short names: ``matrix``, ``ivector``, ``dscalars`` ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from croton.settings import config
from croton.tensor.types import TensorType

_RANKS: dict[str, tuple[bool, ...]] = {
    "scalar": (),
    "vector": (False,),
    "row": (True, False),
    "col": (False, True),
    "matrix": (False, False),
    "tensor3": (False,) * 3,
    "tensor4": (False,) * 4,
    "tensor5": (False,) * 5,
    "tensor6": (False,) * 6,
    "tensor7": (False,) * 7,
}
_PREFIXES = {
    "b": "int8", "w": "int16", "i": "int32", "l": "int64",
    "f": "float32", "d": "float64", "c": "complex64", "z": "complex128",
}  # fmt: skip


def _creator(name: str, pattern: tuple[bool, ...], dtype: str | None) -> Callable[..., Any]:
    kind = f"a variable of {dtype or 'floatX, or of dtype,'} and the pattern {pattern}"

    def fixed(name: str | None = None) -> Any:
        return TensorType(dtype, pattern)(name)  # type: ignore[arg-type]

    def free(name: str | None = None, dtype: str | None = None) -> Any:
        return TensorType(dtype or config.floatX, pattern)(name)

    create: Any = free if dtype is None else fixed
    create.__name__ = create.__qualname__ = name
    create.__module__ = "croton.tensor"
    create.__doc__ = f"{kind[0].upper()}{kind[1:]} of dimensions known to have length 1."
    return create


def _plural(name: str, create: Callable[..., Any]) -> Callable[..., Any]:
    def several(*names: Any) -> Any:
        if len(names) == 1 and isinstance(names[0], int):
            return [create() for _ in range(names[0])]
        if len(names) == 1 and isinstance(names[0], str) and len(names[0]) > 1:
            names = tuple(names[0])
        if not names:
            raise TypeError(f"{name} takes names, or how many variables to make")
        return [create(n) for n in names] if len(names) > 1 else create(names[0])

    several.__name__ = several.__qualname__ = name
    several.__module__ = "croton.tensor"
    several.__doc__ = (
        f"Several variables: ``{name}('a', 'b')``, ``{name}('ab')`` or ``{name}(2)``, as {name[:-1]} makes one."
    )
    return several


def tensor(
    dtype: str | None = None, broadcastable: Any = None, name: str | None = None, sparse_grad: bool = False
) -> Any:
    """A variable of any dtype and pattern of dimensions known to have length 1.

    >>> import croton.tensor as T
    >>> T.tensor('int32', (False, True), 'x').type
    TensorType(int32, (?, 1))
    """
    return TensorType(dtype or config.floatX, broadcastable if broadcastable is not None else (), name, sparse_grad)(
        name
    )


CREATORS: dict[str, Any] = {}
for _rank, _pattern in _RANKS.items():
    for _letter, _dtype in [("", None), *_PREFIXES.items()]:
        _full = _letter + _rank
        CREATORS[_full] = _creator(_full, _pattern, _dtype)
        _several = {"matrix": "matrices"}.get(_rank, _rank + "s")
        CREATORS[_letter + _several] = _plural(_letter + _several, CREATORS[_full])
