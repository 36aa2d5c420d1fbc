from jax import lax


def scan_reversible(loop, n, start, xs, fixed):
    return lax.scan(loop.step(fixed), start, xs, length=n)
