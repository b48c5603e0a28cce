"""Prints messages of groups as Django Channels reads them, in JSON. Arguments: the serializer,
the encryption keys, separated by commas, and the messages in hexadecimal digits."""

import json
import sys

import msgpack
from channels_redis.core import RedisChannelLayer

serializer, keys, *messages = sys.argv[1:]
layer = RedisChannelLayer(hosts=["redis://localhost:1"], symmetric_encryption_keys=keys.split(",") if keys else None)
for message in messages:
    b = bytes.fromhex(message)
    if layer.crypter:
        b = layer.crypter.decrypt(b)
    print(json.dumps(json.loads(b) if serializer == "json" else msgpack.unpackb(b)))
