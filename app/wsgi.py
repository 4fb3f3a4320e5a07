"""The WSGI application that gunicorn serves: `gunicorn app.wsgi:server`, with gunicorn.conf.py."""

from __future__ import annotations

from app.log import configure
from app.server import create_server
from app.services import build_services
from app.settings import get_settings

settings = get_settings()
configure(settings.log_level, settings.log_format, settings.secrets())
services = build_services(settings)
server = create_server(services)
