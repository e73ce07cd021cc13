"""report.html: one file whose numbers are the summary's, and that a browser shows offline."""

import html.parser
import io
import json
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from helpers import run_command, run_main

from gan1d import results
from gan1d.commands import report
from gan1d.report import comparisons, effects, page, statistics, tables
from gan1d.report import runs as of_runs
from gan1d.report.figures import common, line
from gan1d.report.figures.common import LINES
from gan1d.report.page import shown, words
from gan1d.results import verdicts

RECORD = {"config": {}, "complete": True, "command": "python -m gan1d.main --config=a.py"}
EVIL = "<script>alert('1')</script>\"'&$$x$$"
PRODUCT = synthetic.tricks_sweep()


class Page(html.parser.HTMLParser):
    """What a page holds: cells of its tables, its text, its attributes, and how many scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.tables, self.text, self.attributes, self.scripts, self._inside = [], "", [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.attributes += attributes
        self.scripts += tag == "script"
        self._inside.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append({"text": "", **dict(attributes)})

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if {"script", "style"} & set(self._inside):
            return
        self.text += data
        if {"td", "th"} & set(self._inside):
            self.tables[-1][-1][-1]["text"] += data


def written(folder, runs, snapshots=None, record=RECORD):
    """The report of results that are written to a folder and read again."""
    results.write(folder, runs, snapshots, record, {})
    assert run_command(report.main, str(folder)) == 0
    return (folder / page.NAME).read_text(encoding="utf-8")


def table_of(parsed, runs):
    """The cells of the table of settings: its texts as `tables` orders them, and its keys."""
    _, *rows = next(table for table in parsed.tables if len(table[0]) > 5)
    assert len(rows) == runs.sizes["setting"]
    named_last = [[row[0], *row[2:], row[1]] for row in rows]
    return [[cell["text"] for cell in row] for row in named_last], named_last


@pytest.mark.parametrize("seeds", [1, 8])
def test_its_numbers_are_those_of_the_summary(tmp_path, seeds):
    runs = synthetic.dataset(**PRODUCT, seeds=seeds, log_points=4)
    parsed = Page(written(tmp_path, runs))
    summary = tables.summary(results.load(tmp_path))
    texts, cells = table_of(parsed, runs)
    assert texts == [list(row.values()) for row in tables.rows(summary, runs)]
    csv = pd.read_csv(io.StringIO(summary.to_csv(index=False)))
    for column, place in {"success_rate": 2, "rank_low": 3, "w1_median": 8}.items():
        keys = [float(row[place]["data-key"]) for row in cells]
        np.testing.assert_array_equal(keys, csv[column])


def test_its_words_and_tables_are_those_of_comparisons_and_effects(tmp_path):
    runs = synthetic.dataset(**PRODUCT, seeds=40, log_points=4)
    text = Page(written(tmp_path, runs)).text
    runs = results.load(tmp_path)
    found = effects.find(runs)
    for rows in (effects.rows(found), comparisons.rows(comparisons.compare_all(runs, "plain"))):
        assert all(cell in text for row in rows for cell in row.values())
    for name, effect in found[0].effects:
        assert f"{name}: {effects.points(effect)}, p = " in text
    assert "seeds, paired; p corrected for 27 effects, Holm" in text
    assert "This is one range of seeds, 0 to 39" in text


def said(runs):
    """The answer as one text."""
    summary = tables.summary(runs)
    compared = comparisons.compare_all(runs, str(runs.setting.values[0]))
    return "\n".join(
        "\n".join([each.text, *each.items]) for each in words.answer(runs, summary, [], compared)
    )


def test_what_the_seeds_do_not_tell_is_not_said(tmp_path):
    """Ties are named as such, and what is not significant is bounded, not denied."""
    labels = ["a", "b", "c"]
    same = synthetic.dataset(labels, 12, verdict=[0] * 6 + [2] * 6, unfinished=0)
    text = said(same)
    assert "Seen to succeed most often: 'c', 50% [25, 75] of n = 12. It is tied with 2" in text
    assert "these seeds tell no setting from the best" in text
    assert "Not told from 'a' by these seeds: 2 settings. Their differences may lie" in text
    assert "no effect" not in text and "More often" not in text
    none = said(synthetic.dataset(labels, 12, verdict=2, unfinished=0))
    assert "No run of any setting is a success; 'c': 0% [0, 24] of n = 12." in none
    assert "nothing can be said" in said(synthetic.dataset(labels, 4, unfinished=12))


def test_collapsed_on_the_target_is_told_from_collapsed_elsewhere():
    runs = synthetic.dataset(["a", "b"], 6, verdict=verdicts.COLLAPSED, unfinished=0)
    w1 = synthetic.STD * np.tile([0.8, 0.9, 1.0, 1.1, 9, 40], (2, 1))
    runs = runs.assign(settled_w1=runs.settled_w1.copy(data=w1))
    assert tables.summary(runs).collapsed_beyond_one.tolist() == [3, 3]
    text = said(runs)
    assert "no success: 6 collapsed (of the collapsed 3 not on the target: W1 above 1)." in text


def test_the_only_setting_that_can_be_first_is_beside_the_next_one():
    runs = synthetic.dataset(["bad", "good"], 40, verdict=2, unfinished=0)
    verdict = runs.verdict.values.copy()
    verdict[1] = verdicts.SUCCESS
    runs = runs.assign(verdict=(("setting", "seed"), verdict))
    text = said(runs)
    assert "No other setting can be first (rank intervals at 95%)" in text
    assert "'bad', is behind it by +100.0 [" in text
    assert "More often a success than 'bad'" in text and "good: +100.0 [" in text


@pytest.mark.parametrize("target", ["normal", "ring"])
def test_what_a_config_says_is_text_and_nothing_else(tmp_path, target):
    def sweep(label):
        swept = {"tricks.minibatch": ["off", label]}
        runs = synthetic.dataset(["plain", label], 4, swept=swept, log_points=3, target=target)
        config = json.loads(runs.attrs["config"]) | {"note": label}
        runs.attrs |= {"title": label, "fixed": label, "config": json.dumps(config)}
        return runs, synthetic.snapshots(runs), RECORD | {"command": label}

    tame = written(tmp_path / "tame", *sweep("tame"))
    wild = written(tmp_path / "evil", *sweep(EVIL))
    assert Page(wild).scripts == Page(tame).scripts
    assert "<script>alert" not in wild and "</script>\"'" not in wild
    assert Page(wild).text.count(EVIL) >= 8


@pytest.mark.parametrize("target", ["normal", "curve"])
def test_it_loads_nothing(tmp_path, target):
    runs = synthetic.dataset(seeds=3, log_points=3, target=target)
    attributes = Page(written(tmp_path, runs, synthetic.snapshots(runs))).attributes
    assert not {"src", "href", "srcset", "action"} & {name for name, _ in attributes}
    policy = next(value for name, value in attributes if name == "content" and "default" in value)
    assert policy.startswith("default-src 'none'; ") and "http" not in policy


def test_results_that_hold_what_verdicts_need_and_no_more(tmp_path):
    runs = synthetic.dataset(seeds=6, log_points=4)
    needed = ["w1", "generated_std", "target_std", "diverged_at", "finished"]
    text = Page(written(tmp_path / "needed", runs[needed])).text
    assert "Every run" in text and "Losses" not in text and "film" not in text
    with zipfile.ZipFile(Path(__file__).parent / "data" / "schema_3.zip") as file:
        file.extractall(tmp_path)
    assert run_command(report.main, str(tmp_path / "schema_3")) == 0
    text = Page((tmp_path / "schema_3" / page.NAME).read_text()).text
    assert "2 settings, 3 seeds (0 to 2) each" in text


@pytest.mark.parametrize(
    "given",
    [
        {"settings": ["only"], "seeds": 1, "unfinished": 0, "log_points": 2},
        {"settings": ["a", "b"], "seeds": 2, "unfinished": 4},
        {"settings": ["a", "b"], "seeds": 3, "verdict": verdicts.DIVERGED},
        {"settings": ["a", "b"], "seeds": 3, "target": "curve", "log_points": 3},
    ],
)
def test_small_and_sad_sweeps_have_reports(tmp_path, given):
    runs = synthetic.dataset(**given)
    parsed = Page(written(tmp_path, runs, synthetic.snapshots(runs, seeds=1)))
    assert len(parsed.tables[0]) == 1 + len(given["settings"])
    assert ("against" in parsed.text) <= (len(given["settings"]) > 1)


def test_of_many_runs_a_sample_of_seeds_is_shown_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(shown, "MOST_RUNS", 20)
    runs = synthetic.dataset(["a", "b"], 16, log_points=3, unfinished=0)
    parsed = Page(written(tmp_path, runs, synthetic.snapshots(runs)))
    assert "Shown: a sample of the seeds, the first 10 of 16; words, tables and" in parsed.text
    assert table_of(parsed, runs)[0][0][1] == "16"  # of all seeds, as the table still is
    assert "Shown:" not in Page(written(tmp_path, runs.isel(seed=slice(10)))).text


def test_a_report_that_cannot_be_written_is_told_and_costs_no_results(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "tiny.py").write_text(
        "from gan1d.config.experiment import default_config\n"
        "def get_config():\n"
        "    from helpers import TINY\n"
        "    config = default_config()\n"
        "    config.update_from_flattened_dict(TINY)\n"
        "    return config\n"
    )

    def full(*_):
        raise results.WriteError("report.html: can't be written (No space left on device)")

    monkeypatch.setattr(page, "write", full)
    own = [f"--config={tmp_path / 'tiny.py'}", f"--workdir={tmp_path / 'out'}", "--devices=1"]
    assert run_main(*own) == 1
    assert "report.html: can't be written" in capsys.readouterr().err
    assert results.load(tmp_path / "out").sizes["seed"] == 6


@pytest.mark.parametrize(("arguments", "told"), [([], "usage"), (["none"], "no results here")])
def test_refusals_are_one_line(tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert run_command(report.main, *arguments) == 2
    assert told in capsys.readouterr().err


# In a browser.


@pytest.fixture
def browser():
    """A Chromium that reads from the disk, closed when the test is."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium with chromedriver here: apt-get install chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1200,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()


