# Copyright (C) nginx-guardrail authors

"""An ASGI application that knows what a body holds before it reads it, and one
that takes uploads as they come.  For conf-examples/backends-uvicorn.conf and
conf-examples/backends-streaming.conf:

    UPLOADS=/var/lib/uploads uvicorn --workers 2 --port 8000 asgi:app

The X-Guardrail fields are nginx's own, which drops those of clients.  That is
worth something as long as nobody but nginx reaches the application.
"""

import gzip
import json
import os
import tempfile

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

app = FastAPI()


def measured(request, name):
    """What the guard counted, None where it had nothing to count."""

    value = request.headers.get("x-guardrail-" + name)

    return int(value) if value else None


@app.get("/")
async def index():
    return "POST /ingest takes NDJSON, POST /stream anything"


@app.post("/ingest")
async def ingest(request: Request):
    data = await request.body()

    if request.headers.get("content-encoding", "").lower() == "gzip":
        data = gzip.decompress(data)

    rows = [json.loads(line) for line in data.splitlines() if line.strip()]

    return {
        "records": measured(request, "records"),
        "decoded_bytes": measured(request, "decoded-bytes"),
        "memory": measured(request, "memory"),
        "rows": len(rows),
        "bytes": len(data),
    }


@app.post("/stream")
async def stream(request: Request):
    """Keeps an upload, or nothing of it: one that ends early was refused, or
    given up, and what came of it is removed."""

    directory = os.environ["UPLOADS"]
    size = 0

    with tempfile.NamedTemporaryFile(dir=directory, suffix=".part") as part:
        try:
            async for chunk in request.stream():
                part.write(chunk)
                size += len(chunk)

        except ClientDisconnect:
            return JSONResponse({"kept": False}, status_code=400)

        part.flush()
        name = part.name.removesuffix(".part")
        os.link(part.name, name)

    return {"kept": os.path.basename(name), "bytes": size,
            "records": measured(request, "records")}
