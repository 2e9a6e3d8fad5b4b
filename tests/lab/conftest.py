"""What all tests of the lab share."""
import os

import netlab
import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "plainonly: not for sanitized builds: asserts times or rates, or has no scanner")


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the lab makes network namespaces, and only root may", returncode=1)


@pytest.fixture
def lab():
    """Namespaces and links that are gone when the test is over."""
    with netlab.Lab() as value:
        yield value


@pytest.fixture
def noctule():
    """The program under test."""
    assert netlab.NOCTULE.exists(), f"{netlab.NOCTULE} is not built"
    return netlab.NOCTULE
