"""Products with few of the blocks of a large matrix."""

from __future__ import annotations

from typing import Any

from croton.tensor.basic import as_tensor_variable
from croton.tensor.index import inc_subtensor
from croton.tensor.linalg import batched_dot
from croton.tensor.variable import TensorVariable


def sparse_block_dot(W: Any, h: Any, inputIdx: Any, b: Any, outputIdx: Any) -> TensorVariable:
    """For each row n and each j: the sum over i of h[n, i] W[inputIdx[n, i], outputIdx[n, j]], and b[outputIdx[n, j]].

    ``W``: the weights (input blocks, output blocks, input size, output size); ``h``: the inputs (batch, input window,
    input size); ``inputIdx``: which blocks they are, integers (batch, input window); ``b``: (output blocks, output
    size); ``outputIdx``: which blocks are wanted, integers (batch, output window). ``h`` and the indices may all lack
    the batch, which is then of length 1.

    Returns (batch, output window, output size). Raises TypeError for wrong ranks and indices that are no integers,
    IndexError when run for indices out of range. As theano.tensor.nnet.blocksparse.sparse_block_dot.

    >>> import numpy as np
    >>> W, h = np.ones((2, 3, 4, 1)), np.ones((1, 2, 4))
    >>> sparse_block_dot(W, h, [[0, 1]], np.zeros((3, 1)), [[2]]).eval()
    array([[[8.]]])
    """
    W, h, rows, b, columns = map(as_tensor_variable, (W, h, inputIdx, b, outputIdx))
    if h.ndim == 2:
        h = h.dimshuffle("x", 0, 1)
        rows, columns = (v.dimshuffle("x", 0) if v.ndim == 1 else v for v in (rows, columns))
    _check("sparse_block_dot", W=(W, 4), h=(h, 3), inputIdx=(rows, 2), b=(b, 2), outputIdx=(columns, 2))
    blocks = W[rows.dimshuffle(0, 1, "x"), columns.dimshuffle(0, "x", 1)]
    n, i, j, k, m = (blocks.shape[a] for a in range(5))
    weights = blocks.dimshuffle(0, 1, 3, 2, 4).reshape((n, i * k, j * m))
    return batched_dot(h.reshape((n, 1, i * k)), weights).reshape((n, j, m)) + b[columns]


def sparse_block_outer(o: Any, x: Any, y: Any, xIdx: Any, yIdx: Any, alpha: Any = None) -> TensorVariable:
    """``o`` with ``alpha`` times the outer product of x[n, i] and y[n, j] added to block [xIdx[n, i], yIdx[n, j]].

    This for all n, i and j; what falls on one block adds up. ``o``: (x blocks, y blocks, x size, y size); ``x``:
    (batch, x window, x size); ``y``: (batch, y window, y size); ``xIdx``, ``yIdx``: integers (batch, window);
    ``alpha``: a scalar, 1 if None. Returns a tensor as ``o``, and raises as ``sparse_block_dot``. As
    theano.tensor.nnet.blocksparse.sparse_block_outer.

    >>> import numpy as np
    >>> sparse_block_outer(np.zeros((1, 2, 1, 2)), [[[3.]]], [[[1., 2.]]], [[0]], [[1]]).eval()
    array([[[[0., 0.]],
    <BLANKLINE>
            [[3., 6.]]]])
    """
    o, x, y, rows, columns = map(as_tensor_variable, (o, x, y, xIdx, yIdx))
    _check("sparse_block_outer", o=(o, 4), x=(x, 3), y=(y, 3), xIdx=(rows, 2), yIdx=(columns, 2))
    products = x.dimshuffle(0, 1, "x", 2, "x") * y.dimshuffle(0, "x", 1, "x", 2)
    if alpha is not None:
        products = alpha * products
    return inc_subtensor(o[rows.dimshuffle(0, 1, "x"), columns.dimshuffle(0, "x", 1)], products)


def _check(name: str, **tensors: tuple[TensorVariable, int]) -> None:
    for what, (v, ndim) in tensors.items():
        if v.ndim != ndim:
            raise TypeError(f"{name}: {what} must have {ndim} dimensions, got {v} of type {v.type}")
        if what.endswith("Idx") and v.dtype[0] not in "iu":
            raise TypeError(f"{name}: {what} must be integers, got {v} of type {v.type}")
