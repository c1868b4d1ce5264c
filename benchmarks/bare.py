"""What a link or a payment cannot do without: a call to Stripe and two commits."""

import time

import psycopg2
import requests


class Bare:
    """One bare `requests.post` of *form* to *url* and two bare commits, and nothing else."""

    def __init__(self, url: str, form: dict[str, str], database_url: str) -> None:
        self._url, self._form = url, form
        self._connection = psycopg2.connect(database_url)
        self._commit("CREATE TABLE IF NOT EXISTS bare (id serial PRIMARY KEY, note text)")

    def once(self) -> tuple[float, float]:
        """Do it; return how many seconds it took, and how many of this thread's processor."""
        started, begun = time.perf_counter(), time.thread_time()
        self._commit("INSERT INTO bare (note) VALUES ('claimed')")
        requests.post(self._url, data=self._form, timeout=20).json()
        self._commit("INSERT INTO bare (note) VALUES ('completed')")
        return time.perf_counter() - started, time.thread_time() - begun

    def _commit(self, statement: str) -> None:
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(statement)
