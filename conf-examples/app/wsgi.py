# Copyright (C) nginx-guardrail authors

"""A WSGI application that knows what a body holds before it reads it: the
guard in front has counted.  For conf-examples/backends-gunicorn.conf and
conf-examples/backends-uwsgi.conf:

    gunicorn --workers 4 --bind 127.0.0.1:8000 wsgi:app
    uwsgi --plugin python3 --socket 127.0.0.1:8000 --processes 4 --master \
          --need-app --module wsgi:app

The three fields are nginx's own, which drops those of clients.  That is worth
something as long as nobody but nginx reaches the application: bind it to the
loopback, or to a socket.
"""

import gzip
import json

from flask import Flask, jsonify, request

app = Flask(__name__)

# above this an upload is work for later; a worker is not kept busy with it

LATER = 1000


def measured(name):
    """What the guard counted, None where it had nothing to count."""

    value = request.headers.get("X-Guardrail-" + name)

    return int(value) if value else None


@app.get("/")
def index():
    return "POST /ingest takes NDJSON, gzip or not\n"


@app.post("/ingest")
def ingest():
    records = measured("Records")

    known = {
        "records": records,
        "decoded_bytes": measured("Decoded-Bytes"),
        "memory": measured("Memory"),
    }

    if records is not None and records > LATER:
        return later(known)

    data = request.get_data(cache=False)

    if request.headers.get("Content-Encoding", "").lower() == "gzip":
        data = gzip.decompress(data)

    rows = [json.loads(line) for line in data.splitlines() if line.strip()]

    return jsonify(**known, rows=len(rows), bytes=len(data))


def later(known):
    """Stores the bytes as they are, coded and unparsed, for another process."""

    size = 0

    while chunk := request.stream.read(65536):
        size += len(chunk)

    return jsonify(**known, stored=size), 202
