'''A program in the style of downhill's time: a matrix as the product of two, rows kept in their places.'''

import climate
import downhill
import numpy as np
import theano
import theano.tensor as TT

g = climate.add_arg_group('Factorization')
g.add_argument('--rank', type=int, default=2, help='rank of the product')

logging = climate.get_logger('factors')


def main(args):
    rng = np.random.RandomState(3)
    data = rng.randn(12, args.rank).dot(rng.randn(args.rank, 7))
    x = TT.matrix('x')
    u = theano.shared(rng.randn(12, args.rank), name='u')
    v = theano.shared(rng.randn(args.rank, 7), name='v')
    err = TT.sqr(x - TT.dot(u, v))
    train, valid = downhill.minimize(
        loss=err.mean() + 1e-6 * (u * u).mean(),
        train=[data],
        batch_size=12,
        algo='rprop',
        learning_rate=0.1,
        max_updates=150,
        patience=100,
        max_gradient_norm=1,
        monitors=(('err', err.mean()), ('u<0.1', (abs(u) < 0.1).mean())),
    )
    logging.info('rank %d', args.rank)
    print(sorted(train), train['err'] < 0.1, np.abs(data - u.get_value().dot(v.get_value())).mean() < 0.3)


if __name__ == '__main__':
    climate.call(main)