MODEL = "const model = Bokeh.documents[0].get_model_by_name(arguments[0]);"


@pytest.mark.parametrize("target", ["normal", "ring"])
def test_a_browser_shows_it(tmp_path, browser, target):
    runs = synthetic.dataset(**PRODUCT, seeds=8, log_points=6, target=target, unfinished=0)
    snapshots = synthetic.snapshots(runs)
    written(tmp_path, runs, snapshots)
    summary = tables.summary(results.load(tmp_path))
    summary.to_csv(tmp_path / "summary.csv", index=False)
    summary = pd.read_csv(tmp_path / "summary.csv")
    browser.get((tmp_path / page.NAME).as_uri())

    from selenium.webdriver.common.keys import Keys

    def run(script, *given):
        return browser.execute_script(script, *given)

    def settings():
        rows = "#settings tbody tr:not([hidden])"
        script = "return [...document.querySelectorAll(arguments[0])].map(r => +r.dataset.number)"
        return run(script, rows)

    def choose(name, value):
        run(f"{MODEL} model.value = arguments[1]", name, value)

    def key(place, element, pressed, times):
        """Press a key in a widget, so many times."""
        inside = "return document.querySelector(arguments[0]).firstElementChild.firstElementChild"
        host = run(f"{inside}.shadowRoot.querySelector(arguments[1])", f".drawn.{place}", element)
        for _ in range(times):
            host.send_keys(pressed)

    def told(place):
        return run("return document.getElementById(arguments[0]).textContent", place)

    assert settings() == summary.number.tolist()
    # Sorted by its median W1, as by keyboard: the head of a column is a button.
    (head,) = [
        each
        for each in browser.find_elements("css selector", "#settings th button")
        if each.text.startswith("W1 at")
    ]
    head.send_keys(Keys.ENTER)
    head.send_keys(Keys.ENTER)
    by_w1 = summary.sort_values("w1_median", kind="stable").number.tolist()
    assert settings() == by_w1
    # Filtered: the table, and the dots.
    choose("tricks.minibatch", "replace")
    assert settings() == [n for n in by_w1 if n > 6] and told("count") == "6 of 12 settings"
    places = run(f"{MODEL} return [...model.data_source.data.y].map(String)", "dots")
    assert sum(place != "NaN" for place in places) == 6 * 8
    choose("tricks.minibatch", "all")
    assert settings() == by_w1

    # A run, by its dot; then by the selects.
    order = summary.setting.tolist()
    run(f"{MODEL} model.data_source.selected.indices = [3 * 8 + 5]", "dots")
    assert told("told").startswith(f"{order[3]}, seed 5: ")
    key("seed", "select", Keys.ARROW_UP, times=4)
    assert told("told").startswith(f"{order[3]}, seed 1: ")
    ours = runs.sel(setting=order[3], seed=1)
    shown_w1 = run(f"{MODEL} return [...model.data_source.data.w1].map(Number)", "w1")
    np.testing.assert_allclose(shown_w1, ours.w1 / ours.target_std, rtol=1e-6, equal_nan=True)
    assert "kept of" not in told("frame")
    # Its film, by the arrows of the slider.
    made = snapshots.sel(setting=order[3], snapshot_seed=1)
    for frame, times in ((4, 1), (2, 2)):
        key("slider", "[role=slider]", Keys.ARROW_LEFT, times)
        drawn = run(f"{MODEL} return model.data_source.data", "generated")
        if target == "ring":
            points = np.transpose([drawn["x"], drawn["y"]]).astype(float)
            reach = np.ptp(ours.x.values)
            np.testing.assert_allclose(points, made.samples[frame], atol=1e-4 * reach)
        else:
            known = common.one_run(runs, snapshots, order[3], 1)
            edges = line.bin_edges(known.x)
            density = line.generated_masses(known, edges)[frame] / np.diff(edges)
            np.testing.assert_allclose(drawn["top"], density, rtol=1e-5, atol=1e-7)
    run(f"{MODEL} model.active = true", "play")
    for _ in range(100):
        if not run(f"{MODEL} return model.active", "play"):
            break
        time.sleep(0.05)
    assert run(f"{MODEL} return model.value", "frame") == 5
    choose("seed", "7")
    assert "kept of the first 2 seeds only" in told("frame")

    # Profiles of two settings, and the difference of one of them.
    choose("chosen", ["4", "2"])
    for place, color in zip((4, 2), LINES, strict=False):
        drawn = run(f"{MODEL} return model.data", f"share of finished runs at or below, {color}")
        w1 = of_runs.settled_w1(runs.sel(setting=[order[place]]))[0]
        expected = statistics.profile(w1, np.array(drawn["x"])).estimate
        # The outermost thresholds are those of runs, and here are rounded.
        np.testing.assert_allclose(drawn["estimate"][1:-1], expected[1:-1], atol=1e-6)

    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in asked
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in urls if not url.startswith("data:")] == [browser.current_url]
