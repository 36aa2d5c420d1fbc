"""What is drawn: distributions, dtypes, sizes, gradients, and what is refused."""

import numpy as np
import pytest
from scipy import stats

import croton
import croton.tensor as T
from croton.gradient import DisconnectedInputError, NullTypeGradError
from croton.tensor.random import MRG_RandomStreams, RandomStreams

N = 20_000
LEAST = 1e-3  # a p-value below this, with these seeds, says that a distribution is wrong


def draw(*outputs):
    return croton.function([], list(outputs))()


@pytest.mark.parametrize("make", [RandomStreams, MRG_RandomStreams])
def test_continuous_distributions(make):
    rng = make(1)
    cases = [
        (rng.uniform((N,)), stats.uniform()),
        (rng.uniform((N,), low=-2, high=T.constant(3.0), dtype="float64"), stats.uniform(-2, 5)),
        (rng.normal((N,)), stats.norm()),
        (rng.normal((100, N // 100), avg=3, std=0.5, dtype="float64"), stats.norm(3, 0.5)),
        (rng.truncated_normal((N,), avg=1, std=2), stats.truncnorm(-2, 2, 1, 2 / 0.87962566103423978)),
    ]
    if make is MRG_RandomStreams:
        cases.append((rng.normal((N,), std=2, truncate=True), stats.truncnorm(-2, 2, 0, 2)))
    for values, expected in zip(draw(*[v for v, _ in cases]), [e for _, e in cases], strict=True):
        flat = values.ravel().astype("float64")
        assert stats.kstest(flat, expected.cdf).pvalue > LEAST
        assert abs(flat.mean() - expected.mean()) < 4 * expected.std() / N**0.5
        assert abs(flat.std() / expected.std() - 1) < 0.03
        low, high = expected.support()
        assert (flat >= low).all() and (flat <= high).all() and np.isfinite(flat).all()
        assert abs(np.corrcoef(flat[:-1], flat[1:])[0, 1]) < 4 / N**0.5
    samples = [v.ravel()[: N - 1] for v in draw(*[v for v, _ in cases])]
    assert (np.abs(np.corrcoef(samples) - np.eye(len(samples))) < 5 / N**0.5).all(), "streams are correlated"


def test_discrete_distributions():
    rng = RandomStreams(2)
    pvals = [0.1, 0.2, 0.7]
    cases = [
        (rng.binomial((N,), p=0.3), stats.binom(1, 0.3)),
        (rng.binomial((N,), n=12, p=0.3), stats.binom(12, 0.3)),
        (rng.poisson((N,), lam=4.5), stats.poisson(4.5)),
        (rng.random_integers((N,), low=-3, high=6), stats.randint(-3, 7)),
        (rng.choice((N,), a=5), stats.randint(0, 5)),
        (rng.choice((N,), a=3, p=pvals), stats.rv_discrete(values=([0, 1, 2], pvals))),
        (rng.multinomial((N,), pvals=pvals).argmax(axis=1), stats.rv_discrete(values=([0, 1, 2], pvals))),
        (rng.multinomial((N,), n=5, pvals=pvals)[:, 1], stats.binom(5, 0.2)),
    ]
    for k, (values, (_, expected)) in enumerate(zip(draw(*[v for v, _ in cases]), cases, strict=True)):
        _matches(values, expected, k)


def test_discrete_distributions_of_mrg():
    rng = MRG_RandomStreams(2)
    pvals = np.tile([0.1, 0.2, 0.7], (N, 1))
    cases = [
        (rng.binomial((N,), p=0.3), stats.binom(1, 0.3)),
        (rng.multinomial(pvals=pvals).argmax(axis=1), stats.rv_discrete(values=([0, 1, 2], pvals[0]))),
        (rng.multinomial(pvals=pvals, n=4)[:, 2], stats.binom(4, 0.7)),
        (rng.choice(size=1, p=pvals, replace=False)[:, 0], stats.rv_discrete(values=([0, 1, 2], pvals[0]))),
    ]
    for k, (values, (_, expected)) in enumerate(zip(draw(*[v for v, _ in cases]), cases, strict=True)):
        _matches(values, expected, k)


def _matches(values, expected, what):
    assert values.dtype == "int64"
    found, counts = np.unique(values, return_counts=True)
    parts = expected.pmf(found) * N
    assert (parts > 0).all(), f"{what}: impossible values"
    rare = parts < 10
    observed = [*counts[~rare], N - counts[~rare].sum()]
    wanted = [*parts[~rare], N - parts[~rare].sum()]
    if wanted[-1] < 1:
        assert observed[-1] < 10
        observed, wanted = observed[:-1], np.array(wanted[:-1]) * sum(observed[:-1]) / sum(wanted[:-1])
    assert stats.chisquare(observed, wanted).pvalue > LEAST, what


def test_without_replacement():
    rng = RandomStreams(3)
    p = np.array([0.5, 0.3, 0.2, 0.0])
    rows = np.tile(p, (N // 2, 1))
    orders, chosen, picked, by_rows = draw(
        rng.permutation((N,), n=4),
        rng.choice((2, 3), a=[3, 5, 7, 9, 11, 13], replace=False),
        rng.choice((3,), a=T.constant([2.5, 3.5, 4.5, 5.5]), p=p, replace=False, dtype="float64"),
        MRG_RandomStreams(3).choice(size=2, p=rows, replace=False),
    )
    assert (np.sort(orders, axis=1) == np.arange(4)).all()
    _, counts = np.unique(orders @ [64, 16, 4, 1], return_counts=True)
    assert len(counts) == 24 and stats.chisquare(counts).pvalue > LEAST
    assert chosen.shape == (2, 3) and len(set(chosen.ravel())) == 6
    assert sorted(picked) == [2.5, 3.5, 4.5]
    # The second column is drawn with what remains, renormalized.
    _, counts = np.unique(by_rows @ [4, 1], return_counts=True)
    pairs = [p[a] * p[b] / (1 - p[a]) for a in range(3) for b in range(3) if a != b]
    assert stats.chisquare(counts, np.array(pairs) * len(rows)).pvalue > LEAST


def test_rows_are_shuffled_and_gradients_follow():
    x = T.dmatrix("x")
    shuffled = RandomStreams(8).shuffle_row_elements(x)
    weights = T.constant(np.array([1.0, 10.0, 100.0, 1000.0]))
    f = croton.function([x], [shuffled, shuffled.permutation, croton.grad((shuffled * weights).sum(), x)])
    given = np.arange(24.0).reshape(6, 4)
    values, order, gradient = f(given)
    np.testing.assert_array_equal(values, np.take_along_axis(given, order, axis=1))
    assert len(np.unique(order, axis=0)) > 1, "all rows have one order"
    np.testing.assert_array_equal(gradient[np.arange(6)[:, None], order], np.tile([1, 10, 100, 1000], (6, 1)))
    assert (f(given)[1] != order).any()
    v = T.vector("v")
    assert sorted(RandomStreams(8).shuffle_row_elements(v).eval({v: [1, 2, 3, 4]})) == [1, 2, 3, 4]


def test_values_stay_within_open_bounds():
    rng = RandomStreams(4)
    near = np.nextafter(np.float32(1), np.float32(2))
    f = croton.function(
        [],
        [
            rng.uniform((N,), low=1, high=2),
            rng.uniform((N,), dtype="float16"),
            rng.uniform((50,), low=2, high=2),
            rng.uniform((50,), low=1, high=near),
            rng.uniform((N,), low=np.float32(1e6), high=np.float32(1e6 + 1)),
        ],
    )
    tens, halves, points, tight, coarse = f()
    assert (tens > 1).all() and (tens < 2).all()
    assert halves.dtype == "float16" and (halves > 0).all() and (halves < 1).all() and halves.max() > 0.99
    assert (points == 2).all() and np.isin(tight, [1, near]).all()
    assert (coarse > 1e6).all() and (coarse < 1e6 + 1).all()


def test_probabilities_of_zero_and_one():
    rng = RandomStreams(5)
    p = T.constant(np.array([0.0, 1.0, 0.5]))
    masks, counts, categories = draw(
        rng.binomial((N, 3), p=p), rng.binomial((100, 3), n=9, p=p), rng.multinomial((N,), pvals=[0.0, 1.0, 0.0])
    )
    assert (masks[:, 0] == 0).all() and (masks[:, 1] == 1).all() and 0 < masks[:, 2].mean() < 1
    assert (counts[:, 0] == 0).all() and (counts[:, 1] == 9).all()
    assert (categories == [0, 1, 0]).all()


@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_dtypes(floatX):
    with croton.config(floatX=floatX):
        one, two = RandomStreams(6), MRG_RandomStreams(6)
        cases = [
            (one.uniform((2,)), floatX),
            (two.normal((2,)), floatX),
            (one.normal((2,), avg=T.dscalar("m") * 0), "float64"),
            (two.uniform((2,), high=T.constant(np.float64(3))), "float64"),
            (one.uniform((2,), dtype="floatX"), floatX),
            (two.normal((2,), dtype="float16"), "float16"),
            (one.binomial((2,)), "int64"),
            (two.binomial((2,), dtype=floatX), floatX),
            (one.binomial((2,), n=3, dtype="int8"), "int8"),
            (one.poisson((2,), lam=1.0, dtype="float32"), "float32"),
            (one.random_integers((2,), dtype="uint8"), "uint8"),
            (one.permutation((2,), n=2, dtype="int32"), "int32"),
            (one.choice((2,), a=[0.5, 1.5], dtype="float32"), "float32"),
            (two.multinomial(pvals=[[0.5, 0.5]], dtype="floatX"), floatX),
            (one.multinomial((3,), n=2, dtype="bool"), "bool"),
        ]
    assert [v.dtype for v, _ in cases] == [d for _, d in cases]
    ready = [(v, d) for v, d in cases if not v.owner.inputs[2].owner]
    assert [str(r.dtype) for r in draw(*[v for v, _ in ready])] == [d for _, d in ready]


def test_sizes():
    rng, mrg = RandomStreams(7), MRG_RandomStreams(7)
    x, n, k = T.matrix("x"), T.lscalar("n"), T.iscalar("k")
    rows = x.sum(axis=1)
    cases = [
        (rng.uniform(), (), ()),
        (rng.uniform(()), (), ()),
        (rng.uniform([2, np.int64(3)]), (2, 3), (2, 3)),
        (rng.uniform(np.array([2, 0])), (2, 0), (2, 0)),
        (rng.uniform((n, 2, k)), (None, 2, None), (5, 2, 3)),
        (rng.normal(x.shape), (None, None), (4, 6)),
        (rng.normal(x.shape[1:]), (None,), (6,)),
        (rng.normal(avg=x, std=rows.dimshuffle(0, "x")), (None, None), (4, 6)),
        (rng.uniform((2, -1, -1), low=x), (2, None, None), (2, 4, 6)),
        (rng.binomial(p=T.clip(x, 0, 1)), (None, None), (4, 6)),
        (rng.poisson(lam=abs(rows)), (None,), (4,)),
        (rng.permutation(n=n), (None,), (5,)),
        (rng.permutation((2, n), n=3), (2, None, 3), (2, 5, 3)),
        (rng.multinomial(n=k, pvals=T.nnet.softmax(x)), (None, None), (4, 6)),
        (rng.multinomial((3, -1), pvals=T.nnet.softmax(x)), (3, None, None), (3, 4, 6)),
        (rng.choice((), a=n), (), ()),
        (rng.choice(x.shape, a=rows, dtype="float32"), (None, None), (4, 6)),
        (mrg.uniform((n, 3)), (None, 3), (5, 3)),
        (mrg.uniform(x.shape, low=-1), (None, None), (4, 6)),
        (mrg.normal([n, 3]), (None, 3), (5, 3)),
        (mrg.normal(4), (4,), (4,)),
        (mrg.normal(n), (None,), (5,)),
        (mrg.truncated_normal(x.shape), (None, None), (4, 6)),
        (mrg.multinomial(pvals=T.nnet.softmax(x)), (None, None), (4, 6)),
        (mrg.choice(size=k, p=T.nnet.softmax(x), replace=False), (None, None), (4, 3)),
    ]
    assert [v.type.shape for v, _, _ in cases] == [static for _, static, _ in cases]
    f = croton.function([x, n, k], [v.shape if v.ndim else v for v, _, _ in cases])
    for found, (v, _, expected) in zip(f(np.ones((4, 6), "float32"), 5, 3), cases, strict=True):
        assert (tuple(found) if v.ndim else found.shape) == expected, v
    shape = T.lvector("shape")
    for make in (rng, mrg):
        ones = make.uniform(shape + 0, ndim=2)
        assert ones.ndim == 2 and croton.function([shape], ones)([2, 3]).shape == (2, 3)


def test_the_gradient_goes_around_the_draw():
    mu, sigma, x = T.dscalar("mu"), T.dscalar("sigma"), T.dmatrix("x")
    eps = RandomStreams(1).normal(x.shape, dtype="float64")
    y = mu + sigma * eps
    f = croton.function([mu, sigma, x], [eps, *croton.grad((y**2 * x).sum(), [mu, sigma, x])])
    weights = np.arange(6.0).reshape(2, 3)
    e, by_mu, by_sigma, by_x = f(1.0, 2.0, weights)
    np.testing.assert_allclose(by_mu, (2 * (1 + 2 * e) * weights).sum())
    np.testing.assert_allclose(by_sigma, (2 * (1 + 2 * e) * e * weights).sum())
    np.testing.assert_allclose(by_x, (1 + 2 * e) ** 2)
    with pytest.raises(DisconnectedInputError):
        croton.grad(eps.sum(), x)


def test_a_parameter_has_no_derivative():
    m, other = T.dscalar("m"), T.dscalar("other")
    one, two = RandomStreams(1), MRG_RandomStreams(1)
    for drawn in (
        one.uniform((2,), high=m),
        one.normal((2,), avg=m),
        one.normal((2,), std=m),
        one.binomial((2,), p=m) * 1.0,
        one.poisson((2,), lam=m) * 1.0,
        two.uniform((2,), low=m),
        two.normal((2,), std=m * other),
        two.binomial((2,), p=m, dtype="float64"),
        two.multinomial(pvals=T.nnet.softmax(T.stack([m, other]))) * 1.0,
    ):
        cost = (drawn * other).sum()
        with pytest.raises(NullTypeGradError, match="with respect to m is not defined"):
            croton.grad(cost, m)
        assert croton.grad(cost, m, null_gradients="return") is None
        assert croton.grad(cost, other, consider_constant=[drawn]) is not None


STREAMS, MRG = RandomStreams(1), MRG_RandomStreams(1)
V, F = T.lvector("v"), T.fvector("f")


@pytest.mark.parametrize(
    ("build", "error", "match"),
    [
        (lambda: STREAMS.uniform(3), TypeError, "tuple or list"),
        (lambda: STREAMS.uniform("ab"), TypeError, "tuple or list"),
        (lambda: STREAMS.uniform((2, 1.5)), TypeError, "length must be an integer"),
        (lambda: STREAMS.uniform((2, -3)), ValueError, "contains -3"),
        (lambda: STREAMS.uniform((2, -1)), ValueError, "no parameter"),
        (lambda: STREAMS.uniform((2, 3), ndim=1), ValueError, "ndim is 1"),
        (lambda: STREAMS.uniform(V), ValueError, "give ndim"),
        (lambda: STREAMS.uniform(F, ndim=2), TypeError, "vector of integers"),
        (lambda: STREAMS.uniform((2,), low=[[0.0, 0.1]]), ValueError, "fewer than the 2"),
        (lambda: STREAMS.uniform((4, 2), low=[0.0, 0.1, 0.2]), ValueError, "low of shape"),
        (lambda: STREAMS.uniform((2,), low=2, high=1), ValueError, "low must not be greater"),
        (lambda: STREAMS.uniform((2,), dtype="int32"), TypeError, "must be a float's"),
        (lambda: STREAMS.uniform((2,), dtype="complex64"), TypeError, "no dtype"),
        (lambda: STREAMS.uniform((2,), dtype="flot32"), TypeError, "no dtype"),
        (lambda: STREAMS.normal((2,), std=-1), ValueError, "std must not be negative"),
        (lambda: STREAMS.normal((2,), truncate=True), TypeError, "truncate"),
        (lambda: STREAMS.binomial((2,), p=1.5), ValueError, "p must lie between 0 and 1"),
        (lambda: STREAMS.binomial((2,), p=[0.5, -0.1]), ValueError, "p must lie between"),
        (lambda: STREAMS.binomial((2,), p=float("nan")), ValueError, "p must lie between"),
        (lambda: STREAMS.binomial((2,), n=-1), ValueError, "n must not be negative"),
        (lambda: STREAMS.binomial((2,), n=1.5), TypeError, "n must be of an integer"),
        (lambda: STREAMS.poisson((2,)), TypeError, "give lam"),
        (lambda: STREAMS.poisson((2,), lam=-1), ValueError, "lam must not be negative"),
        (lambda: STREAMS.random_integers((2,), low=3, high=2), ValueError, "low must not be greater"),
        (lambda: STREAMS.random_integers((2,), low=0.5), TypeError, "low must be of an integer"),
        (lambda: STREAMS.permutation((2,), n=[1, 2]), TypeError, "n must be a scalar"),
        (lambda: STREAMS.permutation(n=-1), ValueError, "n must not be negative"),
        (lambda: STREAMS.permutation(n=3, ndim=2), TypeError, "ndim is 2"),
        (lambda: STREAMS.shuffle_row_elements(T.scalar("x")), TypeError, "has no rows"),
        (lambda: STREAMS.multinomial((2,), pvals=[0.5, 0.6]), ValueError, "pvals must add up to 1"),
        (lambda: STREAMS.multinomial((2,), pvals=[1.5, -0.5]), ValueError, "pvals must lie"),
        (lambda: STREAMS.multinomial((2,), pvals=0.5), TypeError, "at least one dimension"),
        (lambda: STREAMS.choice((2,), a=[[1, 2]]), ValueError, "a must be a number or a vector"),
        (lambda: STREAMS.choice((2,), a=[0.5, 1.5]), TypeError, "do not fit into int64"),
        (lambda: STREAMS.choice((2,), p=[[0.5, 0.5]]), ValueError, "p must be a vector"),
        (lambda: STREAMS.choice((2,), replace=T.bscalar("r")), NotImplementedError, "replace must be"),
        (lambda: MRG.uniform(3), TypeError, "size must be a tuple"),
        (lambda: MRG.uniform([3]), TypeError, "size must be a tuple"),
        (lambda: MRG.uniform((3, 0)), ValueError, "at least 1"),
        (lambda: MRG.uniform((3,), kind="x"), TypeError, "kind"),
        (lambda: MRG.uniform((3,), nstreams=0), TypeError, "nstreams"),
        (lambda: MRG.uniform((3,), target="dev0"), TypeError, "target"),
        (lambda: MRG.normal((3, 0)), ValueError, "at least 1"),
        (lambda: MRG.normal(None), ValueError, "size must be"),
        (lambda: MRG.normal(T.matrix("s")), ValueError, "size must be"),
        (lambda: MRG.binomial(), TypeError, "size must be a tuple"),
        (lambda: MRG.binomial((2,), n=2), NotImplementedError, "n = 2"),
        (lambda: MRG.binomial((2,), n=T.lscalar("n")), NotImplementedError, "n = n"),
        (lambda: MRG.binomial((2,), p=2), ValueError, "p must lie"),
        (lambda: MRG.multinomial(), TypeError, "give pvals"),
        (lambda: MRG.multinomial((2,), pvals=[[1.0]]), ValueError, "does not use size"),
        (lambda: MRG.multinomial(pvals=[[1.0]], ndim=2), ValueError, "does not use ndim"),
        (lambda: MRG.multinomial(pvals=[1.0]), NotImplementedError, "must be a matrix"),
        (lambda: MRG.choice(p=[[1.0]]), NotImplementedError, "without replacement"),
        (lambda: MRG.choice(p=[[1.0]], a=1, replace=False), TypeError, "a has to be None"),
        (lambda: MRG.choice(replace=False), TypeError, "give p"),
        (lambda: MRG.choice(p=[[1.0]], replace=False, ndim=1), ValueError, "does not use ndim"),
        (lambda: MRG.choice(p=[1.0], replace=False), NotImplementedError, "must be a matrix"),
        (lambda: MRG.choice(size=3, p=[[0.5, 0.5]], replace=False), ValueError, "between 1 and the number"),
        (lambda: MRG.choice(size=0, p=[[0.5, 0.5]], replace=False), ValueError, "between 1 and the number"),
    ],
)
def test_what_is_refused_when_it_is_built(build, error, match):
    before = len(STREAMS.updates()), len(MRG.updates())
    with pytest.raises(error, match=match):
        build()
    assert (len(STREAMS.updates()), len(MRG.updates())) == before, "a refused draw left a stream behind"


def test_what_is_refused_when_it_runs():
    rng = RandomStreams(1)
    p, n, x, a = T.scalar("p"), T.lscalar("n"), T.matrix("x"), T.vector("a")
    masks = rng.binomial((2,), p=p)
    f = croton.function([p], masks)
    state = masks.rng.get_value()
    with pytest.raises(ValueError, match="p must lie between 0 and 1"):
        f(1.5)
    np.testing.assert_array_equal(masks.rng.get_value(), state)
    assert f(1.0).tolist() == [1, 1]
    cases = [
        ([x], rng.uniform((3, 2), low=x), [np.zeros((2, 2), "float32")], "does not spread over the size"),
        ([n], rng.uniform((n, 2)), [-1], "negative length"),
        ([n], rng.random_integers((2,), high=n), [-1], "low must not be greater than high"),
        ([a], rng.choice((3,), a=a, replace=False, dtype="float32"), [np.zeros(2, "float32")], "3 of 2 values"),
        ([a], rng.choice((3,), a=a, dtype="float32"), [np.zeros(0, "float32")], "nothing to choose from"),
        ([a], rng.choice((3,), a=2, p=a), [np.ones(3, "float32") / 3], "p has shape"),
    ]
    for inputs, output, values, message in cases:
        with pytest.raises(ValueError, match=message):
            croton.function(inputs, output)(*values)


def test_names_of_old():
    rng, mrg = RandomStreams(1), MRG_RandomStreams(1)
    with pytest.warns(DeprecationWarning, match="it is now called p"):
        assert rng.binomial((5,), prob=1).eval().tolist() == [1] * 5
    with pytest.warns(DeprecationWarning, match="use choice"):
        drawn = mrg.multinomial_wo_replacement(n=2, pvals=[[0.0, 0.5, 0.5]])
    assert sorted(drawn.eval()[0]) == [1, 2]
