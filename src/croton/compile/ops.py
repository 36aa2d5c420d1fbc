"""Ops of the user's own, computed by a Python function on NumPy arrays, with the derivatives that they define."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from croton.compile.layout import plain
from croton.compile.signals import NeedsValue, keep
from croton.gradient.errors import DisconnectedType, NullType
from croton.graph.core import Apply, Op, Type, Variable
from croton.graph.derivative import is_discrete
from croton.tensor.basic import constant


class UserOp(Op):
    """The base of ops that compute with NumPy, in Python; ``theano.Op`` for old programs.

    A subclass has ``perform(node, inputs, output_storage)``, which puts each output k into ``output_storage[k][0]``,
    and either ``make_node(*inputs)``, which returns an `Apply`, or ``itypes`` and ``otypes``. It may have
    ``infer_shape(node, input_shapes)``, the outputs' shapes as tuples of integer expressions (without it a function
    that uses the op runs op by op, unless the outputs are scalars), and ``grad(inputs, output_grads)`` or
    ``L_op(inputs, outputs, output_grads)``, an expression for each input, and ``R_op(inputs, eval_points)``, one for
    each output. ``__props__`` names the attributes by which two such ops are equal.

    >>> import croton, numpy, croton.tensor as T
    >>> class Sorted(croton.compile.UserOp):
    ...     itypes = otypes = [T.dvector]
    ...     def perform(self, node, inputs, output_storage):
    ...         output_storage[0][0] = numpy.sort(inputs[0])
    >>> x = T.dvector('x')
    >>> croton.function([x], Sorted()(x))([2.0, 1.0])
    array([1., 2.])
    """

    itypes: Sequence[Type] | None = None
    otypes: Sequence[Type] | None = None
    tells: ClassVar[bool] = True

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "__props__" in cls.__dict__ and "__eq__" not in cls.__dict__:
            cls.__eq__ = _equal  # type: ignore[method-assign]
            cls.__hash__ = _hash  # type: ignore[method-assign]

    def make_node(self, *inputs: Any) -> Apply:
        if self.itypes is None or self.otypes is None:
            raise NotImplementedError(f"{self} defines neither make_node nor itypes and otypes")
        if len(inputs) != len(self.itypes):
            raise ValueError(f"{self} takes {len(self.itypes)} inputs, {len(inputs)} were given")
        given = [
            as_input(v, _type(wanted), f"input {k} of {self}")
            for k, (v, wanted) in enumerate(zip(inputs, self.itypes, strict=True))
        ]
        return Apply(self, given, [_type(t).variable() for t in self.otypes])

    def __call__(self, *inputs: Any, return_list: bool = False, **keywords: Any) -> Any:
        outputs = self.make_node(*inputs, **keywords).outputs
        return outputs[0] if len(outputs) == 1 and not return_list else list(outputs)

    def perform(self, node: Apply, inputs: Sequence[np.ndarray], output_storage: list[list[Any]]) -> None:
        raise NotImplementedError(f"{self} has no perform, which computes its outputs")

    def connected(self, node: Apply) -> Sequence[bool]:
        pattern = getattr(self, "connection_pattern", None)
        return [any(row) for row in pattern(node)] if pattern else [True] * len(node.inputs)

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return _Use(self, context, node).wrapped(context.forms)(*[jnp.asarray(plain(v)) for v in values])

    def __str__(self) -> str:
        props = ", ".join(f"{p}={getattr(self, p)}" for p in getattr(self, "__props__", ()))
        return f"{type(self).__name__}{{{props}}}" if props else type(self).__name__


def as_input(value: Any, wanted: Type, what: str) -> Variable:
    """A variable of type ``wanted``: ``value`` itself or, of a number or an array, a constant."""
    v = value if isinstance(value, Variable) else constant(wanted.filter(value))
    if not wanted.accepts(v.type):
        raise TypeError(f"{what} must be of type {wanted}, not {v} of type {v.type}")
    return v


def _type(given: Any) -> Type:
    """A type, or the type of the variables that a creator such as ``dvector`` makes."""
    made = given if isinstance(given, Type) else given() if callable(given) else given
    made = made.type if isinstance(made, Variable) else made
    if not isinstance(made, Type):
        raise TypeError(f"expected the type of a variable, such as T.dvector, not {given!r}")
    return made


def _props(op: Any) -> tuple[Any, ...]:
    return type(op), *(getattr(op, p) for p in op.__props__)


def _equal(self: Any, other: object) -> bool:
    return type(self) is type(other) and _props(self) == _props(other)


def _hash(self: Any) -> int:
    return hash(_props(self))


class _Use:
    """One node of a user's op, as a function of its inputs' values that JAX can trace and differentiate."""

    def __init__(self, op: UserOp, context: Any, node: Apply) -> None:
        self.op, self.context, self.node = op, context, node
        self.types: list[Any] = [v.type for v in node.outputs]
        self.inputs = [v.type.variable() for v in node.inputs]
        self.twin = op.make_node(*self.inputs)

    def wrapped(self, forms: tuple[str, ...]) -> Callable[..., tuple[Any, ...]]:
        """The function, with the user's derivatives for each of the derivatives that are being taken around it."""
        if not forms:
            return self._compute
        below = self.wrapped(forms[:-1])
        make = self._with_r_op if forms[-1] == "forward" else self._with_grad
        return make(below, forms[:-1])

    # --- values ---

    def _compute(self, *values: Any) -> tuple[Any, ...]:
        if self.context.eager and not any(isinstance(v, jax.core.Tracer) for v in values):
            return tuple(map(jnp.asarray, self._perform(*values)))
        shapes = [t.shape if None not in t.shape else self._shape(k, values) for k, t in enumerate(self.types)]
        structs = tuple(jax.ShapeDtypeStruct(s, t.dtype) for s, t in zip(shapes, self.types, strict=True))

        def call(*arrays: Any) -> tuple[np.ndarray, ...]:
            # An error is raised when the program has run: XLA would make another of it.
            try:
                results = self._perform(*arrays)
                if (found := [r.shape for r in results]) != shapes:
                    raise ValueError(f"{self.op} computed outputs of shapes {found}, its infer_shape says {shapes}")
                return results
            except BaseException as error:
                keep(error)
                return tuple(np.zeros(s.shape, s.dtype) for s in structs)

        return jax.pure_callback(call, structs, *values, vmap_method="sequential")

    def _perform(self, *values: Any) -> tuple[np.ndarray, ...]:
        storage: list[list[Any]] = [[None] for _ in self.types]
        self.op.perform(self.node, [np.array(v) for v in values], storage)
        return tuple(np.array(t.filter(s[0])) for t, s in zip(self.types, storage, strict=True))

    def _shape(self, k: int, values: Sequence[Any]) -> tuple[int, ...]:
        infer = getattr(self.op, "infer_shape", None)
        if infer is None:
            if self.context.eager:
                raise NotImplementedError(f"{self.op} needs infer_shape inside a loop or a batched derivative")
            raise NeedsValue(f"{self.op} has no infer_shape")
        shapes = infer(self.twin, [tuple(v.shape[a] for a in range(v.ndim)) for v in self.inputs])  # type: ignore[attr-defined]
        lengths = list(shapes[k])
        env = dict(zip(self.inputs, values, strict=True))
        found = self._evaluate([n for n in lengths if isinstance(n, Variable)], env, ())
        given = iter(found)
        known = [next(given) if isinstance(n, Variable) else n for n in lengths]
        return tuple(int(self.context.known(np.asarray(n) if isinstance(n, int) else n, self.node)) for n in known)

    def _evaluate(self, wanted: Sequence[Variable], env: dict[Variable, Any], forms: tuple[str, ...]) -> list[Any]:
        lowering = self.context.child()
        lowering.forms, lowering.eager = forms, self.context.eager
        lowering.evaluate(wanted, env)
        return [plain(lowering.value(v, env)) for v in wanted]

    # --- derivatives ---

    def _with_grad(self, below: Callable[..., Any], forms: tuple[str, ...]) -> Callable[..., Any]:
        moving: list[bool] = []

        @jax.custom_vjp
        def function(*values: Any) -> Any:
            return below(*values)

        def forward(*given: Any) -> Any:
            moving[:] = [g.perturbed for g in given]
            values = [g.value for g in given]
            outputs = below(*values)
            return outputs, (values, outputs)

        def backward(kept: Any, cotangents: Any) -> Any:
            values, outputs = kept
            seeds = [_zeros(c, o) for c, o in zip(cotangents, outputs, strict=True)]
            return tuple(self._pull(values, outputs, seeds, moving, forms))

        function.defvjp(forward, backward, symbolic_zeros=True)
        return function

    def _pull(self, values: Any, outputs: Any, seeds: Any, moving: Sequence[bool], forms: tuple[str, ...]) -> list[Any]:
        """For each input the derivative that the user's ``grad`` gives; None where nothing moves."""
        op, places = self.op, [_grad_variable(t) for t in self.types]
        if hasattr(op, "L_op"):
            results = op.L_op(self.inputs, self.twin.outputs, places)
        elif hasattr(op, "grad"):
            results = op.grad(self.inputs, places)
        else:
            raise NotImplementedError(f"{op} has no grad: its derivative is not defined")
        if not isinstance(results, list | tuple) or len(results) != len(values):
            raise ValueError(f"the grad of {op} must give a list of {len(values)} expressions, not {results!r}")
        wanted = {k: self._usable(k, g) for k, g in enumerate(results) if moving[k] and not is_discrete(self.inputs[k])}
        env = dict(zip([*self.inputs, *self.twin.outputs, *places], [*values, *outputs, *seeds], strict=True))
        present = {k: g for k, g in wanted.items() if g is not None}
        found = dict(zip(present, self._evaluate(list(present.values()), env, forms), strict=True))
        for k, g in found.items():
            if np.shape(g) != values[k].shape:
                raise ValueError(
                    f"the grad of {op} gave an array of shape {np.shape(g)} for input {k}, whose shape is "
                    f"{values[k].shape}"
                )
        return [jnp.asarray(found[k], v.dtype) if k in found else None for k, v in enumerate(values)]

    def _usable(self, k: int, result: Any) -> Variable | None:
        if result is None or isinstance(getattr(result, "type", None), DisconnectedType):
            return None
        if isinstance(result.type, NullType):
            raise result.type.error(result.type.why)
        return result

    def _with_r_op(self, below: Callable[..., Any], forms: tuple[str, ...]) -> Callable[..., Any]:
        @jax.custom_jvp
        def function(*values: Any) -> Any:
            return below(*values)

        def rule(values: Any, tangents: Any) -> Any:
            if not hasattr(self.op, "R_op"):
                raise NotImplementedError(f"{self.op} has no R_op, which Rop needs: use grad or Lop, or write it")
            points = [
                None if type(t) is SymbolicZero else v.type.variable()
                for t, v in zip(tangents, self.inputs, strict=True)
            ]
            results = self.op.R_op(self.inputs, points)
            env = dict(zip(self.inputs, values, strict=True))
            env.update((p, t) for p, t in zip(points, tangents, strict=True) if p is not None)
            outputs = below(*values)
            found = iter(self._evaluate([r for r in results if r is not None], env, forms))
            pushed = [_zeros(None, o) if r is None else next(found) for r, o in zip(results, outputs, strict=True)]
            return outputs, tuple(
                p if _is_float0(p) else jnp.asarray(p, o.dtype) for p, o in zip(pushed, outputs, strict=True)
            )

        function.defjvp(rule, symbolic_zeros=True)
        return function


