from channels.generic.websocket import AsyncJsonWebsocketConsumer
from redis.exceptions import RedisError

VIA = "Channels"


class Room(AsyncJsonWebsocketConsumer):
    """A consumer of Channels. Wye's consumers are in the same group."""

    async def connect(self):
        user = self.scope["user"]
        await self.accept()
        if not user.is_authenticated:
            await self.close(3000)  # a page learns a code only from an accepted connection
            return
        self.name = user.get_username()
        await self.channel_layer.group_add("lobby", self.channel_name)
        await self.send_json({"kind": "hello", "user": self.name})

    async def receive_json(self, content):
        event = {"type": "chat.message", "user": self.name, "text": str(content["text"])[:1000], "via": VIA}
        try:
            await self.channel_layer.group_send("lobby", event)
        except RedisError:
            await self.send_json({"kind": "unsent", "text": event["text"]})

    async def chat_message(self, event):
        line = {key: event[key] for key in ("user", "text", "via")}
        await self.send_json({"kind": "line", **line})
