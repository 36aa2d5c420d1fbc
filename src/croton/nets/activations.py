"""Activations: the functions that layers apply to what they have summed up. As theanets.activations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from croton import tensor as T
from croton.compile import shared
from croton.graph.core import SharedVariable
from croton.nets.registry import Registrar, UnknownName, nearest
from croton.nets.util import ConfigurationError, random_matrix
from croton.settings import config

__all__ = ["FUNCTIONS", "Activation", "Elu", "LGrelu", "Maxout", "Prelu", "build", "known", "spec"]

EPSILON = 1e-8


def _mean(z: Any) -> Any:
    return T.mean(z, axis=-1, keepdims=True)


def _std(z: Any) -> Any:
    # By the norm, whose derivative is 0, and not NaN, where all features are equal.
    spread = z - _mean(z)
    return T.norm(spread, 2, axis=-1, keepdims=True) / T.sqrt(T.cast(z.shape[-1], z.dtype))


def _relu(z: Any) -> Any:
    return T.nnet.relu(z)


#: The activations without parameters: name -> function of the summed inputs z, an expression (..., size). ``norm:``
#: functions act across the features (the last axis) of each example.
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "tanh": T.tanh,
    "logistic": T.nnet.sigmoid,
    "sigmoid": T.nnet.sigmoid,
    "softmax": lambda z: T.nnet.softmax(z, axis=-1),
    "softplus": T.nnet.softplus,
    "relu": _relu,
    "rect:max": _relu,
    "rect:min": lambda z: T.minimum(z, 1),
    "rect:minmax": lambda z: T.clip(z, 0, 1),
    "norm:mean": lambda z: z - _mean(z),
    "norm:max": lambda z: z / (T.max(abs(z), axis=-1, keepdims=True) + EPSILON),
    "norm:std": lambda z: z / (_std(z) + EPSILON),
    "norm:z": lambda z: (z - _mean(z)) / (_std(z) + EPSILON),
}

#: Those whose value for a unit depends on the other units.
ACROSS = frozenset({"softmax", "norm:mean", "norm:max", "norm:std", "norm:z"})


class Activation(metaclass=Registrar):
    """A callable from a layer's summed inputs to its output. As theanets.activations.Activation.

    An activation named in ``FUNCTIONS`` is an instance of this class. A subclass overrides ``__call__``, and is known
    by its lower-cased name as soon as it is defined:

    >>> from croton import nets
    >>> from croton.nets.activations import Activation, build
    >>> class Cube(Activation):
    ...     def __call__(self, x):
    ...         return x ** 3
    >>> build("cube", None)(2)
    8

    Arguments:
      ``name``: the name it goes by. ``layer``: the layer that it belongs to, whose ``name``, ``size`` and ``rng``
      parameters are made with. ``kwargs``: for subclasses.

    Attributes: ``name``, ``layer``, ``kwargs``, and ``params``: the learnable parameters, none at first.
    """

    def __init__(self, name: str, layer: Any, **kwargs: Any) -> None:
        self.name = name
        self.layer = layer
        self.kwargs = kwargs
        self.params: list[SharedVariable] = []

    def __call__(self, x: Any) -> Any:
        """The activation of ``x``, an expression (..., size), as an expression of that shape."""
        if self.name not in FUNCTIONS:
            raise NotImplementedError(f"activation {self.name!r}: {type(self).__name__} has no __call__")
        return FUNCTIONS[self.name](x)

    @property
    def elementwise(self) -> bool:
        """Whether each unit's value depends on that unit's input alone. A subclass for which it does says so."""
        return type(self) is Activation and self.name not in ACROSS

    def spec(self) -> str:
        """The name that ``build`` makes an equal activation of. Raises ConfigurationError where no name says it all."""
        if self.kwargs:
            raise ConfigurationError(
                f"activation {self.name!r} was built with {', '.join(self.kwargs)}, which its name does not say: it "
                "cannot be written down or saved; make a subclass of Activation with these as defaults"
            )
        return self.name

    def add_param(self, name: str, value: Any) -> SharedVariable:
        """A parameter ``{layer}.{name}`` that begins as ``value``, cast to ``config.floatX``."""
        param: SharedVariable = shared(np.asarray(value, config.floatX), name=f"{self.layer.name}.{name}")
        self.params.append(param)
        return param


class Prelu(Activation):
    """z where z > 0, leak z elsewhere, with a learnable ``leak`` (size,) that begins at 0.1 (He et al. 2015).

    As theanets.activations.Prelu. The derivative at 0 is leak.
    """

    __extra_registration_keys__ = ("leaky-relu",)

    elementwise = True

    def __init__(self, name: str, layer: Any, **kwargs: Any) -> None:
        super().__init__(name, layer, **kwargs)
        self.leak = self.add_param("leak", np.full(layer.size, 0.1))

    def __call__(self, x: Any) -> Any:
        return T.nnet.relu(x, self.leak)


class LGrelu(Activation):
    """gain z where z > 0, leak z elsewhere, with learnable ``gain`` and ``leak`` (size,) that begin at 1 and 0.1.

    As theanets.activations.LGrelu. The derivative at 0 is leak.
    """

    __extra_registration_keys__ = ("leaky-gain-relu",)

    elementwise = True

    def __init__(self, name: str, layer: Any, **kwargs: Any) -> None:
        super().__init__(name, layer, **kwargs)
        self.gain = self.add_param("gain", np.full(layer.size, 1.0))
        self.leak = self.add_param("leak", np.full(layer.size, 0.1))

    def __call__(self, x: Any) -> Any:
        return T.switch(x > 0, self.gain, self.leak) * x


class Elu(Activation):
    """z where z > 0, exp(gain) (exp(z) - 1) elsewhere, with a learnable ``gain`` (size,) that begins at 0.

    So it begins as the exponential linear unit of Clevert et al. (2015). As theanets.activations.Elu of 0.8.
    """

    elementwise = True

    def __init__(self, name: str, layer: Any, **kwargs: Any) -> None:
        super().__init__(name, layer, **kwargs)
        self.gain = self.add_param("gain", np.zeros(layer.size))

    def __call__(self, x: Any) -> Any:
        return T.nnet.elu(x, T.exp(self.gain))


class Maxout(Activation):
    """The largest of k lines in z, for each unit: max_j (slope_ij z_i + intercept_ij) (Goodfellow et al. 2013).

    Called ``maxout:k``. As theanets.activations.Maxout: it has as many outputs as inputs. The learnable ``slope`` and
    ``intercept`` (size, k) are drawn from N(0, 1), by the layer's ``rng``; the original began all pieces alike, and
    alike they stayed.
    """

    elementwise = True

    def __init__(self, name: str, layer: Any, **kwargs: Any) -> None:
        super().__init__(name, layer, **kwargs)
        _, _, given = name.partition(":")
        pieces = kwargs.get("pieces", given)
        if not str(pieces):
            raise UnknownName(f"there is no activation {name!r}: say the number of pieces, as in 'maxout:2'")
        if not str(pieces).isdigit() or int(pieces) < 1:
            raise ValueError(
                f"activation {name!r} of layer {layer.name!r}: say the number of pieces, from 1 on, as in 'maxout:3'"
            )
        self.pieces = int(pieces)
        self.name = f"maxout:{self.pieces}"
        self.kwargs = {}
        self.slope = self.add_param("slope", random_matrix(layer.size, self.pieces, rng=layer.rng))
        self.intercept = self.add_param("intercept", random_matrix(layer.size, self.pieces, rng=layer.rng))

    def __call__(self, x: Any) -> Any:
        return T.max(T.shape_padright(x) * self.slope + self.intercept, axis=-1)


class Composed(Activation):
    """Activations one after the other, the first of ``parts`` first; written ``a+b+c``.

    Its name is c(b(a)), its parameters are those of the last part first. Where parts have parameters of one name,
    later ones get a number.
    """

    def __init__(self, layer: Any, parts: Iterable[Activation]) -> None:
        self.parts = list(parts)
        name = self.parts[0].name
        for part in self.parts[1:]:
            name = f"{part.name}({name})"
        super().__init__(name, layer)
        self.params = [p for part in reversed(self.parts) for p in part.params]
        names: list[str | None] = []
        for param in self.params:
            names.append(param.name)
            if names.count(param.name) > 1:
                param.name = f"{param.name}{names.count(param.name)}"

    def __call__(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    @property
    def elementwise(self) -> bool:
        return all(part.elementwise for part in self.parts)

    def spec(self) -> str:
        return "+".join(part.spec() for part in self.parts)


class Plain(Activation):
    """A function of the user's, as an activation without parameters. It works, and cannot be saved."""

    def __init__(self, function: Callable[[Any], Any], layer: Any) -> None:
        super().__init__(getattr(function, "__name__", type(function).__name__), layer)
        self.function = function

    def __call__(self, x: Any) -> Any:
        return self.function(x)

    def spec(self) -> str:
        raise ConfigurationError(
            f"activation {self.name!r} is a plain function, which cannot be written down or saved: make it the "
            "__call__ of a subclass of croton.nets.Activation, and give that class's name"
        )


