"""The sheet in a real headless Chromium: what is entered is added up, and kept nowhere."""

from browser import find, find_all, needs_chromium
from procedures import SIZE

pytestmark = needs_chromium


def test_the_index_is_the_sum_of_what_is_entered_and_of_nothing_less(page):
    fields = find_all(page, "fieldset.item")
    output = find(page, "#index")
    assert output.text == "Incomplete: 0 of 7 items entered."
    values = ["2", "0", "2", "2", "0", "0", "2"]
    for number, (field, value) in enumerate(zip(fields, values, strict=True), 1):
        find(field, f"input[value='{value}']").send_keys(" ")
        if number < 7:
            assert output.text == f"Incomplete: {number} of 7 items entered."
    assert output.text == (
        "Predictive index 8 of 14, from the values entered above: at or above the cut-off 8, below the cut-off 10."
    )
    find(fields[1], "input[value='2']").send_keys(" ")
    assert "Predictive index 10 of 14" in output.text
    assert "at or above the cut-off 10" in output.text
    find(page, "#sheet-reset").click()
    page.execute_async_script("setTimeout(arguments[0], 50)")
    assert output.text == "Incomplete: 0 of 7 items entered."
    assert not find_all(page, "input[type=radio]:checked")


def enter(page):
    for name, text in (("id", "A-17"), ("date", "2026-01-02"), ("surgeon", "Dr. Example"), ("signature", "E.")):
        find(page, f"#case-{name}").send_keys(text)


def values(page):
    return [one.get_property("value") for one in find_all(page, ".case input")]


def test_the_case_stands_beside_the_signature_too(page):
    enter(page)
    assert values(page) == ["A-17", "2026-01-02", "Dr. Example", "E."]
    assert find(page, "#case-again").text == "A-17"
    find(page, "#sheet-reset").click()
    page.execute_async_script("setTimeout(arguments[0], 50)")
    assert values(page) == [""] * 4
    assert find(page, "#case-again").text == ""


def test_entries_are_gone_when_the_page_is_opened_again(page):
    find(page, "fieldset.item input[value='2']").send_keys(" ")
    enter(page)
    stored = page.execute_script(
        "return [localStorage.length, sessionStorage.length, document.cookie, location.search]"
    )
    assert stored == [0, 0, "", ""]
    assert "A-17" not in page.execute_script("return document.querySelector('.case').outerHTML")
    page.refresh()
    assert find(page, "#index").text == "Incomplete: 0 of 7 items entered."
    assert values(page) == [""] * 4


def test_enter_in_a_field_sends_nothing(page):
    before = page.current_url
    find(page, "#case-id").send_keys("A-17\n")
    assert page.current_url == before
    assert values(page)[0] == "A-17"
    assert page.get_log("browser") == []


def test_fields_have_names(page):
    page.execute_cdp_cmd("Accessibility.enable", {})
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    names = [one["name"]["value"] for one in nodes if one.get("role", {}).get("value") == "textbox"]
    assert [name.split(" (")[0].strip() for name in names] == [
        "Case or patient identifier",
        "Date of the laparoscopy",
        "Surgeon",
        "Signature",
    ]


def test_evidence_shows_the_frame_with_its_points(page):
    link = find(page, "fieldset[data-item=diaphragmatic] .thumbs a")
    assert link.get_attribute("href").endswith("#fig-frame-0")
    box = page.execute_script("return arguments[0].getBBox()", find(link, "use"))
    assert (round(box["width"]), round(box["height"])) == (SIZE[1], SIZE[0])
    assert not find_all(page, "fieldset[data-item=omental] .thumbs")
