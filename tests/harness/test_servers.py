"""nginx and Redis of the tests' own start, answer, and come back where they were."""

import redis as client
import requests

from tests.servers import Nginx, Redis

ANSWERS = """
pid {folder}/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server { listen 127.0.0.1:{port}; location / { return 200 "here"; } }
}
"""


def test_nginx_answers_at_its_address():
    with Nginx(ANSWERS) as nginx:
        assert requests.get(nginx.url, timeout=10).text == "here"


def test_redis_comes_back_at_the_same_address():
    with Redis() as redis:
        redis.kill()
        redis.start()

        with client.Redis.from_url(redis.url) as connection:
            assert connection.ping()
