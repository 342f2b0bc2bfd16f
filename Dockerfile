# One image for every role: the command names it (see compose.yaml).
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements.txt
WORKDIR /app
COPY manage.py ./
COPY config config
COPY infrastructure infrastructure
COPY domains domains
COPY demo demo
COPY devstack devstack
RUN /opt/venv/bin/python -m compileall -q /app /opt/venv/lib

FROM python:3.13-slim-bookworm
RUN groupadd --gid 10001 kontor \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin kontor \
    && install -d -o 10001 -g 10001 /secrets /state /files
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# Nothing but /tmp, /dev/shm and mounted volumes is written to, so the root file system may be
# read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    HEARTBEAT_FILE=/tmp/heartbeat \
    HOST=0.0.0.0
WORKDIR /app
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "devstack.health"]
# WEB_WORKERS (2), WEB_THREADS (8), HOST and PORT (8000) are its settings.
CMD ["python", "-m", "devstack.web"]
