from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import path

from chat import views

urlpatterns = [
    path("", views.room),
    path("say/", views.say, name="say"),
    path("whoami/", views.whoami),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
] + staticfiles_urlpatterns()
