"""The page in a real browser: nothing is fetched or complained of, trials move, tables sort, and it fits the window."""

import csv
import os
import shutil

import pytest
from test_report import agent_run, agent_trials

from neurometa import behaviour, dataset, models, report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is absent: pip install 'neurometa[browser]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no chromium to open the page with: apt install chromium", allow_module_level=True)

QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
EVIL = "<script>document.title = 'broken'</script>"
LOOKS = [(width, scheme) for width in (400, 1400) for scheme in ("light", "dark")]
CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((x) => x / 255)
      .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const words = [...node.childNodes].some((each) => each.nodeType === 3 && each.textContent.trim());
    if (!words || !node.getClientRects().length || ["SCRIPT", "STYLE", "OPTION"].includes(node.tagName)) continue;
    if (node.disabled) continue;
    const style = getComputedStyle(node);
    let behind = node;
    while (behind && getComputedStyle(behind).backgroundColor.endsWith(", 0)")) behind = behind.parentElement;
    const ink = node instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(ink), light(getComputedStyle(behind).backgroundColor)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push(`${node.tagName} ${node.textContent.slice(0, 30)}`);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    home = {**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))}
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=QUIET.split(), env=home)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """Forty fits of sessions of an animal with a hostile name, played by something with a hidden state."""
    trials = agent_trials(n_episodes=40, n_trials=30)
    trials = trials.assign_coords(subject=("episode", [EVIL if i % 2 else f"mouse {i}" for i in range(40)]))
    run = agent_run(tmp_path_factory.mktemp("runs") / "restless", trials)
    fitted = behaviour.fit(models.RescorlaWagner, trials).assign_attrs(created=trials.attrs["created"])
    dataset.save_run(fitted, run / "fit_rw.nc")
    return report.write_report(run)


