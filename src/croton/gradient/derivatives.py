"""``grad``, ``Lop``, ``Rop``, ``jacobian``, ``hessian``: each looks for what is wrong, then makes a derivative node."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from croton.gradient.errors import DisconnectedInputError, DisconnectedType, NullType, NullTypeGradError
from croton.graph.core import Apply, Type, Variable
from croton.graph.derivative import Derivative, held_apart, is_discrete
from croton.graph.walk import toposort
from croton.settings import config
from croton.sparse.types import SparseType
from croton.tensor.basic import as_tensor_variable, cast, constant
from croton.tensor.construct import zeros_like
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable


def _listed(wrt: Any, what: str) -> tuple[list[TensorVariable], Callable[[list[Any]], Any]]:
    """``wrt`` as a list, and how to give results back in the form it came in."""
    if isinstance(wrt, set | frozenset | dict):
        raise TypeError(
            f"{what}: wrt must be a variable, or a list or tuple of them, whose order is known; "
            f"got a {type(wrt).__name__}"
        )
    if isinstance(wrt, list | tuple):
        kind = type(wrt)
        variables = list(wrt)
        back: Callable[[list[Any]], Any] = lambda found: kind(found)  # noqa: E731
    else:
        variables, back = [wrt], lambda found: found[0]
    for w in variables:
        if not isinstance(w, Variable):
            raise TypeError(f"{what}: wrt must be variables, not {w!r}")
    return variables, back


def _reach(sources: Iterable[Variable], stop: Set[Variable]) -> set[Variable]:
    """The variables to which a derivative of ``sources`` can flow; to those in ``stop``, but not through them."""
    reach = set(sources)
    for node in reversed(toposort(reach)):
        hit = [v for v in node.outputs if v in reach and v not in stop]
        if hit:
            open_ = node.op.connected_from(node, hit)
            reach.update(v for v, connected in zip(node.inputs, open_, strict=True) if connected)
    return reach


def _connected(sources: Sequence[Variable], wrt: Sequence[Variable], stopped: Sequence[Variable]) -> list[bool]:
    """For each wrt, whether a derivative can flow from some source to it."""
    reach = _reach(sources, set(stopped))
    return [w in reach for w in wrt]


def _undefined(
    sources: Sequence[Variable], wrt: Sequence[Variable], stopped: Sequence[Variable]
) -> dict[Variable, Apply]:
    """For each wrt that lies behind a node without a derivative (by an input that it is connected to), that node."""
    stop = set(stopped)
    found: dict[Variable, Apply] = {}
    met = _reach(sources, stop) - stop
    for node in dict.fromkeys(v.owner for v in met if v.owner is not None):
        if not node.op.undefined and node.op.graph is None:
            continue
        culprits = node.op.undefined_by(node, [v for v in node.outputs if v in met])
        for v, culprit in zip(node.inputs, culprits, strict=True):
            if culprit is not None:
                behind = _reach([v], stop)
                found.update((w, culprit) for w in wrt if w in behind)
    return found


def grad(
    cost: Any,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Mapping[Variable, Any] | None = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """The gradient of the scalar ``cost`` with respect to ``wrt``: any variable in its graph, or a list or tuple.

    Arguments: ``consider_constant``, variables through which no derivative flows; ``disconnected_inputs``, what to do
    with a wrt that the cost does not depend on: 'raise', 'warn' or 'ignore'; ``add_names``, whether a gradient is
    named (dcost/dx) where both have names; ``known_grads``, gradients that are known already, by variable, with or
    without a cost (then None); ``return_disconnected``, what stands for a disconnected gradient: 'zero', 'None' or
    'Disconnected'; ``null_gradients``, 'raise' or 'return' (then None) where a gradient is not defined.

    Raises TypeError for a cost that is no scalar, DisconnectedInputError, NullTypeGradError. As theano.gradient.grad.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> croton.grad(x ** 3, x).eval({x: 2.0})
    array(12.)
    """
    wanted, back = _listed(wrt, "grad")
    _choice("disconnected_inputs", disconnected_inputs, ("raise", "warn", "ignore"))
    _choice("return_disconnected", return_disconnected, ("zero", "None", "Disconnected"))
    _choice("null_gradients", null_gradients, ("raise", "return"))
    known = dict(known_grads or {})
    if cost is None and not known:
        raise ValueError("grad: there is no cost and no known_grads: nothing to differentiate")
    sources: list[TensorVariable] = []
    seeds: list[TensorVariable] = []
    if cost is not None:
        cost = as_tensor_variable(cost)
        if cost.ndim:
            raise TypeError(
                f"grad: cost must be a scalar, got {cost} with {cost.ndim} dimensions: take its sum() or mean()"
            )
        if is_discrete(cost):
            raise TypeError(
                f"grad: cost must be of a float dtype, got {cost} of {cost.dtype}: its derivative is not defined"
            )
        if cost in known:
            seeds.append(_seed(cost, known.pop(cost)))
        else:
            seeds.append(as_tensor_variable(constant(1, dtype=cost.dtype)))
        sources.append(cost)
    held = [*(consider_constant or []), *known]
    results = _reverse(
        sources, seeds, known, wanted, held, disconnected_inputs, return_disconnected, null_gradients, "grad"
    )
    if add_names and cost is not None and getattr(cost, "name", None):
        for w, g in zip(wanted, results, strict=True):
            if isinstance(g, Variable) and w.name and g.name is None:
                g.name = f"(d{cost.name}/d{w.name})"
    return back(results)


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def _seed(source: Variable, value: Any) -> TensorVariable:
    """A cotangent or tangent for ``source``, of its dtype."""
    seed = as_tensor_variable(value)
    if seed.ndim != source.type.ndim:  # type: ignore[attr-defined]
        raise ValueError(
            f"the vector {seed} for {source} has {seed.ndim} dimensions, it must have those of {source}: {source.type}"
        )
    return cast(seed, source.type.dtype)  # type: ignore[attr-defined]


def _reverse(
    sources: list[TensorVariable],
    seeds: list[TensorVariable],
    known: Mapping[Variable, Any],
    wrt: list[TensorVariable],
    held: list[Variable],
    disconnected_inputs: str,
    return_disconnected: str,
    null_gradients: str,
    what: str,
) -> list[Any]:
    """Vector-jacobian products, for each wrt, of ``sources`` and of variables whose gradient is ``known``."""
    # What is held for the cost is itself a source where its gradient is known: it is then seen through its own copy.
    all_sources = sources + [_apart(v) for v in known]
    all_seeds = seeds + [_seed(v, g) for v, g in known.items()]
    broken = _undefined(all_sources, wrt, held)
    if broken and null_gradients == "raise":
        w, node = next(iter(broken.items()))
        raise NullTypeGradError(
            f"{what}: the derivative with respect to {w} is not defined, for it would pass through {node}, "
            "which has none"
        )
    found = [_differentiable(w, what) and c for w, c in zip(wrt, _connected(all_sources, wrt, held), strict=True)]
    for w, c in zip(wrt, found, strict=True):
        if not c and w not in known:
            _complain(w, disconnected_inputs, what)
    found = [c and w not in known and w not in broken for c, w in zip(found, wrt, strict=True)]
    taken = [w for w, c in zip(wrt, found, strict=True) if c]
    _refuse_integers_of_loops(taken, all_sources, what)
    outputs = iter(_derive("reverse", all_sources, all_seeds, taken, held) if taken else [])
    stand_in: dict[str, Callable[[Any], Any]] = {
        "zero": lambda w: _zeros_like(w),
        "None": lambda w: None,
        "Disconnected": lambda w: DisconnectedType()(),
    }
    given = {v: seed for v, seed in zip(known, all_seeds[len(sources) :], strict=True)}

    def standing(w: TensorVariable) -> Any:
        return None if w in broken else given[w] if w in given else stand_in[return_disconnected](w)

    return [next(outputs) if c else standing(w) for w, c in zip(wrt, found, strict=True)]


def _differentiable(w: Variable, what: str) -> bool:
    """Whether ``w`` is a tensor, or a sparse matrix that a derivative can be taken by; TypeError for other sparse
    ones.
    """
    if isinstance(w.type, SparseType) and (w.owner is not None or is_discrete(w) or what == "jacobian"):
        raise TypeError(
            f"{what}: the derivative by the sparse {w} is not supported: it is by sparse inputs and shared variables "
            "of floats. Build the matrix as CSR(data, indices, indptr, shape) and differentiate by its data"
        )
    return isinstance(w.type, TensorType | SparseType)


def _refuse_integers_of_loops(wrt: Sequence[Variable], sources: Sequence[Variable], what: str) -> None:
    """TypeError where an integer becomes a float only inside a loop, where its derivative would be lost."""
    integers = {w for w in wrt if is_discrete(w)}
    for node in toposort(sources) if integers else ():
        if node.op.graph is not None:
            for v, connected in zip(node.inputs, node.op.connected(node), strict=True):
                if connected and v in integers:
                    raise TypeError(
                        f"{what}: the derivative by {v}, of {v.type}, is not defined inside {node}: cast it to a float "
                        "before the loop"
                    )


def _zeros_like(w: TensorVariable) -> Any:
    if isinstance(w.type, SparseType):
        return w.zeros_like()
    return zeros_like(w, config.floatX if is_discrete(w) else None)


def _apart(v: Variable) -> TensorVariable:
    """``v`` recomputed: a source that stays where v itself is held constant for the other sources."""
    from croton.tensor.elemwise import identity

    if v.owner is None:
        return identity(v)
    return v.owner.op.rebuild(v.owner, v.owner.inputs, {}).outputs[v.index]  # type: ignore[index, return-value]


def _derive(
    form: str, sources: Sequence[Any], seeds: Sequence[Any], wrt: Sequence[Any], held: Sequence[Variable]
) -> list[TensorVariable]:
    if form == "forward":
        types: list[Type] = [s.type for s in sources]
    elif form == "reverse":
        types = [
            w.type
            if isinstance(w.type, SparseType)
            else TensorType(config.floatX if is_discrete(w) else w.dtype, shape=w.type.shape)
            for w in wrt
        ]
    else:
        types = [
            TensorType(
                config.floatX if is_discrete(w) else sources[0].dtype, shape=sources[0].type.shape + w.type.shape
            )
            for w in wrt
        ]
    op = Derivative(form, len(sources), len(seeds), len(wrt), tuple(types))
    return op.make_node(*sources, *seeds, *wrt, *held_apart(held, wrt)).outputs  # type: ignore[return-value]


def _complain(w: Variable, policy: str, what: str) -> None:
    message = (
        f"{what}: the cost does not depend on {w} by any path that a derivative can take. Leave it out of wrt, or pass "
        f"disconnected_inputs='ignore' to get zeros"
    )
    if policy == "raise":
        raise DisconnectedInputError(message)
    if policy == "warn":
        warnings.warn(message, stacklevel=4)


def Lop(
    f: Any,
    wrt: Any,
    eval_points: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """The row vector ``eval_points`` times the jacobian of ``f`` with respect to ``wrt``.

    ``f`` and ``eval_points`` are variables of equal shapes, or lists of them. As theano.gradient.Lop.

    >>> import croton, croton.tensor as T
    >>> x = T.dvector('x')
    >>> croton.gradient.Lop(x ** 2, x, T.constant([1., 10.])).eval({x: [3., 4.]})
    array([ 6., 80.])
    """
    wanted, back = _listed(wrt, "Lop")
    sources, seeds = _paired(f, eval_points, "Lop")
    return back(
        _reverse(sources, seeds, {}, wanted, list(consider_constant or []), disconnected_inputs, "zero", "raise", "Lop")
    )


def Rop(
    f: Any, wrt: Any, eval_points: Any, disconnected_outputs: str = "raise", return_disconnected: str = "zero"
) -> Any:
    """The jacobian of ``f`` with respect to ``wrt`` times the vector ``eval_points``, by forward differentiation.

    ``wrt`` and ``eval_points`` are variables of equal shapes, or lists of them. As theano.gradient.Rop.

    >>> import croton, croton.tensor as T
    >>> x = T.dvector('x')
    >>> croton.gradient.Rop(x ** 2, x, T.constant([1., 10.])).eval({x: [3., 4.]})
    array([ 6., 80.])
    """
    _choice("disconnected_outputs", disconnected_outputs, ("raise", "warn", "ignore"))
    _choice("return_disconnected", return_disconnected, ("zero", "None", "Disconnected"))
    functions, back = _listed(f, "Rop")
    wanted, points = _paired(wrt, eval_points, "Rop")
    functions = [as_tensor_variable(v) for v in functions]
    found = [any(_connected([v], wanted, [])) for v in functions]
    for v, c in zip(functions, found, strict=True):
        if not c and disconnected_outputs != "ignore":
            message = f"Rop: {v} does not depend on any wrt; pass disconnected_outputs='ignore' to get zeros"
            if disconnected_outputs == "raise":
                raise DisconnectedInputError(message)
            warnings.warn(message, stacklevel=2)
    taken = [v for v, c in zip(functions, found, strict=True) if c]
    outputs = iter(_derive("forward", taken, points, wanted, []) if taken else [])
    stand_in: dict[str, Callable[[Any], Any]] = {
        "zero": zeros_like,
        "None": lambda v: None,
        "Disconnected": lambda v: DisconnectedType()(),
    }
    return back(
        [next(outputs) if c else stand_in[return_disconnected](v) for v, c in zip(functions, found, strict=True)]
    )


def _paired(variables: Any, vectors: Any, what: str) -> tuple[list[TensorVariable], list[TensorVariable]]:
    left = list(variables) if isinstance(variables, list | tuple) else [variables]
    right = list(vectors) if isinstance(vectors, list | tuple) else [vectors]
    if len(left) != len(right):
        raise ValueError(f"{what}: {len(left)} variables with {len(right)} eval_points: there must be one for each")
    left = [as_tensor_variable(v) for v in left]
    return left, [_seed(v, p) for v, p in zip(left, right, strict=True)]


def jacobian(
    expression: Any, wrt: Any, consider_constant: Sequence[Variable] | None = None, disconnected_inputs: str = "raise"
) -> Any:
    """The derivatives of each element of a scalar or vector ``expression`` by ``wrt``: of shape expression + wrt.

    Raises AssertionError where ``expression`` has more dimensions. As theano.gradient.jacobian.

    >>> import croton, croton.tensor as T
    >>> x = T.dvector('x')
    >>> croton.gradient.jacobian(x ** 2, x).eval({x: [3., 4.]})
    array([[6., 0.],
           [0., 8.]])
    """
    wanted, back = _listed(wrt, "jacobian")
    expression = as_tensor_variable(expression)
    if expression.ndim > 1:
        raise AssertionError(
            f"jacobian: the expression must be a scalar or a vector, {expression} has {expression.ndim} dimensions"
        )
    held = list(consider_constant or [])
    open_ = _connected([expression], wanted, held)
    found = [_differentiable(w, "jacobian") and c for w, c in zip(wanted, open_, strict=True)]
    for w, c in zip(wanted, found, strict=True):
        if not c:
            _complain(w, disconnected_inputs, "jacobian")
    taken = [w for w, c in zip(wanted, found, strict=True) if c]
    outputs = iter(_derive("jacobian", [expression], [], taken, held) if taken else [])
    zero = expression * 0
    blank = [zero.dimshuffle(*range(expression.ndim), *["x"] * w.ndim) * zeros_like(w) for w in wanted]
    return back([next(outputs) if c else b for c, b in zip(found, blank, strict=True)])


def hessian(
    cost: Any, wrt: Any, consider_constant: Sequence[Variable] | None = None, disconnected_inputs: str = "raise"
) -> Any:
    """The matrix of second derivatives of a scalar ``cost`` with respect to a vector ``wrt`` (or to each of several).

    As theano.gradient.hessian.

    >>> import croton, croton.tensor as T
    >>> x = T.dvector('x')
    >>> croton.gradient.hessian((x ** 3).sum(), x).eval({x: [1., 2.]})
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    wanted, back = _listed(wrt, "hessian")
    for w in wanted:
        if w.ndim != 1:
            raise AssertionError(f"hessian: wrt must be vectors, {w} has {w.ndim} dimensions")
    firsts = [grad(cost, w, consider_constant, disconnected_inputs) for w in wanted]
    return back([jacobian(g, w, consider_constant, "ignore") for g, w in zip(firsts, wanted, strict=True)])


