"""A node of channels_redis's layers, for the command nodes, which drives it: its members
are channels of the layer, each with a loop that receives. See package node in internal/node,
whose requests and replies these are.

    python3 node.py pubsub|core redis://127.0.0.1:6379 sends|receives
"""

import asyncio
import json
import os
import resource
import sys
import time

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

PIPE = 3
SAMPLED = 10
TEXT = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"


def bucket(v):
    exp = max(v.bit_length() - 7, 0)
    return (exp << 6) + (v >> exp)


class Node:
    def __init__(self, layer, sends):
        self.layer = layer
        self.sends_here = sends
        self.tasks = []
        self.sending = []
        self.sends = self.deliveries = self.every = 0
        self.period = self.heard = self.heard_at = 0
        self.latencies = {}
        self.error = None
        self.window = None
        self.acks = []
        self.done = 0
        self.acknowledge = 0

    async def member(self, channel, sampled):
        period = 0
        while True:
            message = await self.layer.receive(channel)
            if period != self.period:
                period = self.period
                self.heard += 1
                self.heard_at = time.time_ns()
            self.deliveries += 1
            if self.every and self.deliveries % self.every == 0:
                self.acknowledged_here()
            if sampled:
                b = bucket(max(time.time_ns() - message["t"], 0))
                self.latencies[b] = self.latencies.get(b, 0) + 1

    async def join(self, q):
        for i in range(q.get("groups", 0)):
            members = q.get("members", 0)
            for j in range(members):
                channel = await self.layer.new_channel()
                await self.layer.group_add("g%d" % (q.get("first", 0) + i), channel)
                step = max(members // SAMPLED, 1)
                self.tasks.append(asyncio.create_task(self.member(channel, j % step == step // 2)))
        await asyncio.sleep(0)

    def acknowledged_here(self):
        if self.sends_here:
            self.acknowledged(1)
        else:
            os.write(PIPE, b"\0")

    def acknowledged_there(self):
        for _ in os.read(PIPE, 64):
            self.acknowledged(0)

    def acknowledged(self, peer):
        if self.window is None or peer >= len(self.acks):
            return
        self.acks[peer] += 1
        if min(self.acks) > self.done:
            self.done += 1
            for _ in range(self.acknowledge):
                self.window.release()

    async def sender(self, group):
        while True:
            await self.window.acquire()
            try:
                await asyncio.shield(self.send(group))
            except asyncio.CancelledError:
                raise
            except Exception as e:
                self.error = repr(e)

    async def send(self, group):
        await self.layer.group_send(group, {"type": "bench.said", "t": time.time_ns(), "text": TEXT})
        self.sends += 1

    async def pace(self, rate, senders):
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += 1 / rate
            await asyncio.sleep(due - loop.time())
            if self.window._value < senders:
                self.window.release()

    async def start(self, q):
        group = "g%d" % q.get("first", 0)
        window = q.get("window", 0)
        self.acks, self.done, self.acknowledge = [0] * q.get("peers", 0), 0, q.get("acknowledge", 0) if window else 0
        self.window = asyncio.Semaphore(window)
        if q.get("rate"):
            self.sending.append(asyncio.create_task(self.pace(q["rate"], q["senders"])))
        for _ in range(q["senders"]):
            self.sending.append(asyncio.create_task(self.sender(group)))

    async def stop(self, q):
        for task in self.sending:
            task.cancel()
        await asyncio.gather(*self.sending, return_exceptions=True)
        self.sending, self.window = [], None
        sent = -1
        while sent != self.sends:  # shielded sends end by themselves
            sent = self.sends
            await asyncio.sleep(0.2)

    async def expect(self, q):
        self.sends = self.deliveries = self.heard = 0
        self.latencies = {}
        self.period += 1
        self.every = q.get("acknowledge", 0) * q.get("members", 0)

    async def stats(self, q):
        pass

    async def do(self, q):
        do = {"join": self.join, "expect": self.expect, "start": self.start, "stop": self.stop, "stats": self.stats}
        try:
            if q["do"] == "send":
                await self.send("g%d" % q.get("first", 0))
            else:
                await do[q["do"]](q)
        except Exception as e:
            self.error = repr(e)
        used = resource.getrusage(resource.RUSAGE_SELF)
        reply = {
            "at": time.time_ns(), "user": int(used.ru_utime * 1e9), "system": int(used.ru_stime * 1e9),
            "sends": self.sends, "deliveries": self.deliveries, "heard": self.heard, "heard_at": self.heard_at,
        }
        if self.error:
            reply["error"], self.error = self.error, None
        if q["do"] == "stats":
            reply["latencies"], self.latencies = self.latencies, {}
        return reply


async def main(backend, url, role):
    if backend == "core":
        layer = RedisChannelLayer(hosts=[url], capacity=1_000_000)
    else:
        layer = RedisPubSubChannelLayer(hosts=[url])
    node = Node(layer, role == "sends")
    loop = asyncio.get_running_loop()
    if node.sends_here:
        os.set_blocking(PIPE, False)
        loop.add_reader(PIPE, node.acknowledged_there)
    requests = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    while True:
        line = await requests.readline()
        if not line:
            break
        reply = await node.do(json.loads(line))
        os.write(1, json.dumps(reply).encode() + b"\n")
    os._exit(0)  # the loops of the members do not end


asyncio.run(main(*sys.argv[1:]))
