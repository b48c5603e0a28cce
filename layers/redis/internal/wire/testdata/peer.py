"""Answers one request a line with the libraries that Django Channels uses.

A message and a token travel in hexadecimal digits. A value is described by describe, as the
test in Go does it too.
"""

import json
import random
import struct
import sys

import msgpack
import msgpack.fallback
from channels_redis.core import RedisChannelLayer
from channels_redis.utils import _consistent_hash
from cryptography.fernet import InvalidToken


def describe(v):
    if v is None or isinstance(v, bool):
        return str(v)
    if isinstance(v, int):
        return str(v)
    if isinstance(v, float):
        return "nan" if v != v else "f" + struct.pack(">d", v).hex()
    if isinstance(v, str):
        return "s" + v.encode().hex()
    if isinstance(v, bytes):
        return "b" + v.hex()
    if isinstance(v, list):
        return "[" + ",".join(map(describe, v)) + "]"
    if isinstance(v, dict):
        return "{" + ",".join(sorted(describe(k) + ":" + describe(x) for k, x in v.items())) + "}"
    raise TypeError(type(v))


def text(r):
    alphabet = [range(32), range(32, 127), range(127, 0x800), range(0x800, 0xD800), range(0x10000, 0x110000)]
    return "".join(chr(r.choice(r.choice(alphabet))) for _ in range(r.choice([0, 1, 5, 40, 300])))


def value(r, with_bytes, depth=0):
    kind = r.randrange(11 if depth < 4 else 8)
    if kind == 0:
        return None
    if kind == 1:
        return r.random() < 0.5
    if kind == 2:
        return r.randrange(-(2 ** r.randrange(64)), 2 ** r.randrange(65))
    if kind == 3:
        return struct.unpack(">d", r.randbytes(8))[0]
    if kind == 4:
        return round(r.uniform(-1e6, 1e6), r.randrange(6))
    if kind == 5 and with_bytes:
        return r.randbytes(r.choice([0, 3, 300]))
    if kind < 8:
        return text(r)
    if kind == 8:
        return [value(r, with_bytes, depth + 1) for _ in range(r.choice([0, 1, 3, 20]))]
    return {text(r): value(r, with_bytes, depth + 1) for _ in range(r.choice([0, 1, 3, 20]))}


def message(r, with_bytes):
    m = {"type": "t" + text(r)}
    for _ in range(r.choice([0, 1, 3, 20])):
        m["k" + text(r)] = value(r, with_bytes)
    if r.random() < 0.3:
        m["__asgi_channel__"] = r.choice(["one", ["one"], ["one", "two"]])
    return m


DECODERS = {
    "msgpack": msgpack.unpackb,
    "fallback": lambda b: msgpack.fallback.unpackb(b),
    "json": json.loads,
}


def layer(keys):
    return RedisChannelLayer(hosts=["redis://localhost:1"], symmetric_encryption_keys=keys)


def answer(op, *args):
    if op == "describe":  # what Go has encoded
        decoder, data = args
        return describe(DECODERS[decoder](bytes.fromhex(data)))
    if op == "generate":
        serializer, seed = args
        m = message(random.Random(int(seed)), serializer == "msgpack")
        b = msgpack.packb(m) if serializer == "msgpack" else json.dumps(m).encode()
        return b.hex() + " " + describe(m)
    if op == "decrypt":
        data, *keys = args
        # 12 random bytes, which the layer removes, precede a message.
        return describe(layer(keys).deserialize(b"0123456789ab" + bytes.fromhex(data)))
    if op == "encrypt":
        seed, *keys = args
        m = message(random.Random(int(seed)), True)
        return layer(keys).serialize(m)[12:].hex() + " " + describe(m)
    if op == "age":
        data, key, ttl, now = args
        try:
            layer([key]).crypter.decrypt_at_time(bytes.fromhex(data), int(ttl), int(now))
        except InvalidToken:
            return "invalid"
        return "valid"
    if op == "shard":
        name, n = args
        return str(_consistent_hash(name, int(n)))
    raise ValueError(op)


for line in sys.stdin:
    try:
        print("ok", answer(*line.split()), flush=True)
    except Exception as e:
        print("error", type(e).__name__, " ".join(str(e).split()), flush=True)