def subgraph_grad(
    wrt: Sequence[Variable],
    end: Sequence[Variable],
    start: Mapping[Variable, Any] | None = None,
    cost: Any = None,
    details: bool = False,
) -> Any:
    """The gradients by ``wrt`` and by ``end``, from known gradients ``start`` and a ``cost``, not beyond ``end``.

    Returns (gradients for wrt, gradients for end), with ``details`` also the parts from ``start`` and from ``cost``.
    As theano.gradient.subgraph_grad.

    >>> import croton.tensor as T
    >>> from croton.gradient import subgraph_grad
    >>> w, x = T.dscalars('w', 'x')
    >>> h = w * x
    >>> by_wrt, by_end = subgraph_grad([w], [x], start={h: T.constant(3.0)})
    >>> by_wrt[0].eval({x: 2.0, w: 1.0})
    array(6.)
    """
    if start is None and cost is None:
        raise ValueError("subgraph_grad needs known gradients (start) or a cost")
    targets = [*wrt, *end]
    parts = []
    if start is not None:
        parts.append(grad(None, targets, consider_constant=list(end), known_grads=start, disconnected_inputs="ignore"))
    if cost is not None:
        parts.append(grad(cost, targets, consider_constant=list(end), disconnected_inputs="ignore"))
    total = [a if len(parts) == 1 else a + b for a, b in zip(parts[0], parts[-1], strict=True)]
    n = len(wrt)
    result: tuple[Any, ...] = (total[:n], total[n:])
    if details:
        result += (parts[0][n:] if start is not None else None, parts[-1][n:] if cost is not None else None)
    return result


def grad_not_implemented(op: Any, x_pos: int, x: Variable, comment: str = "") -> Variable:
    """What an op's own ``grad`` returns for an input whose derivative nobody has written: an error where it is used."""
    why = f"the derivative of {op} with respect to input {x_pos} ({x}) is not implemented. {comment}"
    return NullType(why.rstrip(), NotImplementedError).variable()


def grad_undefined(op: Any, x_pos: int, x: Variable, comment: str = "") -> Variable:
    """What an op's own ``grad`` returns for an input whose derivative does not exist: an error where it is used."""
    why = f"the derivative of {op} with respect to input {x_pos} ({x}) is not defined. {comment}"
    return NullType(why.rstrip()).variable()
