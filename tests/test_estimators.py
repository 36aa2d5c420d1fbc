"""The scikit-learn estimators: its own checks, and what they do not ask."""

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import croton
from croton.estimators import NetClassifier, NetRegressor, NetTransformer, base

ALL = [NetClassifier, NetRegressor, NetTransformer]


# One minibatch, and few of them: each new shape costs a compilation, whatever is learned.
@parametrize_with_checks([cls(learning_rate=0.01, batch_size=512, max_epochs=60) for cls in ALL])
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("cls", ALL)
def test_no_tag_excuses_from_a_check(cls: Any) -> None:
    tags = get_tags(cls())
    assert not tags.non_deterministic and not tags.no_validation and not tags._skip_test
    assert tags.requires_fit and tags.input_tags.two_d_array and tags.input_tags.sparse
    assert not any(getattr(t, "poor_score", False) for t in (tags.classifier_tags, tags.regressor_tags))


@pytest.fixture(scope="module")
def iris() -> tuple[Any, Any]:
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def sure(iris: Any) -> Any:
    return NetClassifier(hidden=(16,), learning_rate=0.02, random_state=0).fit(*iris)


# --- in scikit-learn's hands ---


def test_a_search_in_two_processes_finds_what_one_process_finds(iris: Any) -> None:
    X, y = iris
    pipe = make_pipeline(StandardScaler(), NetClassifier(hidden=(6,), max_epochs=15, random_state=0))
    grid = {"netclassifier__learning_rate": [1e-4, 0.05]}
    one, two = (GridSearchCV(pipe, grid, cv=2, n_jobs=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    assert one.best_params_["netclassifier__learning_rate"] == 0.05
    assert one.cv_results_["mean_test_score"][0] < one.best_score_


def test_cross_validation_scores_what_was_learned(iris: Any) -> None:
    X, y = iris
    scores = cross_val_score(NetClassifier(hidden=(8,), learning_rate=0.03, random_state=0), X, y, cv=3)
    assert scores.min() > 0.9


def test_frames_give_their_names_and_take_them_back() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(np.random.RandomState(0).rand(12, 3), columns=["a", "b", "c"])
    net = NetTransformer(hidden=(2,), max_epochs=2, random_state=0).set_output(transform="pandas").fit(frame)
    assert list(net.feature_names_in_) == ["a", "b", "c"]
    made = net.transform(frame)
    assert isinstance(made, pd.DataFrame) and list(made.columns) == ["nettransformer0", "nettransformer1"]
    with pytest.raises(ValueError, match="feature names"):
        net.transform(frame[["c", "b", "a"]])
    y = pd.Series(["u", "v"] * 6)
    assert set(NetClassifier(hidden=(2,), max_epochs=2).fit(frame, y).predict(frame)) <= {"u", "v"}


def test_they_are_found_at_the_top_and_cloned_by_their_parameters() -> None:
    net = croton.estimators.NetTransformer(hidden=((3, "tanh"),), tied=True, train={"weight_l2": 0.1})
    twin = clone(net)
    assert twin.get_params() == net.get_params() and twin.hidden == ((3, "tanh"),) and twin.tied


# --- what is learned ---


def test_a_classifier_learns_and_keeps_the_kind_of_its_labels(iris: Any, sure: Any) -> None:
    X, y = iris
    assert sure.score(X, y) > 0.97
    np.testing.assert_allclose(sure.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(np.exp(sure.predict_log_proba(X)), sure.predict_proba(X), rtol=1e-9)
    far = sure.predict_log_proba(1e4 * X)
    assert np.isfinite(far).all() and far.min() < -1000
    assert sure.network_.layers[-1].size == 3 and sure.n_iter_ == len(sure.loss_curve_)
    assert sure.loss_curve_[-1] < 0.1 < sure.loss_curve_[0] and sure.validation_loss_curve_ is None


@pytest.mark.parametrize("labels", [np.array([True, False]), np.array([-5, 7]), np.array(["no", "yes"], object)])
def test_labels_of_any_type_come_back(labels: Any) -> None:
    X = np.array([[0.0], [1.0]] * 5)
    net = NetClassifier(hidden=(4,), learning_rate=0.1, max_epochs=60, random_state=0).fit(X, np.tile(labels, 5))
    found = net.predict(X)
    assert found.dtype == labels.dtype and list(found[:2]) == list(labels)


def test_a_regressor_gives_what_has_the_form_of_its_targets() -> None:
    X = np.linspace(-1, 1, 40).reshape(-1, 1)
    both = np.hstack([X**2, -3 * X])
    net = NetRegressor(hidden=((12, "tanh"),), learning_rate=0.03, random_state=0)
    assert net.fit(X, both).predict(X).shape == (40, 2) and net.score(X, both) > 0.98
    assert net.fit(X, both[:, :1]).predict(X).shape == (40, 1)
    assert net.fit(X, both[:, 0]).predict(X).shape == (40,)


def test_a_transformer_gives_codes_and_takes_them_back() -> None:
    X = np.random.RandomState(0).normal(size=(60, 1)) * [[1.0, -2.0, 0.5, 1.0]]
    net = NetTransformer(hidden=((3, "tanh"), (1, "linear")), tied=True, learning_rate=0.02, random_state=0).fit(X)
    code = net.transform(X)
    assert code.shape == (60, 1) and net.score(X) > 0.8
    np.testing.assert_allclose(net.inverse_transform(code), net.network_.predict(X), rtol=1e-6)
    names = [layer.name for layer in net.network_.layers]
    assert names[:3] == ["in", "hid1", "hid2"] and all(name.startswith("tied") for name in names[3:])
    first = clone(net).set_params(layer="hid1", max_epochs=1).fit(X)
    assert first.transform(X).shape == (60, 3) and first.get_feature_names_out().size == 3
    with pytest.raises(ValueError, match="X has 1 features, but the codes of NetTransformer have 3"):
        first.inverse_transform(code)


def test_the_same_seed_learns_the_same_and_another_does_not(iris: Any) -> None:
    X, y = iris
    net = NetClassifier(hidden=(5,), batch_size=32, max_epochs=2, train={"hidden_dropout": 0.3})
    a, b, c = (clone(net).set_params(random_state=seed).fit(X, y).predict_proba(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3


def test_numbers_are_as_wide_as_those_of_the_input_and_the_setting_stays(iris: Any) -> None:
    X, y = iris
    before = croton.config.floatX
    for dtype in ("float32", "float64"):
        net = NetClassifier(hidden=(3,), max_epochs=1).fit(X.astype(dtype), y)
        assert {p.dtype for p in net.network_.params} == {dtype} and net.predict_proba(X).dtype == dtype
    assert croton.config.floatX == before


def test_sparse_rows_are_learned_and_answered_as_dense_ones() -> None:
    random = np.random.RandomState(0)
    X = random.rand(30, 8) * (random.rand(30, 8) < 0.3)
    y = X @ np.arange(8.0)
    net = NetRegressor(hidden=((4, "tanh"),), max_epochs=5, random_state=0)
    dense, sparse = clone(net).fit(X, y), clone(net).fit(scipy.sparse.csr_array(X), y)
    assert sparse.network_.layers[0].sparse
    np.testing.assert_allclose(sparse.predict(X), dense.predict(X), rtol=1e-9)
    np.testing.assert_allclose(dense.predict(scipy.sparse.coo_array(X[:7])), sparse.predict(X)[:7], rtol=1e-9)


def test_rows_are_answered_alike_however_many_there_are(sure: Any, iris: Any, monkeypatch: Any) -> None:
    X, _ = iris
    whole = sure.predict_proba(X)
    np.testing.assert_allclose(sure.predict_proba(X[:5]), whole[:5], rtol=1e-9)
    monkeypatch.setattr(base, "ROWS", 8)
    np.testing.assert_allclose(sure.predict_proba(X[:21]), whole[:21], rtol=1e-9)


# --- when it ends ---


def test_held_out_data_choose_the_parameters(iris: Any) -> None:
    X, y = iris
    net = NetClassifier(hidden=(40,), learning_rate=0.1, max_epochs=60, patience=4, random_state=0)
    net.set_params(validation_fraction=0.5).fit(X + np.random.RandomState(0).normal(size=X.shape), y)
    curve = net.validation_loss_curve_
    assert len(curve) == net.n_iter_ < 60
    assert min(curve) < curve[-1]


def test_training_ends_when_the_loss_stays(iris: Any) -> None:
    X, y = iris
    # Nothing comes down by nine tenths within four epochs.
    net = NetClassifier(hidden=(4,), patience=3, tol=0.9, random_state=0).fit(X, y)
    assert net.n_iter_ == 5
    assert NetClassifier(hidden=(4,), max_epochs=3).fit(X, y).n_iter_ == 3


def test_more_keywords_reach_the_training(iris: Any) -> None:
    X, y = iris
    free, held = (
        NetClassifier(hidden=(4,), learning_rate=0.05, random_state=0, max_epochs=80, train=t).fit(X, y)
        for t in (None, {"weight_l2": 1.0})
    )
    size = [np.abs(n.network_.find("hid1", "w").get_value()).mean() for n in (free, held)]
    assert size[1] < 0.5 * size[0]


# --- files ---


def test_pickle_and_joblib_keep_what_was_learned(sure: Any, iris: Any, tmp_path: Path) -> None:
    X, _ = iris
    joblib.dump(sure, tmp_path / "net.joblib")
    for twin in (pickle.loads(pickle.dumps(sure)), joblib.load(tmp_path / "net.joblib")):
        np.testing.assert_array_equal(twin.predict_proba(X), sure.predict_proba(X))
        assert twin.n_iter_ == sure.n_iter_ and list(twin.classes_) == [0, 1, 2]


# --- what is refused ---


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"algo": "adm"}, ValueError, "algo='adm' is no optimizer.*adam"),
        ({"algo": "layerwise"}, ValueError, "is no optimizer"),
        ({"hidden": "relu"}, TypeError, "one entry for each hidden layer"),
        ({"hidden": ((4, "tanhh"),)}, KeyError, "tanh"),
        ({"max_epochs": 0}, ValueError, "max_epochs"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"patience": 1.5}, TypeError, "patience"),
        ({"tol": -1}, ValueError, "tol"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction"),
        ({"train": {"wieght_l2": 1}}, TypeError, "weight_l2"),
        ({"train": {"learning_rate": 1}}, ValueError, "NetRegressor decide that"),
        ({"loss": "mes"}, KeyError, "mse"),
    ],
)
def test_a_parameter_without_sense_is_refused(given: dict[str, Any], error: Any, message: str) -> None:
    net = NetRegressor(hidden=(2,)).set_params(**given)
    with pytest.raises(error, match=message):
        net.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    assert not hasattr(net, "network_")


def test_weights_must_weigh(iris: Any) -> None:
    X, y = iris
    net = NetClassifier(hidden=(2,), max_epochs=1)
    with pytest.raises(ValueError, match="Negative values in sample_weight"):
        net.fit(X, y, sample_weight=-np.ones(len(y)))
    with pytest.raises(NotFittedError):
        net.predict(X)


def test_a_fit_that_fails_leaves_what_was_learned(sure: Any, iris: Any) -> None:
    X, _ = iris
    before, net = dict(vars(sure)), sure
    with pytest.raises(ValueError, match="least populated class"):
        net.set_params(validation_fraction=0.1).fit(X[:9, :2], list("aabbccdde"))
    net.set_params(validation_fraction=0.0)
    assert vars(net) == before and net.predict(X).shape == (150,)


def test_a_layer_that_is_not_there_is_refused_before_training() -> None:
    net: BaseEstimator = NetTransformer(hidden=(2,), layer="hid7")
    with pytest.raises(KeyError, match="hid1"):
        net.fit(np.eye(3))
    assert not hasattr(net, "network_")


def test_an_interrupted_fit_is_an_interruption(monkeypatch):
    from croton.nets.training import loop

    def heed(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.Listening, "heed", heed)
    with pytest.raises(KeyboardInterrupt):
        NetRegressor(hidden=(3,), max_epochs=2).fit(np.arange(20.0).reshape(10, 2), np.arange(10.0))
