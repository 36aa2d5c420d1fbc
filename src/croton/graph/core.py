"""Variables, constants, shared variables, and the apply nodes that bind them to ops."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

_PACKAGE = __name__.split(".")[0]


class Place:
    """The line of the user's program that built a node."""

    __slots__ = ("file", "function", "line")

    def __init__(self, file: str, line: int, function: str) -> None:
        self.file, self.line, self.function = file, line, function

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Place, (self.file, self.line, self.function)


# Nodes that a rewrite builds bear the place of the node they stand for.
_origin: list[Place | None] = []


class origin:
    """While it lasts, new nodes bear ``place`` instead of the line being executed."""

    def __init__(self, place: Place | None) -> None:
        self.place = place

    def __enter__(self) -> None:
        _origin.append(self.place)

    def __exit__(self, *_: object) -> None:
        _origin.pop()


def user_place() -> Place | None:
    """The innermost line on the stack that lies outside this package."""
    if _origin:
        return _origin[-1]
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").split(".")[0] != _PACKAGE:
            code = frame.f_code
            return Place(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    return None


class Type:
    """What values a variable may take. Subclasses say how a value is checked and which class its variables have."""

    def __call__(self, name: str | None = None) -> Variable:
        """A new variable of this type."""
        return self.variable(name=name)

    def variable(self, owner: Apply | None = None, index: int | None = None, name: str | None = None) -> Variable:
        return Variable(self, owner, index, name)

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value`` as this type stores it, or a TypeError."""
        return value

    def accepts(self, other: Type) -> bool:
        """Whether a variable of type ``other`` can stand where one of this type is expected."""
        return self == other


class GenericType(Type):
    """Any Python object, untouched."""

    def __eq__(self, other: object) -> bool:
        return type(other) is GenericType

    def __hash__(self) -> int:
        return hash(GenericType)

    def __repr__(self) -> str:
        return "generic"


class Variable:
    """A symbolic value: its type, an optional name, and the node that computes it (``owner``, output ``index``)."""

    def __init__(
        self, type: Type, owner: Apply | None = None, index: int | None = None, name: str | None = None
    ) -> None:
        self.type = type
        self.owner = owner
        self.index = index
        self.name = name

    @property
    def tag(self) -> SimpleNamespace:
        """A place for attributes of one's own, such as ``test_value``."""
        tag = self.__dict__.get("_tag")
        if tag is None:
            tag = self.__dict__["_tag"] = SimpleNamespace()
        return tag

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        if self.owner is not None:
            return f"{self.owner.op}.{self.index}"
        return f"<{self.type}>"

    def __repr__(self) -> str:
        return str(self)

    def clone(self) -> Variable:
        """A fresh variable of the same type and name, computed by nothing."""
        return self.type.variable(name=self.name)

    def eval(self, inputs_to_values: dict[Variable, Any] | None = None) -> Any:
        """Its value, given values for the inputs it depends on.

        >>> import croton.tensor as T
        >>> x = T.dscalar('x')
        >>> (x ** 2).eval({x: 3.0})
        array(9.)
        """
        return hooks.evaluate(self, inputs_to_values or {})

    def __reduce_ex__(self, protocol: Any) -> Any:
        from croton.graph.bundle import reduce_variable

        return reduce_variable(self)


class Constant(Variable):
    """A value known while the graph is built."""

    def __init__(self, type: Type, data: Any, name: str | None = None) -> None:
        super().__init__(type, None, None, name)
        self.data = data

    @property
    def value(self) -> Any:
        return self.data

    def signature(self) -> Any:
        """Equal for constants that may stand for each other."""
        return (self.type, id(self.data))

    def clone(self) -> Constant:
        return self

    def __str__(self) -> str:
        return self.name if self.name is not None else f"{self.type}{{{self.data}}}"


class Container:
    """The box that holds a shared variable's value; clones of the variable may share it."""

    __slots__ = ("__weakref__", "value")

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        return Container, (hooks.to_host(self.value),)


class SharedVariable(Variable):
    """A variable with a value of its own that functions read and update."""

    def __init__(
        self,
        name: str | None,
        type: Type,
        value: Any,
        strict: bool = False,
        allow_downcast: bool | None = None,
        container: Container | None = None,
    ) -> None:
        super().__init__(type, None, None, name)
        if container is None:
            container = Container(self._checked(value, strict, allow_downcast))
        self.container = container
        self.strict, self.allow_downcast = strict, allow_downcast
        self._default_update: Variable | None = None

    def _checked(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        return self.type.filter(value, strict=strict, allow_downcast=allow_downcast)

    @property
    def default_update(self) -> Variable | None:
        """The expression that every function using this variable stores in it, unless told otherwise."""
        return self._default_update

    @default_update.setter
    def default_update(self, expression: Any) -> None:
        self._default_update = None if expression is None else self.filter_update(expression)

    def filter_update(self, expression: Any) -> Variable:
        """``expression`` as a variable that can replace this one's value, or a TypeError."""
        if not isinstance(expression, Variable) or not self.type.accepts(expression.type):
            raise TypeError(
                f"an update must have the same type as its shared variable: {self} has type {self.type}, "
                f"the update {expression} has {getattr(expression, 'type', type(expression).__name__)}"
            )
        return expression

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The present value."""
        return self.container.value

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the value; a value of another type is refused and the old one stays."""
        self.container.value = self._checked(value, self.strict, self.allow_downcast)

    @property
    def value(self) -> Any:
        raise Exception("a shared variable has no attribute value: use get_value() and set_value()")

    @value.setter
    def value(self, _: Any) -> None:
        raise Exception("a shared variable has no attribute value: use get_value() and set_value()")

    def clone(self) -> SharedVariable:
        """Another variable on the same value."""
        twin = type(self)(self.name, self.type, None, self.strict, self.allow_downcast, self.container)
        twin.__dict__["_tag"] = SimpleNamespace(**vars(self.tag))
        return twin


class Op:
    """A kind of node. Two ops that are equal compute the same thing from the same inputs.

    A subclass gives ``output_types`` and ``lower``; see CONTRIBUTING for how one is added.
    """

    # Whether the op can also be computed by NumPy on the host, where its inputs are known there.
    host: ClassVar[bool] = False
    # Whether the result's shape depends on values that only the running program knows.
    data_dependent: ClassVar[bool] = False
    # Whether computing it also tells somebody of its values, so that it must be computed each time.
    tells: ClassVar[bool] = False
    # Whether a derivative by the inputs that it is connected to does not exist, so that ``grad`` must refuse it.
    undefined: ClassVar[bool] = False
    # The graph inside the op, where it has one (``croton.graph.nested.Graph``); ``with_graph`` gives the op another.
    graph: ClassVar[Any] = None

    def with_graph(self, graph: Any) -> Op:
        raise TypeError(f"{self} has no graph inside")

    def output_types(self, *inputs: Any, **_: Any) -> Sequence[Type]:
        raise NotImplementedError(f"{type(self).__name__} does not say the types of its outputs")

    def make_node(self, *inputs: Variable) -> Apply:
        return Apply(self, inputs, [t.variable() for t in self.output_types(*inputs)])

    def rebuild(self, node: Apply, inputs: Sequence[Variable], substituted: Mapping[Variable, Variable]) -> Apply:
        """A node like ``node`` on other inputs; ``substituted``: what gave way to variables of another value."""
        return self.make_node(*inputs)

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        """The outputs' values (one, or a tuple) from the inputs' values: NumPy arrays or JAX arrays and tracers."""
        raise NotImplementedError(f"{type(self).__name__} cannot be computed: it has no lowering")

    def connected(self, node: Apply) -> Sequence[bool]:
        """For each input, whether a derivative can flow through this node to it."""
        return [True] * len(node.inputs)

    def connected_from(self, node: Apply, outputs: Sequence[Variable]) -> Sequence[bool]:
        """``connected``, of a derivative that comes to these of the node's outputs only."""
        return self.connected(node)

    def undefined_by(self, node: Apply, outputs: Sequence[Variable]) -> Sequence[Apply | None]:
        """For each input, the node (this one, or one inside it) for which these outputs have no derivative by it."""
        return [node if c and self.undefined else None for c in self.connected_from(node, outputs)]

    def default_updates(self, node: Apply) -> Mapping[SharedVariable, Variable]:
        """What a function that uses the node stores in shared variables that it is told nothing else of."""
        return {}

    def always(self, node: Apply) -> Sequence[Variable]:
        """The inputs that are computed whatever their values are; the others only when the op asks for them."""
        return node.inputs

    def structural(self, node: Apply) -> Sequence[Variable]:
        """The inputs whose values decide shapes and so must be known on the host."""
        return ()

    def __call__(self, *inputs: Any, name: str | None = None) -> Any:
        outputs = self.make_node(*inputs).outputs
        if name is not None:
            outputs[0].name = name
        return outputs[0] if len(outputs) == 1 else list(outputs)

    def __str__(self) -> str:
        return type(self).__name__


class Apply:
    """One use of an op: its inputs and the variables it computes."""

    __slots__ = ("__weakref__", "inputs", "op", "outputs", "place", "tag_")

    def __init__(
        self, op: Op, inputs: Sequence[Variable], outputs: Sequence[Variable], place: Place | None = None
    ) -> None:
        for k, variable in enumerate(inputs):
            if not isinstance(variable, Variable):
                raise TypeError(f"input {k} of {op} is a {type(variable).__name__}, not a variable")
        self.op = op
        self.inputs = tuple(inputs)
        self.outputs = list(outputs)
        self.place = user_place() if place is None else place
        self.tag_: SimpleNamespace | None = None
        for k, output in enumerate(self.outputs):
            output.owner, output.index = self, k
        if hooks.test_values is not None:
            hooks.test_values(self)

    @property
    def tag(self) -> SimpleNamespace:
        if self.tag_ is None:
            self.tag_ = SimpleNamespace()
        return self.tag_

    @property
    def nin(self) -> int:
        return len(self.inputs)

    @property
    def nout(self) -> int:
        return len(self.outputs)

    @property
    def out(self) -> Variable:
        """The only output."""
        (output,) = self.outputs
        return output

    def __str__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})"

    def __repr__(self) -> str:
        return str(self)

    def __reduce__(self) -> Any:
        if not self.outputs:
            raise TypeError(f"a node without outputs cannot be pickled: {self.op}")
        return _owner, (self.outputs[0],)


def _owner(variable: Variable) -> Any:
    return variable.owner


class Hooks:
    """What the rooms above give to the graph: how to compute a variable, how to bring a value to the host."""

    evaluate: Callable[[Variable, dict[Variable, Any]], Any]
    to_host: Callable[[Any], Any]
    test_values: Callable[[Apply], None] | None = None

    def __init__(self) -> None:
        self.to_host = lambda value: value


hooks = Hooks()
