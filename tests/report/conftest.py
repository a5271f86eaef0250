"""A video of a minute with stations, and one browser for all tests of pages."""

import pytest
from browser import chromium, resize
from pages import page_of
from procedures import write_video


@pytest.fixture(scope="session")
def minute(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("minute") / "predictions")


@pytest.fixture(scope="session")
def stations(tmp_path_factory):
    path = tmp_path_factory.mktemp("stations") / "stations.csv"
    path.write_text("start,end,station\n0,15,diaphragm right\n15,19,pelvis\n41,52,liver\n")
    return path


@pytest.fixture(scope="session")
def driver():
    with chromium() as one:
        yield one


@pytest.fixture(scope="session")
def folder(tmp_path_factory, stations):
    """A video of a minute with its page."""
    folder = write_video(tmp_path_factory.mktemp("case") / "predictions", score_scale=[2.0, 1.0])
    page_of(folder, "--stations", str(stations))
    return folder


@pytest.fixture
def page(driver, folder):
    resize(driver, 1200)
    driver.get((folder / "report.html").as_uri())
    assert driver.get_log("browser") == []
    return driver
