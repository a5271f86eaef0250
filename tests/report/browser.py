"""A real headless Chromium, without network, for the pages that ``carcloc report`` writes."""

import base64
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing that a page asks for can be found
)


def found(*names):
    """The first of the programs that is installed."""
    return next((path for path in map(shutil.which, names) if path), None)


CHROMIUM, DRIVER = found("chromium", "chromium-browser", "google-chrome"), found("chromedriver")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver (apt-get install chromium-driver)"
)


@contextmanager
def chromium():
    """A driver with a fresh profile; ``driver.get`` takes ``page.as_uri()``."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
        try:
            yield driver
        finally:
            driver.quit()


def resize(driver, width, height=800, scale=1):
    """A window of this many CSS pixels, however narrow."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def screenshot(driver, path):
    """The whole page as PNG."""
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    Path(path).write_bytes(base64.b64decode(shot["data"]))


def pdf(driver, path):
    """The page as it prints."""
    made = driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    Path(path).write_bytes(base64.b64decode(made["data"]))


def find(driver, selector):
    return driver.find_element("css selector", selector)


def find_all(driver, selector):
    return driver.find_elements("css selector", selector)
