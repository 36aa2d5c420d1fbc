"""Loops of one kind: ``map``, ``reduce``, ``foldl``, ``foldr``, and ``scan_checkpoints``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from croton.graph.updates import OrderedUpdates
from croton.loop.build import build, scan


def map(
    fn: Callable[..., Any],
    sequences: Any,
    non_sequences: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, OrderedUpdates]:
    """``fn`` of each element of the sequences, stacked; arguments and result as those of `scan`. As theano.map.

    >>> import croton, croton.tensor as T
    >>> squares, _ = croton.loop.map(lambda x: x ** 2, T.arange(4))
    >>> squares.eval()
    array([0, 1, 4, 9])
    """
    return scan(
        fn,
        sequences,
        [],
        non_sequences,
        truncate_gradient=truncate_gradient,
        go_backwards=go_backwards,
        mode=mode,
        name=name,
    )


def reduce(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, OrderedUpdates]:
    """The last values of a `scan` that feeds its outputs back: what ``fn`` makes of the elements one by one, from
    ``outputs_info`` on. As theano.reduce.

    >>> import croton, croton.tensor as T
    >>> total, _ = croton.loop.reduce(lambda x, total: total + x, T.arange(5), T.constant(0, dtype='int64'))
    >>> total.eval()
    array(10)
    """
    outputs, updates = scan(
        fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards, mode=mode, name=name, return_list=True
    )
    last = [x[-1] for x in outputs]
    return (last[0] if len(last) == 1 else last), updates


def foldl(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, OrderedUpdates]:
    """`reduce` from the first element to the last. As theano.foldl.

    >>> import croton, croton.tensor as T
    >>> croton.loop.foldl(lambda x, s: s * 10 + x, T.arange(1, 4), T.constant(0, dtype='int64'))[0].eval()
    array(123)
    """
    return reduce(fn, sequences, outputs_info, non_sequences, False, mode, name)


def foldr(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, OrderedUpdates]:
    """`reduce` from the last element to the first. As theano.foldr.

    >>> import croton, croton.tensor as T
    >>> croton.loop.foldr(lambda x, s: s * 10 + x, T.arange(1, 4), T.constant(0, dtype='int64'))[0].eval()
    array(321)
    """
    return reduce(fn, sequences, outputs_info, non_sequences, True, mode, name)


def scan_checkpoints(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    name: str | None = "checkpointscan_fn",
    n_steps: Any = None,
    save_every_N: int = 10,
    padding: bool = True,
) -> tuple[Any, OrderedUpdates]:
    """A `scan` whose derivative needs memory for every ``save_every_N``-th step only, and about twice the time.

    The outputs are those of steps N, 2N, ... and of the last one: of what lies between only the derivative needs
    anything, and that is computed again. A rest of steps that is no multiple of N is run as it is; ``padding=False``
    refuses it (ValueError, when run). Other arguments as those of `scan`; without ``until``.
    As theano.scan_checkpoints, which pads the rest with zeros.

    >>> import croton, croton.tensor as T
    >>> x = T.dvector('x')
    >>> sums, _ = croton.loop.scan_checkpoints(lambda x, s: s + x, x, T.constant(0, dtype='float64'), save_every_N=3)
    >>> sums.eval({x: [1., 1., 1., 1., 1., 1., 1.]})
    array([3., 6., 7.])
    """
    if not isinstance(save_every_N, int) or save_every_N < 1:
        raise ValueError(f"scan_checkpoints: save_every_N must be a positive int, not {save_every_N!r}")
    return build(
        fn,
        sequences,
        outputs_info,
        non_sequences,
        n_steps,
        truncate_gradient=-1,
        go_backwards=False,
        name=name,
        strict=False,
        return_list=False,
        checkpoint=save_every_N,
        padding=padding,
    )
