from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, call_command


class Command(BaseCommand):
    help = "Makes the tables and the users of the demonstration."

    def handle(self, **options):
        call_command("migrate", verbosity=0)
        for name in ("ann", "bob"):
            get_user_model().objects.create_user(name, password=name)
