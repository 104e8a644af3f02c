import cv2
import numpy as np
import pytest

from fixtures.browser import browser, needs_chromium
from fixtures.made_up_run import made_up_results
from microgesture.report.page import render

pytestmark = needs_chromium

COLUMN = """(section, number) => [...document.querySelectorAll(`#${section} table.sortable`)].at(-1)
  .querySelectorAll('tbody tr').values().map((row) => row.cells[number].textContent).toArray()"""
CLICK = """(section, number) => [...document.querySelectorAll(`#${section} table.sortable`)].at(-1)
  .querySelectorAll('th button')[number].click()"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    lines = [("imigue", "rgb", name, "damaged") for name in ("0054_10", "0054_2", "0007_1")]
    (folder / "report.html").write_text(render(*made_up_results(quarantined=lines)), encoding="utf-8")
    with browser(folder / "profile") as page:
        page.open(folder / "report.html")
        yield page, folder


def column(page, section, number):
    return page.run(f"({COLUMN})('{section}', {number})")


def click(page, section, number):
    page.run(f"({CLICK})('{section}', {number})")


def test_numbers_are_sorted_by_value_the_largest_first_and_back(opened):
    page, _ = opened
    before = column(page, "classes", 4)
    click(page, "classes", 4)
    assert column(page, "classes", 4) == sorted(before, key=float, reverse=True)
    assert page.run("document.querySelector('#classes th[aria-sort]').getAttribute('aria-sort')") == "descending"
    click(page, "classes", 4)
    assert column(page, "classes", 4) == sorted(before, key=float)
    click(page, "classes", 0)
    assert column(page, "classes", 0) == ["5", "4", "3", "2", "1", "0"]
    assert page.run("document.querySelectorAll('#classes th[aria-sort]').length") == 1


def test_words_are_sorted_by_the_numbers_in_them(opened):
    page, _ = opened
    click(page, "quarantine", 2)
    assert column(page, "quarantine", 2) == ["0007_1", "0054_2", "0054_10"]


def test_the_confusion_matrix_is_put_in_order_and_keeps_its_numbers(opened):
    page, _ = opened
    read = """Object.fromEntries([...document.querySelectorAll('.matrix tbody td')].map(
      (cell) => [`${cell.parentNode.dataset.class} ${cell.dataset.class}`, cell.textContent]))"""
    numbers = "[...document.querySelectorAll('.matrix tbody tr')].map((row) => row.dataset.class)"
    heads = "[...document.querySelectorAll('.matrix thead th')].map((head) => head.dataset.class)"
    second = "[...document.querySelectorAll('.matrix tbody tr')[1].querySelectorAll('td')].map((c) => c.dataset.class)"
    before, seen, order = page.run(read), [], "document.querySelector('.order')"
    for way in range(page.run(f"{order}.options.length")):
        page.run(f"{order}.selectedIndex = {way}; {order}.dispatchEvent(new Event('change'))")
        wanted = page.run(f"{order}.selectedOptions[0].dataset.order").split(" ")
        assert page.run(numbers) == page.run(heads) == page.run(second) == wanted
        assert page.run(read) == before
        seen.append(tuple(wanted))
    assert len(set(seen)) > 1


def ink_and_paper(page, path):
    """The darkest and the most frequent grey of what is seen."""
    page.screenshot(path, 1200, 1600)
    grey_HW = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return int(np.percentile(grey_HW, 0.1)), int(np.bincount(grey_HW.ravel()).argmax())


def test_both_themes_are_shown_and_the_button_changes_them(opened):
    page, folder = opened
    for theme, other in (("light", "dark"), ("dark", "light")):
        page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        _, paper = ink_and_paper(page, folder / f"{theme}.png")
        assert (paper > 200) == (theme == "light")
        page.run("document.getElementById('theme').click()")
        _, paper = ink_and_paper(page, folder / f"{theme}_changed.png")
        assert (paper > 200) == (other == "light")
        page.run("delete document.documentElement.dataset.theme")


def test_nothing_is_wider_than_the_page_and_every_drawing_has_a_name(opened):
    page, _ = opened
    for width in (1200, 420):
        page.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("[...document.querySelectorAll('svg')].every((svg) => svg.getAttribute('aria-label'))")


def test_print_shows_whole_tables_without_buttons_and_links(opened):
    page, _ = opened
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert page.run("[...document.querySelectorAll('.wide')].every((e) => getComputedStyle(e).maxHeight === 'none')")
    page.send("Emulation.setDeviceMetricsOverride", width=720, height=900, deviceScaleFactor=1, mobile=False)
    assert page.run("document.documentElement.scrollWidth") <= 720, "wider than A4"
    page.send("Emulation.setEmulatedMedia", media="")


def test_nothing_was_asked_for_and_nothing_went_wrong(opened):
    page, folder = opened
    outside = [url for url in page.requests() if not url.startswith("data:")]
    assert outside == [(folder / "report.html").as_uri()]
    assert page.problems() == []


def test_what_is_asked_for_and_goes_wrong_elsewhere_is_seen(tmp_path):
    (tmp_path / "page.html").write_text('<img src="http://127.0.0.1:9/a.png"><script>nothing()</script>')
    with browser(tmp_path / "profile") as page:
        page.open(tmp_path / "page.html")
        assert "http://127.0.0.1:9/a.png" in page.requests()
        assert any("nothing is not defined" in str(problem) for problem in page.problems())
