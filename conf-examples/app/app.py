# Copyright (C) nginx-guardrail authors

"""An ingest service as many are written: it takes the whole body, decodes it,
and keeps every row.  Nothing in it is wrong, and nothing in it asks how much
memory a body needs; that is what the guard in front of it is for.

    gunicorn --workers 2 --bind 127.0.0.1:8000 app:app
"""

import gzip
import json
import os
import resource

from flask import Flask, jsonify, request

app = Flask(__name__)


def body():
    data = request.get_data(cache=False)

    if request.headers.get("Content-Encoding", "").lower() == "gzip":
        data = gzip.decompress(data)

    return data


def answer(**fields):
    usage = resource.getrusage(resource.RUSAGE_SELF)

    return jsonify(worker=os.getpid(), peak_rss_mb=usage.ru_maxrss // 1024,
                   **fields)


@app.get("/")
def usage():
    return "POST /ingest takes NDJSON, POST /upload anything; gzip or not\n"


@app.post("/ingest")
def ingest():
    rows = []

    for line in body().splitlines():
        if line.strip():
            rows.append(json.loads(line))

    return answer(rows=len(rows))


@app.post("/upload")
def upload():
    return answer(bytes=len(body()))
