"""Derivatives of loops against differences: recurrent layers of the usual kinds, and derivatives of all forms."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.loop import scan, scan_checkpoints

STEPS, BATCH, N = 4, 2, 3
x, w, z = T.dvector("x"), T.dscalar("w"), T.dscalar("z")
sigmoid = T.nnet.sigmoid


def of(shape, name=None, seed=0):
    """A variable and a value for it."""
    value = np.random.RandomState(seed + len(shape) + (sum(map(ord, name)) if name else 0)).normal(0, 0.7, shape)
    return T.TensorType("float64", [False] * len(shape))(name), value


def plain(g):
    h, _ = scan(lambda x, h: T.tanh(T.dot(T.tanh(x), g["W"]) + T.dot(h, g["U"]) + g["b"]), g["X"], g["h"])
    return [h]


def lstm(g):
    """The gates are slices of one product, as in the tutorials; masked; peepholes make one carry a factor."""

    def part(z, k):
        return z[..., k * N : (k + 1) * N]

    def step(x, m, h, c):
        pre = x + T.dot(h, g["G"])
        i, f, o = sigmoid(part(pre, 0) + c * g["b"]), sigmoid(part(pre, 1)), sigmoid(part(pre, 2))
        new = f * c + i * T.tanh(part(pre, 3))
        new = m * new + (1.0 - m) * c
        return m * o * T.tanh(new) + (1.0 - m) * h, new

    (h, c), _ = scan(step, [T.dot(g["X"], g["G"]), g["m"]], [g["h"], g["c"]])
    return [h, c[-1]]


def gru(g):
    def step(x, h):
        r, u = sigmoid(T.dot(x, g["W"]) + T.dot(h, g["U"])), sigmoid(x + T.dot(h, g["W"]))
        new = T.tanh(T.dot(x, g["U"]) + T.dot(r * h, g["U"]))
        return u * h + (1 - u) * new, r

    (h, r), _ = scan(step, g["X"], [g["h"], None])
    return [h[-1], r]


def embedded(g):
    """Rows of a table by repeated indices, with a product, and the table's own part in the output."""
    (h, y), _ = scan(
        lambda k, h: (T.tanh(T.dot(g["E"][k], g["W"]) + T.dot(h, g["U"])), T.dot(T.tanh(h), g["E"].T)),
        g["k"],
        [g["h"], None],
    )
    return [h, y]


def attending(g):
    """A product with a matrix that is made of a sequence, a softmax, a carry of scalars and one of integers."""

    def step(x, h, t, n):
        score = T.exp(T.dot(h, g["U"]) * x)
        read = score / score.sum(axis=-1, keepdims=True)
        return T.tanh(h + read * T.cast(n, "float64")), t * 0.5 + read.max(), n + 1

    outs, _ = scan(step, g["X"], [g["h"], z, T.constant(1, dtype="int64")])
    return [outs[0], outs[1][-1]]


@pytest.mark.parametrize(
    ("layer", "batched"),
    [(plain, False), (lstm, True), (lstm, False), (gru, True), (embedded, True), (embedded, False), (attending, True)],
)
def test_layers(layer, batched, numeric):
    row = (BATCH, N) if batched else (N,)
    shapes = {"X": (STEPS, *row), "h": row, "c": row, "W": (N, N), "U": (N, N), "G": (N, 4 * N), "b": (N,), "E": (5, N)}
    pairs = {n: of(s, n) for n, s in shapes.items()}
    pairs["k"] = (T.imatrix("k"), np.array([[1, 0], [1, 1], [4, -1], [0, 1]], "int32"))
    pairs["m"] = (T.dtensor3("m"), np.array([[1, 1], [1, 1], [1, 0], [0, 0]])[..., None].astype("float64"))
    if not batched:
        pairs["k"] = (T.ivector("k"), pairs["k"][1][:, 0])
        pairs["m"] = (T.dmatrix("m"), pairs["m"][1][:, 0])
    pairs["m"][0].type = T.TensorType("float64", [*[False] * (len(row)), True])
    pairs["z"] = (z, np.array(0.3))
    outputs = layer({n: v for n, (v, _) in pairs.items()})
    cost = sum((T.sqr(o) * (1 + T.arange(o.shape[-1] if o.ndim else 1))).sum() for o in outputs)
    used = [n for n in pairs if pairs[n][0] in croton.graph.walk.inputs([cost])]
    variables, values = [pairs[n][0] for n in used], [pairs[n][1] for n in used]
    floats = [v for v in variables if v.dtype == "float64"]
    f = croton.function(variables, [cost, *croton.grad(cost, floats)])
    value = lambda *a: f(*a)[0]  # noqa: E731
    wanted = [g for g in numeric(value, *values, step=1e-5) if g is not None]
    for v, found, g in zip(floats, f(*values)[1:], wanted, strict=True):
        np.testing.assert_allclose(found, g, rtol=1e-6, atol=1e-7, err_msg=str(v))


