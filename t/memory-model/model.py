#!/usr/bin/python3

# Copyright (C) nginx-guardrail authors

# The memory model of src/core/json against CPython itself.
#
#     model.py table [FILE...]      estimates beside what tracemalloc saw
#     model.py test                 the same as TAP, with the bounds
#     model.py fuzz ROUNDS [SEED]   documents at random, worst ones last
#     model.py speed [FILE...]      how fast the model is without a scanner
#
# FILE is a document (.json) or records (.ndjson); without any, the documents
# of documents.py.  Any CPython can measure; the tables are those of 3.11.

import ctypes
import gc
import json
import os
import statistics
import subprocess
import sys
import tracemalloc

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MODES = {'document': 0, 'body': 1, 'record': 2}

# of estimate / actual: each document, and the median of all

LOW, HIGH = 0.9, 1.3
MEDIAN_LOW, MEDIAN_HIGH = 0.97, 1.15


def compile(to, options, source):
    out = os.path.join(ROOT, 'build', 'memory-model')
    path = os.path.join(out, to)
    new = '%s.%d' % (path, os.getpid())

    os.makedirs(out, exist_ok=True)

    core = os.path.join(ROOT, 'src', 'core')
    room = os.path.join(core, 'json')
    sources = [os.path.join(room, name) for name in sorted(os.listdir(room))
               if name.startswith('guardrail_json_memory')
               and name.endswith('.c')]

    subprocess.run([os.environ.get('CC', 'gcc'), '-std=c11', '-O2', '-g',
                    '-Wall', '-Wextra', '-Werror', *options, '-I' + core,
                    '-I' + os.path.join(ROOT, 't', 'unit'), '-o', new,
                    source, *sources], check=True)
    os.rename(new, path)

    return path


def library():
    lib = ctypes.CDLL(compile('model.so', ['-shared', '-fPIC'],
                              os.path.join(HERE, 'estimate.c')))
    lib.estimate.restype = ctypes.c_uint64
    lib.estimate.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint)

    return lib


def estimate(lib, body, mode):
    return lib.estimate(body, len(body), MODES[mode])


def records(body):
    return [line for line in body.split(b'\n') if line.strip(b' \t\r')]


def loads(body):
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def peak(work):
    gc.collect()
    gc.disable()
    tracemalloc.start()

    try:
        before = tracemalloc.get_traced_memory()[0]
        result = work()
        after = tracemalloc.get_traced_memory()[1]
        del result
    finally:
        tracemalloc.stop()
        gc.enable()

    return after - before


def actual(body, mode):
    if mode == 'document':
        return len(body) + peak(lambda: loads(body))

    lines = records(body)

    if mode == 'record':
        return max((len(line) + peak(lambda: loads(line)) for line in lines),
                   default=0)

    return len(body) + peak(lambda: [loads(line) for line in lines])


def measure(lib, documents):
    for name, mode, make in documents:
        body = make()
        yield name, mode, len(body), estimate(lib, body, mode), \
            actual(body, mode)


def row(name, size, guess, real):
    return '%-42s %9d %10d %10d  %6.3f' % (name, size, guess, real,
                                           guess / real)


def files(names):
    for name in names:
        with open(name, 'rb') as file:
            body = file.read()

        yield (os.path.basename(name),
               'body' if name.endswith('.ndjson') else 'document',
               lambda body=body: body)


def table(lib, names):
    from documents import DOCUMENTS

    ratios = []

    print('CPython %s' % sys.version.split()[0])
    print('%-42s %9s %10s %10s  %6s' % ('document', 'wire', 'estimate',
                                        'actual', 'ratio'))

    for name, _, size, guess, real in measure(lib, files(names) if names
                                              else DOCUMENTS):
        ratios.append(guess / real)
        print(row(name, size, guess, real), flush=True)

    print('least %.3f, median %.3f, most %.3f'
          % (min(ratios), statistics.median(ratios), max(ratios)))


def test(lib):
    from documents import DOCUMENTS

    ratios = []

    print('1..%d' % (len(DOCUMENTS) + 1))
    print('# CPython %s: wire, estimate, actual, ratio'
          % sys.version.split()[0])

    for name, _, size, guess, real in measure(lib, DOCUMENTS):
        ratio = guess / real
        ratios.append(ratio)
        print('%sok %d - %s' % ('' if LOW <= ratio <= HIGH else 'not ',
                                len(ratios), row(name, size, guess, real)))

    median = statistics.median(ratios)

    print('%sok %d - median %.3f'
          % ('' if MEDIAN_LOW <= median <= MEDIAN_HIGH else 'not ',
             len(ratios) + 1, median))


def speed(names):
    from documents import DOCUMENTS

    program = compile('speed', [], os.path.join(ROOT, 't', 'bench',
                                                'json_memory.c'))

    if not names:
        for name, mode, make in DOCUMENTS[:14]:
            path = os.path.join(os.path.dirname(program), name.replace(
                ' ', '-') + ('.json' if mode == 'document' else '.ndjson'))
            names.append(path)

            with open(path, 'wb') as file:
                file.write(make())

    subprocess.run([program, *names], check=True)


def main(arguments):
    sys.path.insert(0, HERE)

    # what is imported at the first use is no cost of a body

    for body in (b'\xef\xbb\xbf[]', b'\xff', b'[', b'\xed\xa0\x80'):
        loads(body)

    sys.setrecursionlimit(5000)
    command = arguments[0] if arguments else 'table'

    if command == 'speed':
        speed(arguments[1:])
        return

    lib = library()

    if command == 'table':
        table(lib, arguments[1:])

    elif command == 'test':
        test(lib)

    elif command == 'fuzz':
        from fuzz import fuzz

        if not fuzz(lib, int(arguments[1]), int(arguments[2])
                    if len(arguments) > 2 else 1):
            sys.exit(1)

    else:
        sys.exit('model.py: unknown command "%s"' % command)


if __name__ == '__main__':
    main(sys.argv[1:])
