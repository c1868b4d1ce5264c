"""What tests of the console may ask for."""

import pytest
from flask import Flask

from tests.web.pages import Browser


@pytest.fixture(name="browser")
def _browser(app: Flask) -> Browser:
    """Nobody who is signed in."""
    return Browser(app)
