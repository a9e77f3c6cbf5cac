# Copyright (C) nginx-guardrail authors

# Documents at random, of every shape that a sender might try, each made from
# its seed alone: the estimate must not be far from what CPython really took,
# above all not below it.  What CPython refuses may be far above.

import random

from model import LOW, actual, estimate, loads, records

# smaller ones are mostly what a call costs for nothing

LEAST = 20000

# characters of one document in strings, about

MOST = 200000

ALPHABETS = ('a', 'abcdefgh', 'aé', 'éàü', 'a会', '会議東京', 'a😀', '😀会é',
             '\ud800a', 'a\udc00😀', '\ud83d')
ESCAPES = ('\\n', '\\"', '\\\\', '\\/', '\\u0041', '\\u00e9', '\\u4f1a',
           '\\ud83d\\ude00', '\\ud83d', '\\ude00', '\\ud83d\\ud83d\\ude00',
           '\\ud83d\\n', '\\uD83Dx')
JUNK = (b'\xff', b'\x80', b'\xc3', b'\xed\xa0\x80', '😀'.encode() * 50,
        '会'.encode() * 50, 'é'.encode() * 50, b'\xf0\x9f', b',,', b'1 2',
        b'"', b'\\', b'{"a":', b'[[', b']', b'}', b'nul', b"'a'", b'\x01')


class Maker:
    def __init__(self, seed):
        r = self.r = random.Random(seed)

        self.budget = int(10 ** r.uniform(1, 4.5))
        self.alphabet = r.choice(ALPHABETS)
        self.other = r.choice(ALPHABETS)
        self.rare = r.choice((0, 0, 0.001, 0.1))
        self.escaped = r.choice((0, 0, 0, 0.01, 0.3, 1))
        self.escapes = r.sample(ESCAPES, r.randint(1, len(ESCAPES)))
        self.length = 10 ** r.uniform(0, r.choice((0.5, 1, 2, 4, 5)))
        self.keys = r.choice((1, 3, 20, 200, 3000, 10000, 10 ** 9))
        self.key_length = 10 ** r.uniform(0, r.choice((0.3, 1, 3)))
        self.members = 10 ** r.uniform(0, r.choice((0.5, 1, 2, 4)))
        self.depth = int(10 ** r.uniform(0, r.choice((0.5, 1, 2.5))))
        self.space = r.choice(('', '', ' ', '\n  '))
        self.kinds = [r.random() ** 3 for _ in range(6)]
        self.in_list = r.random() ** r.choice((0.2, 1, 5))
        self.names = {}
        self.room = MOST

    def size(self, mean):
        return int(self.r.expovariate(1 / mean)) if self.r.random() < 0.8 \
            else int(mean)

    def text(self, mean):
        r, n = self.r, min(self.size(mean), self.room)
        self.room -= n
        alphabet = self.other if r.random() < self.rare else self.alphabet

        if self.escaped and r.random() < 0.5:
            every = max(1, int(1 / self.escaped))
            parts = []

            while n > 0:
                k = r.randint(0, every)
                parts.append(r.choice(alphabet) * min(k, n))
                parts.append(r.choice(self.escapes))
                n -= k + 1

            return ''.join(parts)

        if n > 50:
            return ''.join(r.choice(alphabet) * 10 for _ in range(n // 10))

        return ''.join(r.choice(alphabet) for _ in range(n))

    def name(self):
        n = self.r.randrange(self.keys)

        if n not in self.names:
            self.names[n] = self.text(self.key_length) + (
                str(n) if self.r.random() < 0.9 else '')

        return self.names[n]

    def number(self):
        r = self.r
        kind = r.randrange(6)

        if kind == 0:
            return str(r.randint(-10, 300))

        if kind == 1:
            return str(r.randint(-10 ** 6, 10 ** 6))

        if kind == 2:
            return str(r.getrandbits(int(10 ** r.uniform(0, 3))))

        if kind == 3:
            return repr(r.uniform(-1, 1))

        if kind == 4:
            return '%de%d' % (r.randint(1, 9), r.randint(-9, 9))

        return '-0'

    def value(self, depth):
        r = self.r
        self.budget -= 1

        if depth < self.depth and self.budget > 0 and r.random() < 0.7 \
                or depth == 0:
            return self.container(depth)

        kind = r.choices(range(6), self.kinds)[0]

        if kind == 0:
            return '"%s"' % self.text(self.length)

        if kind == 1:
            return self.number()

        if kind == 2:
            return r.choice(('true', 'null', '-Infinity', 'NaN'))

        return ('[]', '{}', '""')[kind - 3]

    def container(self, depth):
        count = min(self.size(self.members), max(self.budget, 0))
        comma, parts = ',' + self.space, []

        if self.r.random() < self.in_list:
            while len(parts) < count and self.budget > 0:
                parts.append(self.value(depth + 1))

            return '[%s]' % comma.join(parts)

        while len(parts) < count and self.budget > 0:
            parts.append('"%s":%s' % (self.name(), self.value(depth + 1)))

        return '{%s}' % comma.join(parts)


def document(seed):
    """(mode, body) of that seed"""

    r = random.Random(seed)
    mode = r.choice(('document', 'document', 'document', 'body', 'record'))

    if mode == 'document':
        text = Maker(r.random()).value(0)

    else:
        text = '\n'.join(Maker(r.random()).value(0).replace('\n', '')
                         for _ in range(int(10 ** r.uniform(0, 1.5))))

    body = text.encode('utf-8', 'surrogatepass')

    if r.random() < 0.1:
        body = b'\xef\xbb\xbf' + body

    if r.random() < 0.2:
        at = r.randint(0, len(body))
        body = body[:at] + r.choice(JUNK) + body[at:]

    if r.random() < 0.1:
        body = body[:r.randint(0, len(body))]

    return mode, body


def valid(mode, body):
    return all(loads(text) is not None
               for text in ([body] if mode == 'document' else records(body)))


def show(what, ratios):
    ratios.sort()
    print('%s: %d of %d bytes or more' % (what, len(ratios), LEAST))

    for ratio in ratios if len(ratios) < 12 else ratios[:4] + [
            ratios[len(ratios) // 2]] + ratios[-4:]:
        print('    %.3f seed %d, %s of %d bytes, estimate %d, actual %d'
              % ratio)


def fuzz(lib, rounds, first):
    good, bad = [], []

    for seed in range(first, first + rounds):
        mode, body = document(seed)
        guess, real = estimate(lib, body, mode), actual(body, mode)

        if guess < real:

            # now and then NaN makes CPython rebuild its table of interned
            # strings, whose size is the program's

            real = min(real, actual(body, mode))

        if real < LEAST:
            continue

        ratio = (guess / real, seed, mode, len(body), guess, real)
        (good if valid(mode, body) else bad).append(ratio)

        if guess < LOW * real:
            print('seed %d: %.3f' % (seed, guess / real), flush=True)

    show('JSON', good)
    show('refused by CPython', bad)

    return all(ratio[0] >= LOW for ratio in good + bad)
