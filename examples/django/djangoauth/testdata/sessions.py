"""Makes and reads session cookies with Django itself, for the tests: one JSON request a line."""
import json
import sys
from unittest import mock

from django.conf import settings

settings.configure(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies", SECRET_KEY="unused")

from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402

for line in sys.stdin:
    request = json.loads(line)
    settings.SECRET_KEY = request["key"]
    settings.SESSION_SERIALIZER = "django.contrib.sessions.serializers." + request.get("serializer", "JSONSerializer")
    if "cookie" in request:
        # An invalid cookie is a new, empty session for Django.
        store = SessionStore(request["cookie"])
        answer = dict(store.items())
    else:
        store = SessionStore()
        store.update(request["session"])
        with mock.patch("django.core.signing.time.time", lambda: request["at"]):
            store.save()
        answer = store.session_key
    print(json.dumps(answer), flush=True)