@pytest.fixture
def opened(browser, page_file):
    """Open the page at a width in a scheme, and hear of all that it asks for or complains of."""
    pages = []

    def open_page(width=1000, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.heard = []
        page.on("console", lambda message: page.heard.append(message.text))
        page.on("pageerror", lambda error: page.heard.append(str(error)))
        page.on("request", lambda request: page.heard.append(request.url) if outwards(request.url) else None)
        page.goto(page_file.as_uri())
        pages.append(page)
        return page

    def outwards(url):
        return url != page_file.as_uri() and not url.startswith(("data:", "blob:"))

    yield open_page
    for page in pages:
        page.close()


def trial(page):
    return page.inner_text("#told")


def cursors(page):
    return page.eval_on_selector_all("#panels .cursor", "all => all.map((each) => each.getAttribute('x'))")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_a_page_loads_in_silence_fits_its_window_and_can_be_read(opened, width, scheme):
    page = opened(width, scheme)
    page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    loaded = page.eval_on_selector_all("img", "all => all.map((each) => each.complete && each.naturalWidth > 0)")
    assert loaded and all(loaded)
    assert page.heard == []


def test_the_slider_and_the_keys_move_through_the_trials(opened):
    page = opened()
    assert trial(page).startswith("Trial 1 of 30")
    before = cursors(page)
    page.focus("#trial")
    page.keyboard.press("ArrowRight")
    assert trial(page).startswith("Trial 2 of 30")
    assert all(a != b for a, b in zip(before, cursors(page), strict=True))
    page.focus("#panels")
    steps = {"ArrowRight": 3, "Shift+ArrowRight": 13, "ArrowLeft": 12, "End": 30, "Home": 1}
    for key, at in steps.items():
        page.keyboard.press(key)
        assert trial(page).startswith(f"Trial {at} of 30"), key
    assert page.input_value("#trial") == "1"
    assert page.heard == []


def test_what_is_said_of_a_trial_is_what_happened_in_it(opened, page_file):
    page = opened()
    one = page.evaluate("DATA.scrubber.episodes[0]")
    for at in range(30):
        said = trial(page)
        assert f"chose arm {one['choice'][at]}, reward {one['reward'][at]:g}" in said
        page.focus("#panels")
        page.keyboard.press("ArrowRight")


def test_another_episode_can_be_chosen(opened):
    page = opened()
    first = page.eval_on_selector("#panels path.line", "node => node.getAttribute('d')")
    page.select_option("#which", "1")
    assert page.eval_on_selector("#panels path.line", "node => node.getAttribute('d')") != first
    assert trial(page).startswith("Trial 1 of 30")


def test_a_long_episode_is_drawn_in_parts(opened):
    page = opened(400)
    page.evaluate("""() => {
      const one = DATA.scrubber.episodes[0];
      const longer = (x) => Array.from({ length: 20 }, () => x).flat();
      const panels = one.panels.map((panel) => (
        { ...panel, series: panel.series.map((each) => ({ ...each, x: longer(each.x) })) }));
      DATA.scrubber.episodes = [{ ...one, n: 600, choice: longer(one.choice), reward: longer(one.reward), panels,
                                  hidden: undefined }];
      document.getElementById("which").replaceChildren();
      new Scrubber(DATA.scrubber);
    }""")
    page.focus("#panels")
    page.keyboard.press("End")
    assert trial(page).startswith("Trial 600 of 600")
    (x, *_) = cursors(page)
    assert 0 < float(x) < 400
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def rates(page):
    cells = page.eval_on_selector_all("table[data-key] tbody tr", "all => all.map((row) => row.cells[2].textContent)")
    return [float(cell.replace("−", "-")) for cell in cells if cell != "–"]


def test_a_table_sorts_by_mouse_and_by_keyboard_and_says_how(opened):
    page = opened()
    head = page.locator("table[data-key] th", has_text="learning rate").first
    assert head.get_attribute("aria-sort") == "none"
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    up = rates(page)
    assert up == sorted(up)
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    down = rates(page)
    assert down == sorted(down, reverse=True) and down != up
    assert page.locator("th[aria-sort=ascending]").count() == 0


def test_a_long_table_is_paged(opened):
    page = opened()
    seen = []
    for _ in range(3):
        rows = page.locator("table[data-key] tbody tr")
        seen += rows.evaluate_all("all => all.map((row) => row.cells[1].textContent)")
        page.get_by_role("button", name="Next").click(force=True)
    assert seen == [str(i) for i in range(40)]
    assert "of 40" in page.inner_text(".pager")


def test_a_table_is_saved_as_csv_with_every_row(opened, tmp_path):
    page = opened()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download CSV").click()
    saved.value.save_as(tmp_path / "fits.csv")
    assert saved.value.suggested_filename == "fit_rw.csv"
    with open(tmp_path / "fits.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40 and [row["subject"] for row in rows[:2]] == ["mouse 0", EVIL]
    told = page.evaluate("DATA.tables.fit_rw")
    k = [column["name"] for column in told["columns"]].index("learning_rate")
    assert [float(row["learning_rate"] or "nan") for row in rows] == pytest.approx(
        [float("nan") if row[k] is None else row[k] for row in told["rows"]], nan_ok=True
    )
    assert page.heard == []


def test_no_text_of_a_saved_table_is_a_formula_and_numbers_stay_numbers(opened, tmp_path):
    page = opened()
    names = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "\tx", "'=x", "-1.5", "m-1"]
    page.evaluate("names => names.forEach((name, i) => { DATA.tables.fit_rw.rows[i] = [name, -0.25] })", names)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download CSV").click()
    saved.value.save_as(tmp_path / "fits.csv")
    with open(tmp_path / "fits.csv", newline="") as file:
        rows = list(csv.reader(file))[1:8]
    assert [row[0] for row in rows] == [*(f"'{name}" for name in names[:5]), "-1.5", "m-1"]
    assert {row[1] for row in rows} == {"-0.25"}


def test_a_subject_called_script_is_text_in_the_table_and_the_menu(opened):
    page = opened()
    assert page.title() == "restless – neurometa report"
    assert page.locator("table[data-key] td", has_text=EVIL).count() > 0
    assert EVIL in "".join(page.locator("#which option").all_inner_texts())
    assert page.evaluate("document.scripts.length") == 2


def test_nothing_else_can_run_or_be_fetched_in_the_page(opened):
    page = opened()
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'broken'";
      document.body.append(script);
      fetch("https://example.org").catch(() => {});
    }""")
    page.wait_for_timeout(100)
    assert page.title() == "restless – neurometa report"
    refused = "\n".join(page.heard)
    assert "Content Security Policy" in refused