# Neither is made by its name, nor is the class of the functions above.
for _name in ("activation", "composed", "plain"):
    del Activation._registry[_name]


def known() -> list[str]:
    """The names that ``build`` understands, those of users' classes included."""
    return sorted({*FUNCTIONS, *Activation.known()} - {"maxout"} | {"maxout:2"})


def build(name: Any, layer: Any, **kwargs: Any) -> Activation:
    """The activation called ``name``, of ``layer``. As theanets.activations.build.

    Arguments:
      ``name``: a name in ``FUNCTIONS`` or of a subclass of ``Activation``, in any case; ``'maxout:k'``; several names
      joined by ``+``, to be applied in this order. Also an ``Activation``, which is returned as it is, a subclass of
      it, or any function from expression to expression, which works but cannot be saved.
      ``layer``: the layer that it is for. ``kwargs``: for the class.

    Raises KeyError, naming the nearest, for an unknown name; ValueError for ``maxout:`` without a number; TypeError
    for what is neither a name nor a callable.

    >>> import croton.tensor as T
    >>> build("relu+norm:max", None).name
    'norm:max(relu)'
    >>> build("TanH", None)(T.constant([0.])).eval()
    array([0.])
    """
    if isinstance(name, Activation):
        return name
    if isinstance(name, Registrar):
        return name(name.__name__.lower(), layer, **kwargs)
    if callable(name):
        return Plain(name, layer)
    if not isinstance(name, str):
        raise TypeError(f"activation={name!r}: pass the name of an activation, an Activation, or a function")
    if "+" in name:
        return Composed(layer, [build(part.strip(), layer, **kwargs) for part in name.split("+")])
    key = name.lower()
    form = "maxout" if key.startswith("maxout:") else key
    if key in FUNCTIONS and not Activation.is_registered(key):
        return Activation(key, layer, **kwargs)
    if not Activation.is_registered(form):
        raise UnknownName(f"there is no activation {name!r}: {nearest(name, known())}")
    return Activation.get_class(form)(key, layer, **kwargs)


def spec(activation: Any) -> str:
    """The name that ``build`` makes an equal activation of: of a name, itself; of an ``Activation``, its own.

    Raises ConfigurationError for a plain function, which has no name to be found by.

    >>> spec(build("relu+norm:max", None))
    'relu+norm:max'
    """
    return activation if isinstance(activation, str) else build(activation, None).spec()
