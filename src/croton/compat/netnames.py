"""The rows of theanets and downhill, and of climate, which their programs log with, in the table of old names."""

from __future__ import annotations

from croton.compat.modules import Row, Value


def _in(home: str, names: str) -> dict[str, Row]:
    return {name: f"{home}:{name}" for name in names.split()}


_MODELS = _in("croton.nets.feedforward", "Autoencoder Classifier Regressor")

_BASE = _in("croton.nets.layers", "Layer Input Concatenate Flatten Product Reshape")
_FORWARD = _in("croton.nets.layers", "Feedforward Classifier Tied")
_WINDOWS = _in("croton.nets.layers", "Convolution Conv1 Conv2 Pool1 Pool2")
_RECURRENT = _in("croton.nets.layers", "Recurrent RNN RRNN MRNN LSTM GRU Clockwork MUT1 SCRN Bidirectional BCRNN")

_DOWNHILL = "croton.compat.downhill"
_OPTIMIZER = _in(_DOWNHILL, "build Optimizer")
_FIRST_ORDER = _in(_DOWNHILL, "SGD NAG")
_ADAPTIVE = _in(_DOWNHILL, "RProp RMSProp ADAGRAD ADADELTA ESGD Adam")
_DATASET = _in(_DOWNHILL, "Dataset")

NETS: dict[str, dict[str, Row] | str] = {
    "theanets": {
        "__version__": Value("0.7.3"),
        **_MODELS,
        "Network": "croton.nets.network:Network",
        "Layer": "croton.nets.layers:Layer",
        "Activation": "croton.nets.activations:Activation",
        "Loss": "croton.nets.losses:Loss",
        "Regularizer": "croton.nets.regularizers:Regularizer",
        "Experiment": "croton.nets.experiment:Experiment",
    },
    "theanets.activations": {
        "COMMON": "croton.nets.activations:FUNCTIONS",
        **_in("croton.nets.activations", "Activation Prelu LGrelu Elu Maxout build"),
    },
    "theanets.convolution": _in("croton.nets.convolution", "Autoencoder Classifier Regressor"),
    "theanets.feedforward": _MODELS,
    "theanets.graph": {
        "Network": "croton.nets.network:Network",
        **_in("croton.nets.util", "Error LayerError"),
    },
    "theanets.layers": {**_BASE, **_FORWARD, **_WINDOWS, **_RECURRENT},
    "theanets.layers.base": _BASE,
    "theanets.layers.feedforward": _FORWARD,
    "theanets.layers.convolution": _WINDOWS,
    "theanets.layers.recurrent": _RECURRENT,
    "theanets.losses": _in(
        "croton.nets.losses",
        """
    Loss MeanSquaredError MeanAbsoluteError GaussianLogLikelihood MaximumMeanDiscrepancy KullbackLeiblerDivergence
    CrossEntropy Hinge
    """,
    ),
    "theanets.main": _in("croton.nets.experiment", "Experiment"),
    "theanets.recurrent": _in("croton.nets.recurrent", "Autoencoder Classifier Regressor Text batches"),
    "theanets.regularizers": _in(
        "croton.nets.regularizers",
        """
    Regularizer WeightL1 WeightL2 HiddenL1 RecurrentNorm RecurrentState Contractive GaussianNoise BernoulliDropout
    from_kwargs
    """,
    ),
    "theanets.trainer": _in(
        "croton.compat.trainers", "DownhillTrainer SampleTrainer SupervisedPretrainer UnsupervisedPretrainer"
    ),
    "theanets.util": {
        **_in(
            "croton.nets.util",
            "Error ConfigurationError Registrar random_matrix random_vector outputs_matching params_matching",
        ),
        **_in("croton.compat.shims", "FLOAT FLOAT_CONTAINERS INT_CONTAINERS"),
    },
    "downhill": {
        "__version__": Value("0.4.0"),
        **_OPTIMIZER,
        **_FIRST_ORDER,
        **_ADAPTIVE,
        **_DATASET,
        "minimize": f"{_DOWNHILL}:minimize",
    },
    "downhill.adaptive": _ADAPTIVE,
    "downhill.base": _OPTIMIZER,
    "downhill.dataset": _DATASET,
    "downhill.first_order": _FIRST_ORDER,
    "downhill.util": {
        "Registrar": "croton.nets.util:Registrar",
        **_in(f"{_DOWNHILL}.optimizer", "shared_like as_float find_inputs_and_params"),
    },
}

# Served only where no other climate is to be found: a program may have a module of its own of this name.
HELPERS: dict[str, dict[str, Row] | str] = {
    "climate": {
        **_in(
            "croton.compat.climate",
            "get_logger enable_default_logging disable_default_logging add_arg add_group add_mutex_group parse_args "
            "print_help annotate call",
        ),
        "add_arg_group": "croton.compat.climate:add_group",
        "add_mutex_arg_group": "croton.compat.climate:add_mutex_group",
        "logging": "logging",
    },
}
