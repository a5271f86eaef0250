"""The page in a real headless Chromium: the slider, a phone, names for those who cannot see."""

import pytest
from browser import find, find_all, needs_chromium, resize
from pages import NAMES, page_of
from procedures import SIZE, write_images

from carcinosis_loc.report.reading import read_findings

pytestmark = needs_chromium


def visible_points(driver, key):
    script = """
      const shown = (point) => getComputedStyle(point).visibility === 'visible';
      return [...document.querySelectorAll(`#${arguments[0]} g.p`)].filter(shown).length;
    """
    return driver.execute_script(script, key)


def test_the_slider_goes_by_keys_and_the_counts_follow(page, folder):
    from selenium.webdriver.common.keys import Keys

    findings = read_findings(folder)
    slider = find(page, "#threshold")
    assert visible_points(page, "frame-0") == 12
    slider.send_keys(*[Keys.ARROW_RIGHT] * 30)
    level = int(slider.get_property("value"))
    assert level == 30
    score = page.execute_script("return JSON.parse(document.getElementById('levels').textContent).levels.scores[30]")
    wanted = findings.counts(score)
    assert wanted[0] < 12
    for frame, _ in findings.key_frames:
        assert visible_points(page, f"frame-{frame}") == wanted[frame]
        counts = {one.text for one in find_all(page, f"[data-count='frame-{frame}']")}
        assert counts == {str(wanted[frame])}
        about = page.execute_script(f"return document.getElementById('frame-{frame}-about').textContent")
        assert about == f"{wanted[frame]} points that count, as yellow circles"
    assert find(page, "#threshold-total").text.startswith(f"{(wanted > 0).sum()} of 60 frames have a point")
    odds = (score / (1 - score)) ** 2 * 2.718281828  # the logistic curve with slope 2 and offset 1
    assert find(page, "#threshold-now").text == f"{score:.3f} (probability {odds / (1 + odds):.2f})"
    assert slider.get_attribute("aria-valuetext").startswith(f"score {score:.3f}")
    find(page, "#threshold-reset").click()
    assert visible_points(page, "frame-0") == 12


def test_points_can_be_hidden(page):
    find(page, "#show-points").click()
    assert not find(page, "#frame-0 .marks").is_displayed()
    assert find(page, "#frame-0 image").is_displayed()


def test_a_point_lies_on_the_middle_of_its_pixel(page, folder):
    """Pixel centres are at integers: (0, 0) is half a pixel from the frame's corner."""
    script = """
      const circle = document.querySelector('#frame-0 circle.peak'), frame = circle.closest('svg');
      const [c, f] = [circle.getBoundingClientRect(), frame.getBoundingClientRect()];
      return [circle.cx.baseVal.value, circle.cy.baseVal.value,
              c.x + c.width / 2 - f.x, c.y + c.height / 2 - f.y, f.width];
    """
    x, y, shown_x, shown_y, width = page.execute_script(script)
    scale = width / SIZE[1]
    assert (shown_x, shown_y) == pytest.approx(((x + 0.5) * scale, (y + 0.5) * scale), abs=0.05)


@pytest.mark.parametrize("width", [320, 360, 768])
def test_nothing_is_wider_than_the_screen(driver, folder, width):
    resize(driver, width)
    driver.get((folder / "report.html").as_uri())
    assert driver.execute_script("return document.documentElement.scrollWidth") == width
    wide = driver.execute_script(
        "return [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
        " && getComputedStyle(e).position !== 'absolute' && !e.closest('thead')).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []


def test_all_that_is_no_text_has_a_name(page):
    """By the browser's own accessibility tree."""
    page.execute_cdp_cmd("Accessibility.enable", {})
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    kinds = {
        "image",
        "img",
        "button",
        "link",
        "checkbox",
        "radio",
        "slider",
        "group",
        "radiogroup",
        "SvgRoot",
        "region",
    }
    seen = set()
    for node in nodes:
        role = node.get("role", {}).get("value")
        if node.get("ignored") or role not in kinds:
            continue
        seen.add(role)
        name = node.get("name", {}).get("value", "").strip()
        if role != "group":
            assert name, node
    assert {"button", "link", "checkbox", "radio", "slider", "radiogroup", "region"} <= seen
    assert seen & {"image", "img"}
    rows = [node for node in nodes if node.get("role", {}).get("value") == "rowheader"]
    assert rows, "tables keep their headers for screen readers"


def test_tables_are_tables_on_a_phone_too(driver, folder):
    resize(driver, 360)
    driver.get((folder / "report.html").as_uri())
    driver.execute_cdp_cmd("Accessibility.enable", {})
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    names = {node["name"]["value"] for node in nodes if node.get("role", {}).get("value") == "rowheader"}
    assert {"pelvis", "diaphragm right", "liver"} <= names


def test_text_stands_out_from_its_ground(page):
    """WCAG AA: 4.5 to 1, for every element that holds text of its own."""
    script = """
      const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
        .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
      const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
        if (!/, 0\\)$/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
      const bad = [];
      for (const e of document.querySelectorAll('body *')) {
        const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
        if (!own || e.closest('svg, script, noscript')) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
        if ((a + .05) / (b + .05) < 4.5) bad.push(e.outerHTML.slice(0, 100));
      }
      return bad;
    """
    assert page.execute_script(script) == []


def test_names_run_nothing_and_the_policy_would_stop_them(driver, tmp_path):
    folder = write_images(tmp_path, NAMES)
    page_of(folder)
    driver.get((folder / "report.html").as_uri())
    assert driver.execute_script("return window.hacked") is None
    shown = [one.text for one in find_all(driver, "#frames tbody th")]
    assert shown == [" ".join(name.split()) for name in NAMES]
    assert driver.get_log("browser") == []
    driver.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 2'; document.body.append(s);"
        "const i = new Image(); i.src = 'https://example.org/x.png'; document.body.append(i);"
    )
    assert driver.execute_script("return window.hacked") is None
    refused = " ".join(entry["message"] for entry in driver.get_log("browser"))
    assert refused.count("Content Security Policy") >= 2


def test_nothing_is_fetched(page):
    fetched = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []
