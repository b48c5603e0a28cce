"""A process of Django Channels, driven by a test: commands come as lines of JSON on stdin, and
answers go to stdout.

The first line is the configuration: "backend" (pubsub or core), and "config", the CONFIG of
CHANNEL_LAYERS. Each command has an "id", which its answer repeats, an "op", and "args". Several
commands run at once, so that a receive may wait. Messages are Python expressions, both ways:
JSON has no bytes. The process ends when stdin does.

The channels_redis of Debian (4.0.0) has neither serializers nor, for Pub/Sub, encryption: both
came later, and are added here in the form of channels_redis 4.3. Newer versions do it
themselves.
"""

import asyncio
import base64
import hashlib
import json
import os
import sys


def pubsub_layer(config):
    from channels_redis.pubsub import RedisPubSubChannelLayer

    return added_to(RedisPubSubChannelLayer, config, prefix_length=0, encrypts=False)


def core_layer(config):
    from channels_redis.core import RedisChannelLayer

    return added_to(RedisChannelLayer, config, prefix_length=12, encrypts=True)


def added_to(cls, config, prefix_length, encrypts):
    """Returns a layer, with what its version of channels_redis does not have."""
    try:
        import channels_redis.serializers  # noqa: F401

        return cls(**config)
    except ImportError:
        pass
    serializer = config.pop("serializer_format", "msgpack")
    keys = None if encrypts and serializer == "msgpack" else config.pop("symmetric_encryption_keys", None)
    if serializer == "msgpack" and not keys:
        return cls(**config)
    from cryptography.fernet import Fernet, MultiFernet
    import msgpack

    crypter = None
    if keys:
        digests = [hashlib.sha256(key.encode()).digest() for key in keys]
        crypter = MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])

    class Layer(cls):
        def serialize(self, message):
            body = json.dumps(message).encode() if serializer == "json" else msgpack.packb(message)
            if crypter:
                body = crypter.encrypt(body)
            return os.urandom(prefix_length) + body

        def deserialize(self, body):
            body = body[prefix_length:]
            if crypter:
                body = crypter.decrypt(body)
            return json.loads(body) if serializer == "json" else msgpack.unpackb(body)

    return Layer(**config)


def in_order(value):
    """Returns value with its dicts in the order of their keys, so that equal values have one repr."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value, key=repr)}
    if isinstance(value, list):
        return [in_order(element) for element in value]
    return value


class Peer:
    def __init__(self, layer):
        self.layer = layer

    async def versions(self):
        import channels
        import channels_redis
        import redis

        return "channels %s, channels_redis %s, redis-py %s, Python %s" % (
            channels.__version__,
            channels_redis.__version__,
            redis.__version__,
            sys.version.split()[0],
        )

    async def new_channel(self):
        return await self.layer.new_channel()

    async def group_add(self, group, channel):
        await self.layer.group_add(group, channel)

    async def group_discard(self, group, channel):
        await self.layer.group_discard(group, channel)

    async def group_send(self, group, message, times=1):
        message = self.evaluate(message)
        for _ in range(times):
            await self.layer.group_send(group, message)

    async def send(self, channel, message):
        await self.layer.send(channel, self.evaluate(message))

    async def receive(self, channel):
        return repr(in_order(await self.layer.receive(channel)))

    async def receive_all(self, channel, last):
        """Receives until a message has the type last, and returns how many there were before."""
        count = 0
        while (await self.layer.receive(channel))["type"] != last:
            count += 1
        return count

    async def normal(self, message):
        return repr(in_order(self.evaluate(message)))

    @staticmethod
    def evaluate(message):
        return eval(message, {"nan": float("nan"), "inf": float("inf")})


async def answer(peer, command):
    reply = {"id": command["id"]}
    try:
        reply["result"] = await getattr(peer, command["op"])(*(command.get("args") or []))
    except Exception as e:
        reply["error"] = "%s: %s" % (type(e).__name__, e)
    print(json.dumps(reply), flush=True)


async def main():
    stdin = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    setup = json.loads(await stdin.readline())
    make = {"pubsub": pubsub_layer, "core": core_layer}[setup["backend"]]
    peer = Peer(make(setup["config"]))
    running = set()
    while line := await stdin.readline():
        task = asyncio.create_task(answer(peer, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    os._exit(0)


asyncio.run(main())
