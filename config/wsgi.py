"""The entry point of the web role: what is in memory is answered in front of Django."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

_django = get_wsgi_application()

from infrastructure.http.front import fronted  # noqa: E402  (once Django is set up)

application = fronted(_django)