def test_float32_stays_float32():
    U = croton.shared(np.eye(2, dtype="float32"))
    X = T.fmatrix("X")
    h, _ = scan(lambda v, h: T.tanh(v + T.dot(h, U)), X, T.zeros((2,), "float32"))
    f = croton.function([X], [h, *croton.grad(h.sum(), [X, U])])
    assert [v.dtype for v in f(np.ones((3, 2), "float32"))] == ["float32"] * 3


def test_truncation():
    """Derivatives flow through the last steps only; values as found with the original."""
    out, _ = scan(lambda a, p, w: a * w + p, x, z, w, truncate_gradient=2)
    long, _ = scan(lambda a, p, w: a * w + p, x, z, w, truncate_gradient=9)
    whole, _ = scan(lambda a, p, w: a * w + p, x, z, w)
    wrt = [x, z, w]
    f = croton.function(
        wrt,
        [out, *croton.grad(out[-1], wrt), *croton.grad(out.sum(), wrt), *croton.grad(long.sum(), wrt)],
    )
    a, *found = f(np.arange(1.0, 5.0), 1.0, 2.0)
    np.testing.assert_array_equal(a, [3.0, 7.0, 13.0, 21.0])
    wanted = [[0, 0, 2, 2], 0, 7, [0, 0, 4, 2], 0, 10]
    wanted += [[8, 6, 4, 2], 4, 20]
    for g, v in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(g, v)
    np.testing.assert_array_equal(croton.grad(whole.sum(), x).eval({x: [1.0, 2.0], z: 0.0, w: 1.0}), [2.0, 1.0])


def test_what_no_derivative_flows_to():
    integers, outside = T.lvector("integers"), T.dscalar("outside")
    (p, q), _ = scan(lambda k, p, q: [p * w + k, q + 1], integers, [z, T.constant(0, dtype="int64")])
    with pytest.raises(croton.gradient.DisconnectedInputError, match="outside"):
        croton.grad(p.sum(), outside)
    (a, b), _ = scan(lambda v, a, b: [a * v, b + z], x, [w, w])
    with pytest.raises(croton.gradient.DisconnectedInputError, match="z"):
        croton.grad(a.sum(), z)
    with pytest.raises(croton.gradient.DisconnectedInputError, match="x"):
        croton.grad(b.sum(), x)
    held, _ = scan(lambda v, p: p * w + croton.gradient.disconnected_grad(p) * v, x, z)
    cut, _ = scan(lambda v, p: p * w + v * w, x, z)
    with pytest.raises(TypeError, match="cost must be of a float"):
        croton.grad(q[-1], w)
    with pytest.raises(TypeError, match="integers.*cast it to a float"):
        croton.grad(p.sum(), integers)
    f = croton.function(
        [x, w, z, integers],
        [
            *croton.grad(p[-1], [z, w]),
            croton.grad(held[-1], z),
            croton.grad(cut[-1], w),
            croton.grad(T.sqr(cut[-1] - z), z, consider_constant=[cut]),
        ],
    )
    gz, gw, gh, gc, gk = f([1.0, 2.0], 3.0, 1.0, [1, 2])
    # The states are w (w z + 1) + 2 = 14, and w (w z + w) + 2 w = 24.
    assert gz == 9.0 and gw == 7.0 and gh == 9.0 and gc == 14.0 and gk == -2 * (24 - 1)


def test_second_derivatives(numeric):
    U, u = of((2, 2), "U")
    X, a = of((3, 2), "X")
    h, _ = scan(lambda v, h: T.tanh(v + T.dot(h, U)) * sigmoid(h), X, T.ones((2,), "float64"))
    cost = T.sqr(h).sum()
    gU, gX = croton.grad(cost, [U, X])
    slope = T.sqr(gU).sum() + (gX**3).sum()
    f = croton.function([X, U], [slope, *croton.grad(slope, [X, U])])
    _, *found = f(a, u)
    for g, wanted in zip(found, numeric(lambda *v: f(*v)[0], a, u), strict=True):
        np.testing.assert_allclose(g, wanted, rtol=1e-5, atol=1e-7)


