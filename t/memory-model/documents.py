# Copyright (C) nginx-guardrail authors

# The documents by which the memory model is judged.  Each is a name, a mode
# (document, body or record) and a function that gives its bytes.  Nothing
# here is random without a seed.

import json
import random


def dumps(value, **options):
    options.setdefault('separators', (',', ':'))
    options.setdefault('ensure_ascii', False)

    return json.dumps(value, **options).encode('utf-8', 'surrogatepass')


def lines(values):
    return b''.join(dumps(value) + b'\n' for value in values)


def times(text, count):
    return b'[' + b','.join([text] * count) + b']'


def string(text):
    return b'"' + text.encode() + b'"'


# what public documents are like: coordinates, catalogues, statuses, tables

def coordinates(count, digits, seed=1):
    r = random.Random(seed)

    return dumps({'type': 'FeatureCollection', 'features': [
        {'type': 'Feature', 'properties': {'name': 'Canada'},
         'geometry': {'type': 'Polygon', 'coordinates': [
             [[round(r.uniform(-141, -52), digits),
               round(r.uniform(41, 83), digits)] for _ in range(count // 50)]
             for _ in range(50)]}}]})


def catalogue(count, indent, seed=2):
    r = random.Random(seed)
    names = {str(200000000 + i): 'Événement n° %d' % i if i % 9 == 0
             else 'Category %d' % i for i in range(count)}

    return dumps({
        'areaNames': names, 'blockNames': {},
        'events': {key: {'description': None, 'id': int(key),
                         'logo': r.choice([None, '/images/%s.png' % key]),
                         'name': name, 'subTopicIds': [337184269, 337184283],
                         'subjectCode': None, 'subtitle': None,
                         'topicIds': [324846099, 107888604]}
                   for key, name in names.items()},
        'performances': [
            {'eventId': 200000000 + r.randrange(count), 'id': 339887544 + i,
             'logo': None, 'name': None,
             'prices': [{'amount': r.randrange(9000, 99000),
                         'audienceSubCategoryId': 337100890,
                         'seatCategoryId': 338937235 + k} for k in range(4)],
             'seatCategories': [
                 {'areas': [{'areaId': 205705999 + k, 'blockIds': []}
                            for k in range(5)],
                  'seatCategoryId': 338937235}],
             'start': 1372701600000 + i, 'venueCode': 'PLEYEL_PLEYEL'}
            for i in range(count)]}, indent=indent, separators=(',', ' : '))


def statuses(count, alphabet, ascii_only=False, indent=2, seed=3):
    r = random.Random(seed)

    def text(n):
        return ''.join(r.choice(alphabet) for _ in range(n))

    return dumps({'statuses': [
        {'metadata': {'result_type': 'recent', 'iso_language_code': 'ja'},
         'created_at': 'Sun Aug 31 00:29:15 +0000 2014',
         'id': 505874924095815700 + i, 'id_str': str(505874924095815700 + i),
         'text': text(70), 'truncated': False,
         'source': '<a href="http://twitter.com/download/iphone" '
                   'rel="nofollow">Twitter for iPhone</a>',
         'in_reply_to_status_id': None, 'in_reply_to_screen_name': 'a%d' % i,
         'user': {'id': 1186275104 + i, 'id_str': str(1186275104 + i),
                  'name': text(7), 'screen_name': 'ayuu%d' % i,
                  'location': '', 'description': text(60), 'url': None,
                  'entities': {'description': {'urls': []}},
                  'protected': False, 'followers_count': r.randrange(9999),
                  'friends_count': r.randrange(999), 'listed_count': 2,
                  'created_at': 'Sat Sep 08 13:46:18 +0000 2012',
                  'favourites_count': r.randrange(999), 'utc_offset': None,
                  'geo_enabled': False, 'lang': 'en',
                  'profile_image_url': 'http://pbs.twimg.com/profile_images/'
                                       '%d/x_normal.jpeg' % i},
         'geo': None, 'coordinates': None, 'place': None,
         'retweet_count': 0, 'favorite_count': 0,
         'entities': {'hashtags': [], 'symbols': [], 'urls': [],
                      'user_mentions': [{'screen_name': 'b%d' % i,
                                         'name': text(5), 'id': 866260188,
                                         'indices': [0, 9]}]},
         'favorited': False, 'lang': 'ja'} for i in range(count)]},
        ensure_ascii=ascii_only, indent=indent, separators=(',', ': '))


def builds(count):
    return dumps({'mode': 'EXCLUSIVE', 'jobs': [
        {'name': 'job-%d-trunk' % i,
         'url': 'https://builds.example.org/job/job-%d-trunk/' % i,
         'color': ('blue', 'red', 'notbuilt')[i % 3]} for i in range(count)]},
        indent=4, separators=(',', ': '))


def people(count, seed=4):
    r = random.Random(seed)
    first = ['Åsa', 'Zoë', 'Ольга', 'Иван', 'John', 'Mary']

    return dumps({'id': 1, 'jsonrpc': '2.0', 'total': count, 'result': [
        {'id': i, 'avatar': '//www.example.com/%d.png' % i,
         'age': r.randrange(90), 'admin': r.random() < .1,
         'name': r.choice(first) + ' ' + r.choice(first),
         'company': 'Company %d' % (i % 77), 'phone': '+7%d' % (10**9 + i),
         'email': 'person%d@example.com' % i,
         'birthDate': '1970-01-%02d' % (i % 28 + 1),
         'friends': [{'id': r.randrange(count), 'name': r.choice(first),
                      'phone': '0%d' % (10**8 + i)} for _ in range(3)],
         'field': 'field value'} for i in range(count)]})


def plugins(count, seed=5):
    r = random.Random(seed)

    return dumps({'plugins': {
        'plugin-%d' % i: {
            'buildDate': 'Apr %02d, 2012' % (i % 28 + 1),
            'dependencies': [{'name': 'plugin-%d' % r.randrange(count),
                              'optional': False, 'version': '1.%d' % (i % 30)}
                             for _ in range(r.randrange(3))],
            'developers': [{'developerId': 'dev%d' % i,
                            'email': 'dev%d@example.com' % i,
                            'name': 'Łukasz %d' % i}],
            'excerpt': 'This plugin does <b>thing</b> number %d. ' % i * 3,
            'gav': 'org.example.plugins:plugin-%d:1.0' % i,
            'labels': ['report', 'builder'][:i % 3],
            'name': 'plugin-%d' % i, 'requiredCore': '1.398',
            'sha1': '%040x' % r.getrandbits(160), 'size': 10000 + i,
            'url': 'http://updates.example.org/plugin-%d.hpi' % i}
        for i in range(count)}})


def mesh(count, seed=6):
    r = random.Random(seed)

    return dumps({'batches': [{'indexRange': [0, count], 'usedBones': [0]}],
                  'morphTargets': {},
                  'positions': [r.uniform(-1, 1) for _ in range(count)],
                  'tex0': [r.random() for _ in range(count)],
                  'indices': [i * 7 % 20000 for i in range(2 * count)],
                  'influences': [[i % 4, 1] for i in range(count // 4)]})


def model(count, seed=7):
    r = random.Random(seed)

    return dumps({'metadata': {'version': 4.4, 'type': 'Object'},
                  'geometries': [
                      {'uuid': '%032X' % r.getrandbits(128),
                       'type': 'Geometry',
                       'data': {'vertices': [round(r.uniform(-90, 90), 6)
                                             for _ in range(count)],
                                'normals': [round(r.uniform(-1, 1), 6)
                                            for _ in range(count)],
                                'faces': [i * 31 % 9000
                                          for i in range(3 * count)]}}]},
                 indent=1, separators=(',', ': '))


def addresses(count):
    return dumps({'results': [
        {'address_components': [
            {'long_name': '%d Main Street' % i, 'short_name': 'Main St',
             'types': ['route', 'political'][:1 + i % 2]}] * 5,
         'formatted_address': '%d Main Street, Springfield' % i,
         'geometry': {'location': {'lat': 37.4 + i / 997,
                                   'lng': -122.1 - i / 991},
                      'location_type': 'APPROXIMATE'},
         'place_id': 'ChIJ%d' % i} for i in range(count)], 'status': 'OK'},
        indent=3, separators=(',', ' : '))


def phones(count, seed=8):
    r = random.Random(seed)

    return lines([['asin', 'brand', 'title', 'url', 'image', 'rating',
                   'reviewUrl', 'totalReviews', 'price', 'originalPrice']]
                 + [['B%09d' % i, ('Nokia', 'Motorola', '')[i % 3],
                     'Dual-Band / Tri-Mode Phone %d with Voice' % i
                     + ' Activated Dialing & Bright White Backlit Screen'
                     * r.randrange(3),
                     'https://www.example.com/Phone-%d/dp/B%09d' % (i, i),
                     'https://images.example.com/images/I/%d.jpg' % i,
                     round(r.uniform(1, 5), 1),
                     'https://www.example.com/product-reviews/B%09d' % i,
                     r.randrange(400), 0, 49.95] for i in range(count)])


def table(count, seed=9):
    r = random.Random(seed)

    return dumps([{'id': i, 'name': 'user%d' % i, 'score': r.random(),
                   'tags': ['a', 'b'], 'active': i % 2 == 0}
                  for i in range(count)])


def nested(depth, count):
    return times(b'[' * depth + b']' * depth, count)


def dicts(depth):
    return b'{"a":' * depth + b'0' \
        + b',"b":0,"c":0,"d":0,"e":0,"f":0}' * depth


LITERALS = (b'true', b'false', b'null')


DOCUMENTS = [
    ('coordinates', 'document', lambda: coordinates(55000, 6)),
    ('catalogue', 'document', lambda: catalogue(1200, 4)),
    ('statuses, CJK and emoji', 'document',
     lambda: statuses(300, 'あいう会議東京 abc' + '😀')),
    ('statuses, escaped', 'document',
     lambda: statuses(300, 'あいう会議東京 abc' + '😀', True, None)),
    ('statuses, ASCII', 'document',
     lambda: statuses(40, 'abcdefgh ijk', indent=None)),
    ('builds', 'document', lambda: builds(800)),
    ('people', 'document', lambda: people(1000)),
    ('plugins', 'document', lambda: plugins(800)),
    ('prices', 'document', lambda: dumps(
        {'instruments': [{'default_price': 0, 'id': i, 'ticks': [1, 2, 3, 5],
                          'name': 'I%d' % i, 'flags': None}
                         for i in range(2800)]}, indent=2)),
    ('numbers', 'document', lambda: dumps(
        [random.Random(i).uniform(-100, 100) for i in range(8000)])),
    ('mesh', 'document', lambda: mesh(16000)),
    ('model', 'document', lambda: model(45000)),
    ('addresses', 'document', lambda: addresses(20)),
    ('phones, NDJSON', 'body', lambda: phones(790)),

    ('objects holding a list', 'document', lambda: times(b'{"a":[0]}', 20000)),
    ('empty objects', 'document', lambda: times(b'{}', 40000)),
    ('empty lists', 'document', lambda: times(b'[]', 40000)),
    ('two-char strings', 'document', lambda: times(b'"ab"', 40000)),
    ('one-char strings', 'document', lambda: times(b'"a"', 40000)),
    ('empty strings', 'document', lambda: times(b'""', 40000)),
    ('strings of 30', 'document', lambda: times(string('x' * 30), 20000)),
    ('ints of 4 digits', 'document', lambda: times(b'1234', 40000)),
    ('ints of 18 digits', 'document', lambda: times(b'123456789' * 2, 30000)),
    ('ints of 40 digits', 'document', lambda: times(b'12345' * 8, 10000)),
    ('negative ints', 'document', lambda: dumps(
        [-6 - i * 7 for i in range(30000)])),
    ('floats', 'document', lambda: dumps([i / 10 for i in range(40000)])),
    ('floats of 17 digits', 'document', lambda: dumps(
        [random.Random(i).random() for i in range(30000)])),
    ('zeros', 'document', lambda: times(b'0', 100000)),
    ('small ints', 'document', lambda: dumps(
        [i % 105 - 5 for i in range(60000)])),
    ('literals', 'document', lambda: b'[' + b','.join(
        LITERALS[i % 3] for i in range(60000)) + b']'),
    ('long ASCII string', 'document', lambda: string('x' * 1000000)),
    ('long ASCII string and an emoji', 'document',
     lambda: string('x' * 500000 + '😀')),
    ('long ASCII string and an emoji in front', 'document',
     lambda: string('😀' + 'x' * 500000)),
    ('long ASCII string and an escaped emoji', 'document',
     lambda: string('x' * 500000 + '\\ud83d\\ude00')),
    ('Latin-1 string', 'document', lambda: string('é' * 300000)),
    ('CJK string', 'document', lambda: string('会' * 300000)),
    ('escaped CJK string', 'document', lambda: string('\\u4f1a' * 200000)),
    ('escaped newlines', 'document', lambda: string('\\n' * 300000)),
    ('CJK strings of 10', 'document', lambda: times(string('会' * 10), 20000)),
    ('strings of 10 with an emoji', 'document',
     lambda: times(string('x' * 9 + '😀'), 20000)),
    ('unique keys', 'document', lambda: dumps(
        {'key_%d' % i: 0 for i in range(40000)})),
    ('unique keys in many objects', 'document', lambda: dumps(
        [{'k%d' % i: 0} for i in range(20000)])),
    ('the same 5 keys', 'document', lambda: dumps(
        [{c: i for i, c in enumerate('abcde')}] * 8000)),
    ('the same 6 keys', 'document', lambda: dumps(
        [{c: i for i, c in enumerate('abcdef')}] * 8000)),
    ('the same 11 keys', 'document', lambda: dumps(
        [{c: i for i, c in enumerate('abcdefghijk')}] * 5000)),
    ('lists of 1 to 20', 'document', lambda: dumps(
        [[0] * (i % 20 + 1) for i in range(10000)])),
    ('nested 900 deep, often', 'document', lambda: nested(900, 30)),
    ('dicts in dicts, of 6 keys', 'document', lambda: dicts(80)),
    ('mostly white space', 'document', lambda: dumps(
        [{'a': i, 'b': [i]} for i in range(3000)], indent=20)),
    ('rows of a table', 'document', lambda: table(7800)),

    ('ndjson, 20k records', 'body', lambda: lines(
        {'id': i, 'name': 'user%d' % i, 'v': i * .5} for i in range(20000))),
    ('ndjson, 20k small records', 'body', lambda: b'{"a":1}\n' * 20000),
    ('ndjson, 10k records of a list', 'body', lambda: lines(
        [i, i * 2, i * 7] for i in range(10000))),

    # services that do not keep what they read; bodies of other kinds

    ('ndjson, one by one', 'record', lambda: lines(
        {'id': i, 'text': 'x' * (i * 7919 % 5000)} for i in range(400))),
    ('byte order mark', 'document',
     lambda: b'\xef\xbb\xbf' + string('会' * 100000)),
    ('surrogates', 'document',
     lambda: string('x' * 200000)[:-1] + b'\xed\xa0\x80"'),
    ('surrogates, then an emoji', 'document',
     lambda: b'["\xed\xa0\x80",' + b' ' * 200000 + string('😀') + b']'),
    ('long float', 'document', lambda: b'0.' + b'1' * 300000),
    ('many keys used twice', 'document', lambda: dumps(
        [{'key%d' % i: i for i in range(1500)}] * 8)),
    ('more keys than are remembered', 'document', lambda: dumps(
        [{'key%d' % (i * 20 + k): 0 for k in range(20)}
         for i in range(800)])),
]
