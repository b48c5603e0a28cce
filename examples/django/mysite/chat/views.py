import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.decorators import login_required
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


@login_required
@ensure_csrf_cookie
def room(request):
    return render(request, "chat/room.html")


@login_required
@require_POST
def say(request):
    """Sends a line to everyone in the room: to Wye's consumers and to those of Channels."""
    event = {
        "type": "chat.message",
        "user": request.user.get_username(),
        "text": request.POST.get("text", "")[:1000],
        "via": "a view of Django",
    }
    try:
        async_to_sync(get_channel_layer().group_send)("lobby", event)
    except RedisError:
        log.exception("say")
        return HttpResponse("Redis cannot be reached; nobody has received the line.", status=503)
    return HttpResponse(status=204)


def whoami(request):
    """Tells Wye who has the session of the cookie."""
    user = request.user
    if not user.is_authenticated:
        return HttpResponse(status=401)
    return JsonResponse({"id": str(user.pk), "name": user.get_username()})


@receiver(user_logged_in)
def remember_name(request, user, **kwargs):
    """Puts the name beside the ID into the session, for a Wye that reads signed cookies."""
    request.session["username"] = user.get_username()


@receiver(user_logged_out)
def hang_up(user, **kwargs):
    """Closes the user's connections to Wye, on every node. Call it also where a password
    changes or a user is deactivated. Consumers of Channels must not be in this group: an
    event that they have no method for kills them."""
    if user is None:
        return
    event = {"type": "wye.close", "code": 3000, "reason": "logged out"}
    try:
        async_to_sync(get_channel_layer().group_send)(f"user.{user.pk}", event)
    except RedisError:
        log.exception("the connections of user %s stay open", user.pk)