def test_forms_of_derivatives(numeric):
    out, _ = scan(lambda v, p: T.sin(p * w) + v**2, x, z)
    weights = T.constant(np.array([1.0, -2.0, 0.5]))
    cost = T.exp(out[-1])
    second = croton.hessian(cost, x)
    f = croton.function(
        [x, w, z],
        [
            out,
            croton.jacobian(out, x),
            croton.jacobian(out, w),
            croton.Rop(out, [x, w], [weights, T.constant(2.0, dtype="float64")]),
            *croton.Lop(out, [x, w, z], weights),
            second,
            croton.grad(cost, x),
        ],
    )
    arguments = [np.array([0.3, -0.5, 0.8]), np.array(0.7), np.array(0.2)]
    _, J, Jw, pushed, lx, lw, lz, H, _ = f(*arguments)
    rows = [numeric(lambda *a, k=k: f(*a)[0][k], *arguments) for k in range(3)]
    Jn, Jwn, Jzn = (np.array([r[k] for r in rows]) for k in range(3))
    c = np.array([1.0, -2.0, 0.5])
    for found, wanted in [
        (J, Jn), (Jw, Jwn), (pushed, Jn @ c + 2 * Jwn), (lx, c @ Jn), (lw, c @ Jwn), (lz, c @ Jzn),
        (H, np.array([numeric(lambda *a, k=k: f(*a)[-1][k], *arguments)[0] for k in range(3)])),
    ]:  # fmt: skip
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)


def test_a_gradient_inside_the_step_of_a_differentiated_loop_with_matrices(numeric):
    """Steps that follow the gradient of an energy with a matrix, differentiated by the matrix."""
    M, m = of((2, 2), "M")
    q0, q = of((2,), "q")
    path, _ = scan(lambda q: q - 0.1 * croton.grad(T.sqr(T.tanh(T.dot(q, M))).sum(), q), None, q0, n_steps=3)
    cost = T.sqr(path).sum()
    f = croton.function([q0, M], [cost, *croton.grad(cost, [q0, M])])
    _, *found = f(q, m)
    for g, wanted in zip(found, numeric(lambda *v: f(*v)[0], q, m), strict=True):
        np.testing.assert_allclose(g, wanted, rtol=1e-6, atol=1e-9)


def test_intermediate_variables_and_outputs_as_wrt():
    y = T.tanh(x)
    out, _ = scan(lambda v, p: p * v, y, z)
    further, _ = scan(lambda v: v**2, out)
    gy, go, gf = croton.grad(further.sum(), [y, out, further])
    a = np.array([0.5, -1.0])
    found = croton.function([x, z], [gy, go, gf])(a, 3.0)
    t = np.tanh(a)
    first, second = 3 * t[0], 3 * t[0] * t[1]
    np.testing.assert_allclose(found[1], [2 * first, 2 * second])
    np.testing.assert_allclose(found[2], [1, 1])
    np.testing.assert_allclose(found[0], [2 * first * 3 + 2 * second * 3 * t[1], 2 * second * first])


def test_a_derivative_inside_a_step_by_what_lies_between_gates():
    """Where the gates are cut apart before their products, a derivative among them still finds its variable."""
    h0, G = T.dvector("h0"), T.constant(of((3, 6), "G")[1])

    def step(h):
        z = T.dot(h, G)
        y = T.tanh(z[:3]) * z[3:6]
        q = T.dot(y, G)
        return h - 0.1 * croton.grad((T.tanh(q[:3]) * q[3:6]).sum(), y)

    path, _ = scan(step, None, h0, n_steps=2)
    looped, written = croton.function([h0], [path[-1], step(step(h0))])([0.1, 0.2, 0.3])
    np.testing.assert_allclose(looped, written, rtol=1e-12)
    assert not np.allclose(looped, [0.1, 0.2, 0.3])


def test_checkpoints(numeric):
    U, u = of((2, 2), "U")
    X, a = of((7, 2), "X")

    def step(v, h):
        return T.tanh(v + T.dot(h, U))

    few, _ = scan_checkpoints(step, X, T.ones((2,), "float64"), save_every_N=3)
    all_, _ = scan(step, X, T.ones((2,), "float64"))
    kept = all_[np.array([2, 5, 6])]
    outputs = [few, *croton.grad(T.sqr(few).sum(), [X, U]), kept, *croton.grad(T.sqr(kept).sum(), [X, U])]
    found = croton.function([X, U], outputs)(a, u)
    for one, other in zip(found[:3], found[3:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
