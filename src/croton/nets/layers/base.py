"""What every layer is: a name, a size, inputs, parameters made in ``setup`` and expressions made in ``transform``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from croton.compile import shared
from croton.graph.core import SharedVariable, Variable
from croton.nets import activations
from croton.nets.registry import Registrar, UnknownName, nearest
from croton.nets.util import ConfigurationError, LayerError, as_random_state, random_matrix, random_vector
from croton.settings import config
from croton.sparse.types import as_sparse_or_tensor_variable, is_sparse

log = logging.getLogger("croton.nets")

# Keywords of the laws that initial values are drawn from: for all parameters, or with "_name" for one.
LAWS = ("mean", "std", "sparsity", "diagonal")

Shape = tuple[int | None, ...]

# What data is called whose examples have so many dimensions.
EXAMPLES = ("(batch,)", "(batch, features)", "(batch, time, features)", "images (batch, height, width, channels)")


class Layer(metaclass=Registrar):
    """A group of parameters and the expressions that they appear in. As theanets.layers.base.Layer.

    Subclasses make parameters in ``setup`` (with ``add_weights`` and ``add_bias``) and expressions in ``transform``,
    and are known by their lower-cased name as soon as they are defined:

    >>> import croton.tensor as T
    >>> from croton import nets
    >>> class NoBias(nets.Layer):
    ...     def setup(self):
    ...         self.add_weights("w", self.input_size, self.size)
    ...     def transform(self, inputs):
    ...         return T.dot(inputs[self.input_name], self.find("w")), []
    >>> nets.Regressor([4, (3, "nobias"), 1]).find("hid1", "w").get_value().shape
    (4, 3)

    Arguments:
      ``size``: the number of units. ``inputs``: the size of the one input, or a dict from the full names of outputs
      (``'hid1:out'``) to their sizes; also a layer, or several. ``name``: of the layer; if None, its class's name and a
      number. ``activation``: the name of an activation, or an ``Activation``.
      ``rng``: an int seed, a numpy RandomState or Generator, or None for a fresh seed.
      ``mean``, ``std``, ``sparsity``, ``diagonal``: the law of initial values, of all parameters; with ``_NAME`` after
      it, of the parameter of that name only.
      ``input_shapes``: shapes of the inputs for one example, where they are more than sizes; a network gives them.

    Attributes: ``name``, ``size``, ``inputs`` (name -> size), ``activation``, ``activate`` (the callable), ``kwargs``,
    ``rng``, ``shape`` (of one example's output; None where it is not known).

    Raises TypeError for an unknown keyword (of croton's own layers, and of others that list theirs in ``options``),
    KeyError for an unknown activation.
    """

    #: Names of the keywords that a class understands beyond those of its bases. A user's class that lists none is
    #: given whatever keywords there are, in ``kwargs``.
    options: ClassVar[tuple[str, ...]] = ()
    #: Whether the class applies its activation; if not, one with parameters is refused, for nothing would train them.
    activates: ClassVar[bool] = True
    #: Whether an input may be a sparse matrix. A user's class that lists no options may look for itself.
    takes_sparse: ClassVar[bool] = False
    #: How many dimensions an example of the input must have; None: any number.
    example_ndim: ClassVar[int | None] = None
    _count: ClassVar[int] = 0

    def __init__(
        self, size: int | None, inputs: Any, name: str | None = None, activation: Any = "relu", **kwargs: Any
    ) -> None:
        Layer._count += 1
        self.name = name or f"{type(self).__name__.lower()}{Layer._count}"
        self.inputs = self._named(inputs)
        given_shapes = kwargs.pop("input_shapes", None) or _shapes(inputs)
        self.input_shapes: dict[str, Shape] = {
            n: tuple(given_shapes.get(n, (*(None,) * ((self.example_ndim or 1) - 1), s)))
            for n, s in self.inputs.items()
        }
        self.activation = activation
        self.kwargs = kwargs
        self.rng = as_random_state(kwargs.pop("nrng", kwargs.pop("rng", None)))
        self._params: list[SharedVariable] = []
        #: Shared variables that belong to the layer and are saved with it, but are not trained.
        self.constants: list[SharedVariable] = []
        #: States that are kept from call to call; see ``croton.nets.layers.Recurrent``.
        self.carried: list[SharedVariable] = []
        self._check_options()
        self.size = self._checked_size(self.infer_size() if size is None else size)
        self.shape: Shape = self.infer_shape()
        self.activate = activations.build(activation, self)
        if self.activate.params and not self.activates:
            raise ConfigurationError(
                f"layer {self.name!r} ({type(self).__name__.lower()}) does not apply its activation, and "
                f"{activation!r} has parameters, which nothing would train: leave the activation out"
            )
        self.setup()
        self._check_laws()
        self.log()

    # --- what is given ---

    @staticmethod
    def _named(inputs: Any) -> dict[str, int]:
        if isinstance(inputs, Mapping):
            return {str(name): int(size) for name, size in inputs.items()}
        if isinstance(inputs, int | np.integer):
            return {"out": int(inputs)}
        layers = [inputs] if isinstance(inputs, Layer) else inputs
        if isinstance(layers, list | tuple) and layers and all(isinstance(i, Layer) for i in layers):
            return {i.output_name(): i.size for i in layers}
        raise TypeError(
            f"inputs={inputs!r}: pass the size of the one input, a dict from output names to sizes, or layers; names "
            "of layers are understood where a network builds the layer, as in dict(form=..., inputs='hid1')"
        )

    def _check_ndim(self, name: str, ndim: int) -> None:
        """Refuse the input ``name`` if its examples do not have the dimensions that the layer works on."""
        if self.example_ndim not in (None, ndim):
            raise ConfigurationError(
                f"layer {self.name!r} ({type(self).__name__.lower()}) reads {EXAMPLES[self.example_ndim or 0]}, and "
                f"{name!r} has {EXAMPLES[ndim] if ndim < len(EXAMPLES) else f'{ndim + 1} dimensions'}: models in "
                "croton.nets.recurrent have (batch, time, features), those in croton.nets.convolution images"
            )

    def _checked_size(self, size: Any) -> int:
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ConfigurationError(f"layer {self.name!r}: size must be a positive integer, got {size!r}")
        return int(size)

    def _known_options(self) -> list[str] | None:
        """The keywords that the class understands, or None where anything goes."""
        line = [c for c in type(self).__mro__ if issubclass(c, Layer)]
        ours = [c.__module__.startswith("croton.") or "options" in vars(c) for c in line]
        return [o for c in line for o in c.options] if all(ours) else None

    def _check_options(self) -> None:
        known = self._known_options()
        for key in self.kwargs if known is not None else ():
            if key not in [*(known or ()), *self.laws()] and not key.startswith(
                tuple(f"{law}_" for law in self.laws())
            ):
                raise TypeError(
                    f"layer {self.name!r} ({type(self).__name__.lower()}) has no keyword {key!r}: "
                    f"{nearest(key, [*(known or ()), *self.laws(), 'rng', 'size', 'inputs', 'name', 'activation'])}"
                )

    def laws(self) -> tuple[str, ...]:
        """The keywords that may be given for one parameter, as in ``std_w``."""
        return LAWS

    def _check_laws(self) -> None:
        """Refuse ``std_X`` where there is no parameter X, once the parameters are known."""
        own = self.short_names()
        for key in self.kwargs:
            law, _, param = key.partition("_")
            if law in self.laws() and param and self._known_options() is not None and param not in own:
                raise TypeError(f"layer {self.name!r}: {key}= names no parameter of it: {nearest(param, own)}")

    def infer_size(self) -> int:
        """The size where none is given. Raises ConfigurationError: most layers cannot know it."""
        raise ConfigurationError(
            f"layer {self.name!r} ({type(self).__name__.lower()}) needs a size: pass its number of units"
        )

    def infer_shape(self) -> Shape:
        """The shape of one example's ``out``: that of the input with the last dimension replaced by ``size``."""
        shapes = list(self.input_shapes.values())
        return (*shapes[0][:-1], self.size) if shapes else (self.size,)

    # --- what it has ---

    @property
    def params(self) -> list[SharedVariable]:
        """The parameters: those of ``setup`` in the order of their making, then the activation's."""
        return [*self._params, *self.activate.params]

    @property
    def num_params(self) -> int:
        """The number of learnable numbers in the layer."""
        return sum(int(p.get_value(borrow=True).size) for p in self.params)

    @property
    def input_name(self) -> str:
        """The full name of the one input. Raises ConfigurationError where there are several."""
        if len(self.inputs) != 1:
            raise ConfigurationError(
                f"layer {self.name!r} ({type(self).__name__.lower()}) takes one input, and has "
                f"{', '.join(self.inputs) or 'none'}"
            )
        return next(iter(self.inputs))

    @property
    def input_size(self) -> int:
        """The size of the one input. Raises ConfigurationError where there are several."""
        return self.inputs[self.input_name]

    @property
    def states(self) -> dict[str, int]:
        """What the layer hands on from one time step to the next: names of initial states and their sizes."""
        return {}

    def output_name(self, name: str = "out") -> str:
        """The full name of an output: ``'{layer}:{name}'``."""
        return f"{self.name}:{name}"

    def output_shape(self, name: str = "out") -> Shape:
        """The shape of one example's output ``name``. Overridden where outputs differ in size."""
        return self.shape

    def short_names(self) -> list[str]:
        """What ``find`` calls the parameters, in their order."""
        return [str(p.name).removeprefix(f"{self.name}.") for p in self.params]

    def find(self, key: str | int) -> SharedVariable:
        """The parameter with this short name (``'w'``) or index. Raises KeyError, naming the nearest, for another."""
        params, names = self.params, self.short_names()
        if isinstance(key, str) and key in names:
            return params[names.index(key)]
        if isinstance(key, int | np.integer) and -len(params) <= key < len(params):
            return params[key]
        raise UnknownName(f"layer {self.name!r} has no parameter {key!r}: {nearest(key, names)}")

    # --- making parameters ---

    def setup(self) -> None:
        """Make the parameters: to be overridden; the base makes none."""

    def _law(self, law: str, param: str, default: float, general: bool = True) -> float:
        value = self.kwargs.get(f"{law}_{param}", self.kwargs.get(law) if general else None)
        return default if value is None else value

    def add_param(self, name: str, value: np.ndarray) -> SharedVariable:
        """A parameter ``{layer}.{name}`` that begins as ``value``, cast to ``config.floatX``."""
        param = shared(np.asarray(value, config.floatX), name=f"{self.name}.{name}", allow_downcast=True)
        self._params.append(param)
        return param

    def add_weights(
        self, name: str, nin: int, nout: int, mean: float = 0, std: float = 0, sparsity: float = 0, diagonal: float = 0
    ) -> None:
        """A weight matrix of shape (nin, nout), by ``random_matrix``; std is 1/sqrt(nin + nout) unless given.

        The layer's keywords (``std_w``, then ``std``) win over the arguments, and there a std of 0 means zeros.
        """
        self.add_param(
            name,
            random_matrix(
                nin,
                nout,
                mean=self._law("mean", name, mean),
                std=self._law("std", name, std or 1 / np.sqrt(nin + nout)),
                sparsity=self._law("sparsity", name, sparsity),
                diagonal=self._law("diagonal", name, diagonal),
                rng=self.rng,
            ),
        )

    def add_bias(self, name: str, size: int, mean: float = 0, std: float = 1) -> None:
        """A bias vector of shape (size,), normal with ``mean`` and ``std``; the layer's keywords win over these."""
        self.add_param(
            name,
            random_vector(size, self._law("mean", name, mean), self._law("std", name, std), self.rng),
        )

    # --- making expressions ---

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates to go with them: to be overridden; the base returns its input and no updates.

        ``inputs`` holds every output made so far, by full name. Returns (outputs, updates): a dict from short names to
        expressions (or one expression, the ``out``), and pairs (shared variable, expression).
        """
        return {"out": inputs[self.input_name]}, []

    def connect(
        self, inputs: Mapping[str, Variable]
    ) -> tuple[dict[str, Variable], list[tuple[SharedVariable, Variable]]]:
        """``transform``, with the outputs under their full names, and the updates as pairs.

        Raises LayerError, naming what there is, if one of the layer's inputs is not among ``inputs``.
        """
        for name in self.inputs:
            if name not in inputs:
                raise LayerError(
                    f"layer {self.name!r} reads {name!r}, which no earlier layer makes: {nearest(name, inputs)}"
                )
            if is_sparse(inputs[name]) and not self.takes_sparse and self._known_options() is not None:
                raise ConfigurationError(
                    f"layer {self.name!r} ({type(self).__name__.lower()}) cannot read the sparse matrix {name!r}: "
                    "put a feedforward layer between them, or make the input dense"
                )
            self._check_ndim(name, getattr(inputs[name], "ndim", 0) - 1)
        made = self.transform(inputs)
        outputs, updates = made if isinstance(made, tuple) and len(made) == 2 else (made, [])
        return {self.output_name(k): as_sparse_or_tensor_variable(v) for k, v in self._short(outputs)}, _pairs(updates)

    def _short(self, outputs: Any) -> Sequence[tuple[str, Any]]:
        if isinstance(outputs, Mapping):
            return sorted(outputs.items())
        if isinstance(outputs, Variable):
            return [("out", outputs)]
        if isinstance(outputs, list | tuple) and all(isinstance(o, tuple) and len(o) == 2 for o in outputs):
            return list(outputs)
        raise TypeError(
            f"layer {self.name!r}: transform returned {outputs!r}; it must return (outputs, updates), outputs being a "
            "dict from names to expressions, or one expression"
        )

    # --- telling ---

    def to_spec(self) -> dict[str, Any]:
        """A dict that describes the layer so that a network can build it again: form, name, size, inputs, keywords."""
        return {
            "form": type(self).__name__.lower(),
            "name": self.name,
            "size": self.size,
            "inputs": dict(self.inputs),
            "activation": activations.spec(self.activation),
            **self.kwargs,
        }

    def log(self) -> None:
        """Log the layer at level INFO: class, name, inputs, size, activation and number of parameters."""
        log.info(
            "layer %s %r: %s -> %d, %s, %d parameters",
            type(self).__name__,
            self.name,
            ", ".join(f"{n}({s})" for n, s in self.inputs.items()) or "no inputs",
            self.size,
            getattr(self.activate, "name", self.activation),
            self.num_params,
        )


def _shapes(inputs: Any) -> dict[str, Shape]:
    """The shapes that layers given as inputs tell."""
    layers = inputs if isinstance(inputs, list | tuple) else [inputs]
    return {i.output_name(): i.shape for i in layers if isinstance(i, Layer)}


def _pairs(updates: Any) -> list[tuple[SharedVariable, Variable]]:
    pairs: Iterable[Any] = updates.items() if isinstance(updates, Mapping) else updates or ()
    return [(target, value) for target, value in pairs]