def _grad_variable(type_: Any) -> Variable:
    return DisconnectedType().variable() if type_.dtype[0] in "biu" else type_.variable()


def _is_float0(value: Any) -> bool:
    return getattr(value, "dtype", None) == jax.dtypes.float0


def _zeros(tangent: Any, value: Any) -> Any:
    """``tangent``, or zeros such as a tangent of ``value`` would be."""
    if tangent is not None and type(tangent) is not SymbolicZero:
        return tangent
    floats = jnp.issubdtype(value.dtype, jnp.inexact)
    return jnp.zeros_like(value) if floats else np.zeros(value.shape, jax.dtypes.float0)


class FromFunction(UserOp):
    """What `as_op` makes of a function."""

    def __init__(
        self, function: Callable[..., Any], itypes: Sequence[Type], otypes: Sequence[Type], infer: Any
    ) -> None:
        self.function, self.itypes, self.otypes = function, list(itypes), list(otypes)
        if infer is not None:
            self.infer_shape = infer

    def perform(self, node: Apply, inputs: Sequence[np.ndarray], output_storage: list[list[Any]]) -> None:
        results = self.function(*inputs)
        results = results if isinstance(results, list | tuple) else (results,)
        if len(results) != len(output_storage):
            raise ValueError(f"{self} gave {len(results)} outputs, its otypes are {self.otypes}")
        for storage, result in zip(output_storage, results, strict=True):
            storage[0] = result

    def __str__(self) -> str:
        return f"FromFunction{{{self.function.__name__}}}"


def as_op(itypes: Any, otypes: Any, infer_shape: Callable[..., Any] | None = None) -> Callable[..., FromFunction]:
    """A decorator that makes an op of a function of NumPy arrays, given the types of its inputs and of its outputs.

    ``infer_shape(node, input_shapes)`` gives the outputs' shapes; without it functions that use the op run op by op,
    unless its outputs are scalars. Such an op has no derivative. As theano.compile.ops.as_op.

    >>> import croton, croton.tensor as T
    >>> @croton.compile.as_op([T.dvector], [T.dscalar])
    ... def spread(x):
    ...     return x.max() - x.min()
    >>> x = T.dvector('x')
    >>> croton.function([x], spread(x) / 2)([1.0, 4.0])
    array(1.5)
    """
    kinds = [[_type(t) for t in (ts if isinstance(ts, list | tuple) else [ts])] for ts in (itypes, otypes)]
    if infer_shape is not None and not callable(infer_shape):
        raise TypeError(f"infer_shape must be a function of a node and the input shapes, not {infer_shape!r}")
    return lambda function: FromFunction(function, kinds[0], kinds[1], infer_shape)
