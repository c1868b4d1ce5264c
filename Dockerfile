# The service's image: docker build -t stripe-linking .
# The process runs as an unprivileged user and writes nowhere but to /tmp (mount a tmpfs there).

FROM python:3.13-slim-bookworm AS packages
WORKDIR /build
COPY requirements.txt ./
# The environment gets no pip of its own: nothing in the result can install anything.
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-input \
       --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.txt

FROM python:3.13-slim-bookworm
RUN pip uninstall --yes pip \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin service
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/service
COPY config.py config_checks.py config_machine.py manage.py gunicorn.conf.py ./
COPY migrations migrations
COPY app app
RUN /opt/venv/bin/python -m compileall -q app migrations config*.py manage.py
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    APP_ENV=production \
    HOST=0.0.0.0 \
    PORT=5000
USER 10001
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/live', timeout=2)"]
CMD ["gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]
