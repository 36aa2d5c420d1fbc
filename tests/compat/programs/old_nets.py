#!/usr/bin/env python
'''A program in the style of theanets' time: models, layers and regularizers by name, and some of its own.'''

import climate
import logging
import numpy as np
import theanets
import theano.tensor as TT

climate.enable_default_logging()

rng = np.random.RandomState(4)
X = rng.randn(60, 5).astype('f')
LABELS = (X[:, 0] + X[:, 1] > 0).astype('i')


class Scaled(theanets.layers.Layer):
    def setup(self):
        self.add_bias('s', self.size, mean=1)
        self.add_weights('w', self.input_size, self.size)

    def transform(self, inputs):
        x = inputs[list(self.inputs)[0]]
        pre = TT.dot(x, self.find('w')) * self.find('s')
        return dict(pre=pre, out=self.activate(pre)), []


class Cube(theanets.Activation):
    def __call__(self, x):
        return x ** 3


class Largest(theanets.Regularizer):
    def loss(self, layers, outputs):
        return sum(abs(p).max() for layer in layers for p in layer.params if p.ndim > 1)


class Quartic(theanets.Loss):
    def __call__(self, outputs):
        return ((outputs[self.output_name] - self._target) ** 4).mean()


class Model(theanets.Network):
    DEFAULT_OUTPUT_ACTIVATION = 'tanh'

    def __init__(self, layers, loss='quartic', weighted=False, rng=13):
        super(Model, self).__init__(layers, loss=loss, weighted=weighted, rng=rng)


exp = theanets.Experiment(theanets.Classifier, layers=(5, (6, 'scaled', 'tanh'), dict(size=4, form='ff', activation='cube'), 2))
before = exp.network.score(X, LABELS)
for train, valid in exp.itertrain((X[:40], LABELS[:40]), (X[40:], LABELS[40:]), algo='rmsprop', learning_rate=0.01,
                                  batch_size=20, largest=1e-4, hidden_l1=1e-4, max_updates=80, validate_every=5,
                                  monitors={'hid1:out': (-0.5, 0.5)}):
    pass
print(sorted(train))
after = exp.network.score(X, LABELS)
print('better', after > before, after > 0.8)
exp.save('model.pkl')
again = theanets.Experiment('model.pkl').network
print('saved', type(again).__name__, (again.predict(X) == exp.network.predict(X)).all())

net = Model([5, (3, 'scaled'), 1])
train, valid = net.train([X, X[:, :1]], algo='rmsprop', batch_size=60, learning_rate=0.01, max_updates=4)
print('loss', valid['loss'] < train['loss'], net.losses[0].variables)

text = theanets.recurrent.Text('abracadabra ' * 9, min_count=1)
net = theanets.recurrent.Classifier([1 + len(text.alpha), (7, 'gru'), 1 + len(text.alpha)])
print(len(text.decode(net.predict_sequence(text.encode('abra'), 6, rng=1))))

for name in ('Predictor', 'flags'):
    print(name, hasattr(theanets, name))
print(isinstance(net.layers[1], theanets.layers.recurrent.GRU), theanets.__version__)
logging.info('done with %s', theanets.util.FLOAT)
