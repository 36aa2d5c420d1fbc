"""An LSTM that tags words: words in, a tag for every word out.

The sentences are made by a small grammar in which a word alone often does not tell its tag: `watch` is a noun or a
verb and `still` an adjective or an adverb by its place, and `--` opens an inserted part or closes it, however long that
is. So the net must remember. Each word is a row of a table of embeddings; a scan runs a layer of LSTM cells over the
words (Hochreiter and Schmidhuber, Neural Computation 9, 1997; with forget gates); a softmax of the hidden units names
the tag. Sentences are padded to one length; a mask holds the state where a sentence has ended, and takes the padding
out of the cost, the mean negative log likelihood of the tags.

    lstm_tagger.py [--epochs N]
"""

import argparse
from collections import Counter, defaultdict

import numpy
import theano
import theano.tensor as T

TAGS = ["det", "adj", "noun", "verb", "adv", "open", "close"]
WORDS = {
    "det": ["the", "a", "every", "this"],
    "adj": ["old", "small", "quiet", "still"],
    "noun": ["dog", "ship", "house", "light", "watch", "sail", "guard"],
    "verb": ["sees", "likes", "watch", "sail", "guard", "light"],
    "adv": ["often", "still", "never", "quiet"],
}


def noun_phrase(rng):
    tags = ["det"] + ["adj"] * (rng.rand() < 0.5) + ["noun"]
    if rng.rand() < 0.4:
        tags += ["open"] + ["det", "noun"] * rng.randint(1, 4) + ["close"]
    return tags


def sentence(rng):
    """A list of pairs (word, tag)."""
    tags = noun_phrase(rng) + ["adv"] * (rng.rand() < 0.4) + ["verb"]
    if rng.rand() < 0.7:
        tags += noun_phrase(rng)
    return [("--" if tag in ("open", "close") else rng.choice(WORDS[tag]), tag) for tag in tags]


def padded(sentences, vocabulary, length):
    """Words, tags (int32, 0 where padded) and mask (floatX, 1 for a word), each of shape (length, sentences)."""
    words, tags = numpy.zeros((2, length, len(sentences)), dtype="int32")
    mask = numpy.zeros((length, len(sentences)), dtype=theano.config.floatX)
    for k, pairs in enumerate(sentences):
        words[: len(pairs), k] = [vocabulary[word] for word, _ in pairs]
        tags[: len(pairs), k] = [TAGS.index(tag) for _, tag in pairs]
        mask[: len(pairs), k] = 1
    return words, tags, mask


def matrix(rng, rows, columns, name):
    values = rng.normal(0, 1 / numpy.sqrt(rows), size=(rows, columns))
    return theano.shared(values.astype(theano.config.floatX), name=name)


def vector(values, name):
    return theano.shared(numpy.asarray(values, dtype=theano.config.floatX), name=name)


class Tagger:
    """The model on symbolic words, tags and mask, each of shape (length, batch)."""

    def __init__(self, words, tags, mask, n_words, n_embedding, n_hidden, seed):
        rng = numpy.random.RandomState(seed)
        self.n_hidden = n = n_hidden
        self.embedding = matrix(rng, n_words, n_embedding, "embedding")
        self.W = matrix(rng, n_embedding, 4 * n, "W")
        self.U = matrix(rng, n, 4 * n, "U")
        self.b = vector(numpy.repeat([0.0, 1.0, 0.0, 0.0], n), "b")  # forget gates begin open
        self.V = matrix(rng, n, len(TAGS), "V")
        self.c = vector(numpy.zeros(len(TAGS)), "c")
        self.params = [self.embedding, self.W, self.U, self.b, self.V, self.c]

        length, batch = words.shape[0], words.shape[1]
        entering = T.dot(self.embedding[words.flatten()], self.W).reshape((length, batch, 4 * n)) + self.b
        start = T.zeros((batch, n), dtype=theano.config.floatX)
        (hidden, _), _ = theano.scan(self.step, sequences=[entering, mask], outputs_info=[start, start], name="lstm")
        p = T.nnet.softmax(T.dot(hidden.reshape((length * batch, n)), self.V) + self.c)
        right = p[T.arange(length * batch), tags.flatten()].reshape((length, batch))
        self.cost = -(mask * T.log(right)).sum() / mask.sum()
        self.guess = T.argmax(p, axis=1).reshape((length, batch))

    def step(self, entering, mask, hidden, cell):
        """One word of each sentence: the new hidden units and cells, or the old ones where the sentence has ended."""
        gates = entering + T.dot(hidden, self.U)
        part = [gates[:, k * self.n_hidden : (k + 1) * self.n_hidden] for k in range(4)]
        keep_in, keep_cell, put_out = (T.nnet.sigmoid(x) for x in part[:3])
        new_cell = keep_cell * cell + keep_in * T.tanh(part[3])
        new_hidden = put_out * T.tanh(new_cell)
        on = mask[:, None]
        return on * new_hidden + (1 - on) * hidden, on * new_cell + (1 - on) * cell


