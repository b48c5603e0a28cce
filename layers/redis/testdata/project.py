"""A Django project in one file, with a consumer and a view, served by uvicorn on a free port.

usage: project.py REDIS_URL

The first line on stdout is the port. The process ends when stdin does.
"""

import os
import socket
import sys
import threading

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [sys.argv[1]]},
        }
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
)
django.setup()

from asgiref.sync import async_to_sync  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


class Chat(AsyncWebsocketConsumer):
    """Says what comes to its group, and sends it what its peer says."""

    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send("I am " + self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send(self.room, {"type": "chat.said", "text": text_data})

    async def chat_said(self, event):
        await self.send("Django has " + event["text"])

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)


def say(request, room):
    """A view without async."""
    async_to_sync(get_channel_layer().group_send)(room, {"type": "chat.said", "text": request.GET["text"]})
    return HttpResponse("said")


def tell(request, room):
    """Sends a message to the peers of consumers that run in Wye; no consumer handles it."""
    async_to_sync(get_channel_layer().group_send)(room, {"type": "websocket.send", "text": request.GET["text"]})
    return HttpResponse("told")


urlpatterns = [path("say/<str:room>/", say), path("tell/<str:room>/", tell)]

application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("chat/<str:room>/", Chat.as_asgi())]),
    }
)


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    import uvicorn

    threading.Thread(target=end_with_stdin, daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, log_level="warning", lifespan="off")
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])
