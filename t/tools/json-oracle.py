#!/usr/bin/python3

# Copyright (C) nginx-guardrail authors

# What Python's json says of texts, for t/unit/json_python.c: reads texts, each
# behind its length in four bytes, and writes a line for each: "bad", or the
# depth, the members of its largest object, those of its largest array, and
# the number of values and keys.

import json
import struct
import sys


class Members(list):
    pass


def refuse(name):
    raise ValueError(name)


def measure(value):
    """depth, keys, items, tokens; without recursion"""

    depth = keys = items = tokens = 0
    stack = [(value, 1)]

    while stack:
        value, level = stack.pop()
        tokens += 1

        if isinstance(value, Members):
            keys = max(keys, len(value))
            tokens += len(value)
            members = [member for _, member in value]

        elif isinstance(value, list):
            items = max(items, len(value))
            members = value

        else:
            continue

        depth = max(depth, level)
        stack.extend((member, level + 1) for member in members)

    return depth, keys, items, tokens


def judge(text):
    try:

        # loads() of bytes would let surrogates pass, and guess UTF-16

        value = json.loads(text.decode('utf-8-sig'),
                           parse_constant=refuse,
                           object_pairs_hook=Members)

    except (ValueError, RecursionError):
        return 'bad'

    return '%d %d %d %d' % measure(value)


def main():
    if hasattr(sys, 'set_int_max_str_digits'):
        sys.set_int_max_str_digits(0)

    data = sys.stdin.buffer.read()
    pos = 0

    while pos < len(data):
        length, = struct.unpack('<I', data[pos:pos + 4])
        pos += 4
        print(judge(data[pos:pos + length]))
        pos += length


main()
