"""A network as plain data (a dict of numbers, strings and arrays), and the network again."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

import croton
from croton import sparse
from croton.graph.core import SharedVariable, Variable
from croton.nets.layers import Input, Layer
from croton.nets.losses import Loss
from croton.nets.network import Network
from croton.nets.registry import UnknownName
from croton.nets.util import ConfigurationError, Error
from croton.settings import config
from croton.sparse.basic import DenseFromSparse
from croton.sparse.types import SparseType
from croton.tensor.types import TensorType

# Of the form of the documents below: a reader knows those up to its own.
FORMAT = 1

# What is done with a value that is no plain data: the value and where it stands -> what to write.
Custom = Callable[[Any, str], Any]

_OURS = ("_rng", "_functions", "layers", "losses")
_GENERATORS = {name: getattr(np.random, name) for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")}


def pickled(value: Any, where: str) -> Any:
    """``value`` itself, if it can be pickled. Raises ConfigurationError, naming where it stands, if not."""
    if isinstance(value, Layer | Variable | Network):
        raise ConfigurationError(f"{where} is {value!r}, which cannot be saved there: use a name, a number or an array")
    try:
        pickle.dumps(value)
    except Exception as error:
        raise ConfigurationError(
            f"{where} is {value!r}, which cannot be saved ({error}): use plain data, or an object of a class that is "
            "defined in a module"
        ) from error
    return value


def refused(value: Any, where: str) -> Any:
    """Raises ConfigurationError: for files that hold nothing but plain data."""
    raise ConfigurationError(
        f"{where} is {value!r}, and a .safetensors file holds numbers, strings, arrays, and lists and dicts of these: "
        "save a pickle (any other name), or use plain data"
    )


def plain(value: Any, where: str, custom: Custom) -> Any:
    """``value`` as plain data, in which NumPy's scalars become Python's; ``custom`` decides about all else."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        return value
    if type(value) in (list, tuple):
        return type(value)(plain(v, where, custom) for v in value)
    if type(value) is dict:
        return {plain(k, where, custom): plain(v, where, custom) for k, v in value.items()}
    return custom(value, where)


# --- from a network ---


def document(network: Network, custom: Custom = pickled) -> dict[str, Any]:
    """All that makes up ``network``: its class's name, layers, losses, arrays and random state; no carried states.

    Raises ConfigurationError for what cannot be written, naming the layer or loss: a function, a keyword that
    ``to_spec`` does not tell, or what ``custom`` refuses.
    """
    seen: list[Variable] = []
    return {
        "format": FORMAT,
        "croton": croton.__version__,
        "model": _qualified(type(network)),
        "floatX": next((x.dtype for x in network.inputs), config.floatX),
        "layers": [_layer_spec(layer, network, custom) for layer in network.layers],
        "losses": [_loss_spec(loss, network, seen, custom) for loss in network.losses],
        "attributes": {
            name: plain(value, f"the network's attribute {name!r}", custom)
            for name, value in vars(network).items()
            if name not in _OURS and not name.startswith("_")
        },
        "arrays": {name: _array(v) for name, v in _named(network.params).items()},
        "constants": {name: _array(v) for name, v in _named(_constants(network)).items()},
        "random": plain(network._rng.get_state(legacy=False), "the random state", custom),
    }


