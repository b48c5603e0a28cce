"""Channels' consumer for the command nodes: rooms over channels_redis, as its tutorial
writes them. WYE_BENCH_LAYER is the Redis server.

    uvicorn --app-dir . app:application
"""

import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not-secret",
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": os.environ.get("WYE_BENCH_BACKEND", "channels_redis.pubsub.RedisPubSubChannelLayer"),
            "CONFIG": {"hosts": [os.environ.get("WYE_BENCH_LAYER", "redis://127.0.0.1:6379")]},
        },
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402


class Member(AsyncWebsocketConsumer):
    """In the room, and its messages come back to itself."""

    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["name"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data)

    async def bench_said(self, event):
        await self.send(text_data=event["text"])


class Speaker(Member):
    """In the room, and its messages go to all members."""

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send(self.room, {"type": "bench.said", "text": text_data})


application = ProtocolTypeRouter(
    {"websocket": URLRouter([path("room/<name>", Speaker.as_asgi()), path("member/<name>", Member.as_asgi())])}
)