def rmsprop(cost, params, rate, decay=0.9, epsilon=1e-6):
    """Descent in which every step is divided by the root of a running mean of the squared gradient."""
    updates = []
    for param, g in zip(params, T.grad(cost, params)):
        square = theano.shared(numpy.zeros_like(param.get_value()), name="square of " + param.name)
        mean = decay * square + (1 - decay) * T.sqr(g)
        updates += [(square, mean), (param, param - rate * g / T.sqrt(mean + epsilon))]
    return updates


def commonest_tag(sentences):
    """For each word the tag that it has most often: what can be known without looking around."""
    counts = defaultdict(Counter)
    for pairs in sentences:
        for word, tag in pairs:
            counts[word][tag] += 1
    return {word: count.most_common(1)[0][0] for word, count in counts.items()}


def main(n_train=600, n_test=200, n_embedding=16, n_hidden=32, rate=0.01, epochs=5, batch_size=20, seed=5):
    """Trains; prints the cost of each epoch, the share of right tags in new sentences, and one of these. Returns the
    two shares: (of the net, of each word's commonest tag)."""
    rng = numpy.random.RandomState(seed)
    train_set, test_set = ([sentence(rng) for _ in range(n)] for n in (n_train, n_test))
    vocabulary = {word: k for k, word in enumerate(sorted({"--"}.union(*WORDS.values())))}
    length = max(len(pairs) for pairs in train_set + test_set)
    corpus = [theano.shared(values) for values in padded(train_set, vocabulary, length)]

    index = T.lscalar("index")
    words, tags, mask = T.imatrix("words"), T.imatrix("tags"), T.matrix("mask")
    tagger = Tagger(words, tags, mask, len(vocabulary), n_embedding, n_hidden, seed)
    columns = slice(index * batch_size, (index + 1) * batch_size)
    train = theano.function(
        [index],
        tagger.cost,
        updates=rmsprop(tagger.cost, tagger.params, rate),
        givens={variable: values[:, columns] for variable, values in zip([words, tags, mask], corpus)},
    )
    for epoch in range(epochs):
        costs = [train(i) for i in range(n_train // batch_size)]
        print("epoch %d, cost %.4f" % (epoch + 1, numpy.mean(costs)))

    test_words, test_tags, test_mask = padded(test_set, vocabulary, length)
    guess = theano.function([words, mask], tagger.guess)(test_words, test_mask)
    accuracy = float((guess == test_tags)[test_mask == 1].mean())
    usual = commonest_tag(train_set)
    alone = float(numpy.mean([usual[word] == tag for pairs in test_set for word, tag in pairs]))
    print("new sentences: %.4f of the tags right; by the commonest tag of each word: %.4f" % (accuracy, alone))
    longest = int(test_mask.sum(axis=0).argmax())
    print(" ".join("%s/%s" % (word, TAGS[tag]) for (word, _), tag in zip(test_set[longest], guess[:, longest])))
    return accuracy, alone


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    main(**vars(parser.parse_args()))