def _qualified(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _layer_spec(layer: Layer, network: Network, custom: Custom) -> dict[str, Any]:
    where = f"layer {layer.name!r}"
    try:
        spec = layer.to_spec()
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    _check_form(Layer, layer, spec, where)
    foreign = [str(p.name) for p in layer.activate.params if not str(p.name).startswith(f"{layer.name}.")]
    if foreign:
        raise ConfigurationError(
            f"{where}: its activation has the parameters {', '.join(foreign)} of another layer: "
            "give each layer an activation of its own, by name"
        )
    partner = getattr(layer, "partner", None)
    if isinstance(partner, Layer) and partner not in network.layers:
        raise ConfigurationError(
            f"{where} is tied to {partner.name!r}, which is not in the network: it cannot be saved"
        )
    spec = {**spec, **_untold(layer, {*spec, "rng", "nrng", "input_shapes", "partner"}, where)}
    return {key: plain(value, f"{where}: {key}", custom) for key, value in spec.items()}


def _loss_spec(loss: Loss, network: Network, seen: list[Variable], custom: Custom) -> dict[str, Any]:
    spec = loss.to_spec()
    where = f"loss {spec['form']!r}"
    _check_form(Loss, loss, spec, where)
    spec = {**spec, **_untold(loss, set(spec), where)}
    spec["target"] = _variable_spec(loss._target, network, seen, f"{where}: target")
    weights = loss._weights
    spec["weighted"] = weights is not None and _variable_spec(weights, network, seen, f"{where}: weighted")
    return {key: plain(value, f"{where}: {key}", custom) for key, value in spec.items()}


def _check_form(family: Any, made: Any, spec: Mapping[str, Any], where: str) -> None:
    if not family.is_registered(spec["form"]):
        raise ConfigurationError(
            f"{where}: no class is registered as {spec['form']!r}, so {type(made).__name__} could not be found again: "
            "give the class a name without an underscore in front"
        )


def _untold(made: Any, known: Iterable[str], where: str) -> dict[str, Any]:
    """The arguments of a user's class that its ``to_spec`` does not tell: attributes of their names."""
    found = {}
    for cls in type(made).__mro__:
        if cls.__module__.startswith("croton.") or "__init__" not in vars(cls):
            continue
        for p in list(inspect.signature(cls.__init__).parameters.values())[1:]:  # type: ignore[misc]
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or p.name in known:
                continue
            if not hasattr(made, p.name):
                raise ConfigurationError(
                    f"{where}: {cls.__name__} takes {p.name!r}, whose value cannot be known: keep it as an attribute "
                    "of that name, or tell it in to_spec"
                )
            found[p.name] = getattr(made, p.name)
    return found


def _variable_spec(v: Variable, network: Network, seen: list[Variable], where: str) -> dict[str, Any]:
    """What the target or the weights of a loss are: an input (or that made dense), or a variable of their own.

    ``seen`` numbers the variables of all losses, so that those which share one share it again.
    """
    dense = v.owner is not None and isinstance(v.owner.op, DenseFromSparse)
    root = v.owner.inputs[0] if dense and v.owner is not None else v
    for layer in network.layers:
        if isinstance(layer, Input) and layer.input is root:
            return {"input": layer.name, "dense": dense}
    if v.owner is not None or isinstance(v, SharedVariable) or not isinstance(v.type, TensorType | SparseType):
        raise ConfigurationError(f"{where} is the expression {v}, which cannot be saved: pass a variable that has data")
    if v not in seen:
        seen.append(v)
    more = {"format": v.type.format} if isinstance(v.type, SparseType) else {"shape": list(v.type.shape)}
    return {"number": seen.index(v), "name": v.name, "dtype": v.type.dtype, **more}


def _constants(network: Network) -> list[SharedVariable]:
    return [v for layer in network.layers for v in layer.constants]


def _named(variables: Iterable[SharedVariable]) -> dict[str, SharedVariable]:
    """Variables by name; where a name comes twice, the later one gets a prime."""
    found: dict[str, SharedVariable] = {}
    for v in variables:
        name = v.name or "unnamed"
        while name in found:
            name += "'"
        found[name] = v
    return found


def _array(v: SharedVariable) -> np.ndarray:
    value = v.get_value()
    if not isinstance(value, np.ndarray | np.generic) or np.asarray(value).dtype.kind not in "biuf":
        raise ConfigurationError(f"the shared variable {v} holds {value!r}: only arrays of numbers can be saved")
    return np.array(value, order="C")


# --- to a network ---


def restore(document: Mapping[str, Any]) -> Network:
    """The network that ``document`` was made of.

    Raises ValueError where the document is damaged or newer than this croton, or where it names a class that is not
    known here: the module that defines it must be imported first.
    """
    check_format(document)
    cls = _model(document.get("model"))
    try:
        with config(floatX=document["floatX"]):
            return _rebuilt(cls, document)
    except UnknownName as error:
        raise ValueError(
            f"the saved network needs a class that is not known here: {error}; if it is yours, import the module that "
            "defines it before loading"
        ) from error
    except (Error, AttributeError, IndexError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"the saved network cannot be built here: {error}") from error


def check_format(document: Any) -> None:
    """Raises ValueError for what is no document, or one of a later form."""
    if not isinstance(document, Mapping) or not isinstance(document.get("format"), int):
        raise ValueError("what was saved is no network of croton's")
    if document["format"] > FORMAT:
        raise ValueError(
            f"the network was saved by croton {document.get('croton')}, in a form that croton {croton.__version__} "
            "does not know: install that version"
        )


def _model(name: Any) -> type[Network]:
    """The class of that qualified name. Classes defined later win over earlier ones of the same name."""
    known: dict[Any, type[Network]] = {}
    queue: list[type[Network]] = [Network]
    while queue:
        cls = queue.pop(0)
        known[_qualified(cls)] = cls
        queue += cls.__subclasses__()
    if name not in known:
        raise ValueError(
            f"the saved network is a {name}, a class that is not known here: import the module that defines it before "
            "loading"
        )
    return known[name]


def _rebuilt(cls: type[Network], document: Mapping[str, Any]) -> Network:
    network = cls.__new__(cls)
    rng = random_state(document["random"])
    # Building draws initial values, so the random state is set once more in the end.
    Network.__init__(network, (), None, rng=rng)
    vars(network).update(document["attributes"])
    for spec in document["layers"]:
        Network.add_layer(network, dict(spec))
    made: dict[int, Variable] = {}
    for spec in document["losses"]:
        Network.add_loss(network, _loss(spec, network, made))
    put(network, document)
    rng.set_state(dict(document["random"]))
    return network


def _loss(spec: Mapping[str, Any], network: Network, made: dict[int, Variable]) -> Loss:
    said = dict(spec)
    form, said["target"] = said.pop("form"), _variable(said["target"], network, made)
    # A user's class need not take what has the default value.
    if said["weight"] == 1:
        del said["weight"]
    weights = said.pop("weighted")
    loss: Loss = Loss.build(form, **said, **({"weighted": _variable(weights, network, made)} if weights else {}))
    return loss


def _variable(spec: Mapping[str, Any], network: Network, made: dict[int, Variable]) -> Variable:
    """The variable described; ``made`` holds those of the other losses, for those that share one."""
    if "input" in spec:
        x: Variable = network._layer(spec["input"]).input  # type: ignore[attr-defined]
        return sparse.dense_from_sparse(x) if spec["dense"] else x
    number, dtype = spec["number"], spec["dtype"]
    if number not in made:
        sort = SparseType(spec["format"], dtype) if "format" in spec else TensorType(dtype, shape=tuple(spec["shape"]))
        made[number] = sort(spec["name"])
    return made[number]


def put(network: Network, document: Mapping[str, Any]) -> None:
    """Put the arrays of ``document`` into the network, all or, where one does not fit, none (ValueError)."""
    chosen = fitting(network.params, document["arrays"], "parameter")
    chosen += fitting(_constants(network), document["constants"], "constant")
    for v, value in chosen:
        v.set_value(value)


def fitting(
    variables: Iterable[SharedVariable], arrays: Mapping[str, np.ndarray], what: str
) -> list[tuple[SharedVariable, np.ndarray]]:
    """The variables with the arrays of their names. Raises ValueError, naming the first that does not fit."""
    named = _named(variables)
    for name in [*arrays, *named]:
        there = f"{arrays[name].dtype} of shape {arrays[name].shape}" if name in arrays else "absent"
        here = "absent"
        if name in named:
            value = named[name].get_value(borrow=True)
            here = f"{value.dtype} of shape {value.shape}"
        if here != there:
            raise ValueError(f"the {what} {name!r} is {there} in the file, and {here} in the network")
    return [(v, arrays[name]) for name, v in named.items()]


def put_state(network: Network, document: Mapping[str, Any]) -> None:
    """Put the random state and the constants of ``document`` into a network that is built alike.

    Raises ValueError, naming the first difference in layers, losses, parameters or random state; nothing changes then.
    """
    _check_alike("layer", document["layers"], network.layers, ("name", "form", "size", "inputs", "activation"))
    _check_alike("loss", document["losses"], network.losses, ("form", "output_name", "weight"))
    fitting(network.params, document["arrays"], "parameter")
    constants = fitting(_constants(network), document["constants"], "constant")
    there, here = document["random"]["bit_generator"], network._rng.get_state(legacy=False)["bit_generator"]
    if there != here:
        raise ValueError(f"the random state is of {there} in the file, and of {here} in the network: pass the same rng")
    network._rng.set_state(dict(document["random"]))
    for v, value in constants:
        v.set_value(value)


def _check_alike(what: str, specs: Sequence[Mapping[str, Any]], made: Sequence[Any], keys: Sequence[str]) -> None:
    for k, (there, here) in enumerate(zip(specs, [m.to_spec() for m in made], strict=False)):
        for key in keys:
            if there.get(key) != here.get(key):
                raise ValueError(
                    f"{what} {here.get('name', k)!r}: {key} is {there.get(key)!r} in the file, and {here.get(key)!r} "
                    "in the network"
                )
    if len(specs) != len(made):
        raise ValueError(f"the file describes {len(specs)} of a {what}, and the network has {len(made)}")


def random_state(state: Mapping[str, Any]) -> np.random.RandomState:
    """A stream that goes on where the one went whose state this is. Raises ValueError for an unknown generator."""
    if state["bit_generator"] not in _GENERATORS:
        raise ValueError(f"{state['bit_generator']!r} is no bit generator of NumPy's")
    stream = np.random.RandomState(_GENERATORS[state["bit_generator"]](0))
    stream.set_state(dict(state))
    return stream
