#!/usr/bin/python3

# Copyright (C) nginx-guardrail authors

# HTTP/3 for Guardrail/Http3.pm, by the library aioquic.  One connection to
# a port of loopback; commands come in as lines of JSON, and each is answered
# by one:
#
#   open     headers, end              stream
#   data     stream, data, end, cut    sent: bytes that went to the library
#   reset    stream
#   read     stream, timeout           what came on it
#   state                              gone: the connection is closed
#
# Bodies are in base64.

import asyncio
import base64
import json
import ssl
import sys

from aioquic.asyncio import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import (ConnectionTerminated, StopSendingReceived,
                                 StreamReset)


class Stream:
    def __init__(self):
        self.headers = []
        self.interim = []
        self.body = b""
        self.ended = False
        self.reset = None
        self.stopped = None


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.streams = {}
        self.gone = None
        self.changed = asyncio.Event()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.gone = event.error_code

        elif isinstance(event, StreamReset):
            self.stream(event.stream_id).reset = event.error_code

        elif isinstance(event, StopSendingReceived):
            self.stream(event.stream_id).stopped = event.error_code

        for e in self.http.handle_event(event):
            self.http_event(e)

        self.changed.set()

    def http_event(self, e):
        if not isinstance(e, (HeadersReceived, DataReceived)):
            return

        s = self.stream(e.stream_id)

        if isinstance(e, DataReceived):
            s.body += e.data

        else:
            fields = [(n.decode(), v.decode("latin-1")) for n, v in e.headers]
            status = int(dict(fields).get(":status", 0))

            if 100 <= status < 200:
                s.interim.append(status)

            else:
                s.headers += fields

        s.ended = s.ended or e.stream_ended

    def stream(self, sid):
        return self.streams.setdefault(sid, Stream())

    async def until(self, seconds, done):
        end = asyncio.get_running_loop().time() + seconds

        while not done() and self.gone is None:
            left = end - asyncio.get_running_loop().time()

            if left <= 0:
                return

            self.changed.clear()

            try:
                await asyncio.wait_for(self.changed.wait(), min(left, 0.05))
            except asyncio.TimeoutError:
                pass

    async def open(self, headers, end=False, **_):
        sid = self._quic.get_next_available_stream_id()
        self.stream(sid)

        self.http.send_headers(
            sid, [(n.encode(), v.encode("latin-1")) for n, v in headers],
            end_stream=end)
        self.transmit()

        return {"stream": sid}

    async def data(self, stream, data, end=False, cut=0, **_):
        data = base64.b64decode(data)
        s = self.stream(stream)
        sent = 0
        cut = cut or 16384

        while s.stopped is None and not s.ended and s.reset is None:
            piece = data[sent:sent + cut]
            last = sent + len(piece) == len(data)

            if not piece and not (last and end):
                break

            self.http.send_data(stream, piece, end_stream=last and end)
            self.transmit()
            sent += len(piece)

            # what does not fit into the windows is kept by the library: not
            # much of it, or an early answer could stop nothing

            sender = self._quic._streams[stream].sender

            await self.until(10, lambda: len(sender._buffer) < 65536
                             or s.stopped is not None or s.ended)
            await asyncio.sleep(0)

            if last:
                break

        return {"sent": sent}

    async def reset(self, stream, **_):
        self._quic.reset_stream(stream, 0x10c)
        self.transmit()

        return {}

    async def read(self, stream, timeout=10, **_):
        s = self.stream(stream)

        await self.until(timeout, lambda: s.ended or s.reset is not None)

        # it may follow the end of the response, in the same packet

        await self.until(0.05, lambda: s.stopped is not None)

        return {
            "headers": s.headers, "interim": s.interim, "reset": s.reset,
            "stopped": s.stopped, "ended": s.ended, "gone": self.gone,
            "body": base64.b64encode(s.body).decode(),
        }

    async def state(self, **_):
        await asyncio.sleep(0)

        return {"gone": self.gone}


async def main(port):
    conf = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN,
                             verify_mode=ssl.CERT_NONE,
                             server_name="localhost")
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 28)

    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async with connect("127.0.0.1", port, configuration=conf,
                       create_protocol=Client, local_port=0) as client:
        print("{}", flush=True)

        while line := await lines.readline():
            command = json.loads(line)
            call = getattr(client, command.pop("op"))

            print(json.dumps(await call(**command)), flush=True)


asyncio.run(main(int(sys.argv[1])))
