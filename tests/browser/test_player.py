"""The player in a browser, on a page without a kernel: what is drawn is what the recording says, and it can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from taskref_edu.beyond.experiments import RECORDED
from taskref_edu.lab.explorer.recorder import record
from taskref_edu.lab.player.answers import dependencies
from taskref_edu.lab.player.recording import Recording, switches
from taskref_edu.lab.player.story import ending
from taskref_edu.lab.player.words import columns
from taskref_edu.widgets import RecordedGame, Scheduler
from tests.lab.player.scenarios import found, recorded

from .lab import new_page
from .player_page import NAME, PLAYER, element, play, show

SHAPES, LONG = ["crash", "exercise", "cancel"], ["race", "locked", "many"]
# Every table as the page shows it: by name, the texts of its cells without the notes in them.
SHOWN = """() => {
  const tables = {};
  for (const table of PLAYER.root.querySelectorAll(".tbl")) {
    tables[table.caption.textContent] = [...table.querySelectorAll("tbody tr[data-row]")].map(row =>
      [...row.cells].map(cell => cell.firstChild.textContent));
  }
  return tables;
}""".replace("PLAYER", PLAYER)


@pytest.fixture(scope="module")
def canvas(chromium: Browser) -> Iterator[Page]:
    """An empty page that every test fills anew."""
    with new_page(chromium, reduced_motion="reduce") as one:
        yield one


@pytest.mark.parametrize("name", [*SHAPES, *(pytest.param(name, marks=pytest.mark.nightly) for name in LONG)])
def test_every_schedule_of_the_map_plays_to_its_verdict__with_the_rows_of_each_step(canvas: Page, name: str) -> None:
    recording = recorded(name)
    show(canvas, element(recording))
    squares = canvas.locator(f"{NAME} [role=option]")
    assert [squares.nth(n).get_attribute("data-s") for n in range(min(squares.count(), 3))] == [
        run.schedule for run in recording.runs[:3]
    ]
    assert squares.count() == len(recording.runs)
    drawn = canvas.evaluate(
        f"""() => [...{PLAYER}.rec.list].map(run => {{
          {PLAYER}.host.hidden = true;  // not painted five hundred times
          const player = {PLAYER}, shown = {SHOWN};
          player.root.querySelector(`[data-s="${{run.s}}"]`).click();
          const end = player.root.querySelector(".end").textContent, rows = [];
          for (let i = 0; i <= player.length; i++) {{ player.go(i); rows.push(shown()); }}
          return [run.s, end, rows];
        }})"""
    )
    for schedule, end, rows in drawn:
        run = recording.run(schedule)
        assert run is not None
        said = end.replace("Broken: ", "").removesuffix("Holds: nothing is broken")[1:]
        expected = "; ".join(line[2:].replace("Broken: ", "") for line in ending(run) if "Nothing" not in line)
        assert said == expected, schedule
        assert rows == [seen_rows(recording, schedule, n) for n in range(len(rows))], schedule


def seen_rows(recording: Recording, schedule: str, number: int) -> dict[str, list[list[str]]]:
    """The rows that stand beside a step: as its actor's own transaction sees them, else whoever has one open."""
    moments = recording.moments(schedule)
    moment = moments[number]
    opened = moment.state.get("open", {})
    seen = opened.get(moment.by) or next(iter(opened.values()), moment.state["rows"])
    found: dict[str, list[list[str]]] = {}
    ever = {row[0] for row in recording.facts["rows"]}
    pointed_at = {to for info in recording.facts["tables"].values() for to in info.get("refs", {}).values()}
    for table in (t for t in recording.facts["tables"] if t in ever | pointed_at):
        rows = [row for (name, _), row in recording.rows(seen).items() if name == table]
        found[table] = [["NULL" if row[c] is None else str(row[c]) for c in columns(recording, table)] for row in rows]
    return found


def test_the_game_reaches_every_ending_by_keyboard(canvas: Page) -> None:
    race = recorded("race")
    show(canvas, element(race, game=True, goal="Make order 7 be paid twice"))
    heading = canvas.locator(f"{NAME} .verdict")
    expect(heading).to_have_text("?Make order 7 be paid twice")
    canvas.evaluate(f"{PLAYER}.host.hidden = true")  # not painted five hundred times
    for count, run in enumerate(race.runs, 1):
        play(canvas, ["Escape", *run.schedule])
        won = f"✕You broke it: {run.broken[0]}" if run.broken else "●It held: nothing is broken"
        assert heading.text_content() == won
        score = canvas.locator(f"{NAME} .win").text_content() or ""
        told = f"34 of 36 interleavings {'do this' if run.broken else 'break it'}; you found {min(count, 34)}"
        assert score.startswith(f"{told}Your switches {switches(run.schedule)}Fewest possible 2")
    expect(canvas.locator(f"{NAME} [role=option]")).to_have_count(36)
    canvas.evaluate(f"{PLAYER}.host.hidden = false")
    canvas.locator(f"{NAME}").get_by_role("button", name="Show the fewest").click()
    assert canvas.evaluate(f"{PLAYER}.schedule") == "AAAABBBBBBBAAA"


def test_a_game_recorded_on_a_server__where_a_statement_has_to_wait(canvas: Page) -> None:
    game = RecordedGame(json.loads(RECORDED.read_text())["results"]["the_look_then_set"][2], goal="Be paid twice")
    recording = Recording(game.recording)
    show(canvas, game._repr_html_())
    waiting = next(run for run in recording.runs if run.broken and "b" in run.schedule)
    play(canvas, ["Escape", *waiting.schedule.upper()])
    assert canvas.evaluate(f"{PLAYER}.game.path") == waiting.schedule
    expect(canvas.locator(f"{NAME} .verdict")).to_contain_text(f"You broke it: {waiting.broken[0]}")
    expect(canvas.locator(f"{NAME} .win")).to_contain_text(f"Your switches {switches(waiting.schedule)}")


def test_how_many_there_are_is_told_with_the_first_that_breaks__and_the_map_fills(canvas: Page) -> None:
    race = recorded("race")
    show(canvas, element(race, game=True, goal="Make order 7 be paid twice"))
    holds = next(run.schedule for run in race.runs if not run.broken)
    options, score = canvas.locator(f"{NAME} [role=option]"), canvas.locator(f"{NAME} .win")
    play(canvas, holds)
    assert "34" not in (canvas.locator(f"{NAME} header").text_content() or "")
    expect(options).to_have_count(1)
    play(canvas, ["Escape", *race.runs[0].schedule])
    expect(score).to_contain_text("34 of 36 interleavings do this; you found 1")
    expect(options).to_have_count(36)
    expect(canvas.locator(f"{NAME} .mine")).to_have_count(2)
    play(canvas, ["Escape"])
    expect(score).to_contain_text("34 of 36 interleavings break it; you found 1")


def test_a_game_goes_on_when_its_kernel_was_restarted(canvas: Page) -> None:
    race = recorded("race")
    show(canvas, element(race, game=True, link="gone", number="1"))
    canvas.evaluate("globalThis.taskrefPlayerLinks.set('gone', { send() { throw new Error('Cannot send'); } })")
    play(canvas, race.runs[0].schedule)
    expect(canvas.locator(f"{NAME} .win")).to_contain_text("34 of 36 interleavings do this; you found 1")
    expect(canvas.locator(f"{NAME} [role=option]")).to_have_count(36)


def test_crashes_of_several_actors_are_grouped_by_outcome__the_broken_first(canvas: Page) -> None:
    show(canvas, element(recorded("crash_two")))
    heads = canvas.locator(f"{NAME} .gh").all_inner_texts()
    assert heads == ["✕ 2 break a crash in each", "● 10 hold a crash in each"]
    outcomes = canvas.evaluate(f"{PLAYER}.rec.list.map((run) => run.out)")
    assert outcomes == ["bad"] * 2 + ["good"] * 10, "so the arrow keys go through one group after the other"


def test_who_has_to_wait_is_told__and_nothing_moves(canvas: Page) -> None:
    show(canvas, element(recorded("race"), game=True))
    play(canvas, "ABBBA")
    expect(canvas.locator(f"{NAME} .msg")).to_have_text("A is waiting for B’s lock. Step B, or go Back.")
    assert canvas.evaluate(f"{PLAYER}.game.path") == "ABBB"
    play(canvas, ["Backspace", "b", "B"])
    assert canvas.evaluate(f"{PLAYER}.game.path") == "ABBBB"


def test_captions_say_what_a_statement_is_for(canvas: Page) -> None:
    show(canvas, element(recorded("race"), game=True, captions={"SELECT": "Is order 7 being paid?"}))
    play(canvas, "AA")
    statements = canvas.locator(f"{NAME} .st")
    expect(statements.first).to_contain_text("Is order 7 being paid?SELECT … FROM orders WHERE id = 7")
    expect(statements.nth(1)).to_have_text("BEGIN IMMEDIATE")
    expect(canvas.locator(f"{NAME} .next.lane-B")).to_contain_text("Is order 7 being paid?")


def test_real_keys(canvas: Page) -> None:
    show(canvas, element(recorded("race")))
    canvas.locator(f"{NAME} section").focus()
    place = f"[{PLAYER}.schedule, {PLAYER}.at]"
    for key, schedule, at in [
        ("Home", "AAAABBBBBBBAAA", 0),
        ("ArrowRight", "AAAABBBBBBBAAA", 1),
        ("End", "AAAABBBBBBBAAA", 14),
        ("b", "BBBBAAAAAAABBB", 14),
        ("ArrowDown", "AAABBBBBBBAAAA", 14),
        ("ArrowUp", "BBBBAAAAAAABBB", 14),
    ]:
        canvas.keyboard.press(key)
        assert canvas.evaluate(place)[1:] == [at]
        assert canvas.evaluate(place)[0] == schedule or key in ("b", "ArrowDown", "ArrowUp")
    canvas.keyboard.press("s")
    expect(canvas.locator(f"{NAME} .full pre")).to_be_visible()
    expect(canvas.locator(f"{NAME} [role=status]")).to_contain_text("Step 14. ")


def test_a_button_that_is_pressed_again_gets_its_word_back(chromium: Browser) -> None:
    with new_page(chromium) as page:
        page.clock.install()
        show(page, element(recorded("lost")))
        copy = page.locator(f"{NAME} [data-f=copy]")
        for _ in range(2):
            copy.click()
            expect(copy).to_have_text("Copied")
            page.clock.run_for(700)
        page.clock.run_for(2000)
        expect(copy).to_have_text("Copy")


@pytest.mark.nightly
def test_the_scrubber_goes_on_while_it_is_dragged(chromium: Browser) -> None:
    with new_page(chromium) as page:
        show(page, element(recorded("race")))
        box = page.locator(f"{NAME} input[type=range]").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 10)
        page.mouse.down()
        for share in (0.8, 0.6, 0.4, 0.2):
            page.mouse.move(box["x"] + box["width"] * share, box["y"] + 10, steps=3)
        page.wait_for_function(f"1 <= {PLAYER}.at && {PLAYER}.at <= 4")
        page.mouse.up()


@pytest.mark.parametrize("options", [{}, {"game": True}], ids=["result", "game"])
def test_axe_finds_nothing(canvas: Page, options: dict[str, bool]) -> None:
    canvas.set_viewport_size({"width": 1280, "height": 1400})
    show(canvas, element(recorded("race"), **options))
    found = Axe().run(canvas, options={"rules": {"region": {"enabled": False}}})
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]] == []


def test_a_player_that_is_taken_away_is_freed(canvas: Page) -> None:
    show(canvas, element(recorded("race")))
    canvas.evaluate(
        f"""() => {{
          const host = document.querySelector("{NAME}"), data = JSON.parse(host.querySelector("script").textContent);
          window.gone = Array.from({{ length: 10 }}, () => {{
            const one = document.createElement("{NAME}"); document.body.append(one); one.start(structuredClone(data));
            one.remove(); return new WeakRef(one); }});
        }}"""
    )
    canvas.request_gc()
    canvas.wait_for_function("window.gone.every(ref => !ref.deref())", timeout=10_000)


@pytest.mark.nightly
def test_steps_that_are_not_recorded_come_from_the_kernel(canvas: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large exploration's recording holds some schedules; the game asks for the others as they are played."""
    whole, result = recorded("race"), found("race")
    for bound in ("MOST_RUNS", "MOST_STATES", "MOST_CLASSES"):
        monkeypatch.setattr(f"taskref_edu.lab.explorer.recorder.{bound}", 2)
    large = Recording(record(result, whole.facts))
    schedule = next(s for s in result.broken if large.run(s) is None)
    game = Scheduler.__new__(Scheduler)
    game.found = result
    answers = {schedule[:n]: game.more(schedule[:n]) for n in range(len(schedule))}
    show(canvas, element(large, game=True, link="kernel", number="1"))
    canvas.evaluate(
        f"""answers => globalThis.taskrefPlayerLinks.set("kernel", {{
          send: ({{ more }}) => more !== undefined && {PLAYER}.heard({{ after: more, more: answers[more] }}) }})""",
        answers,
    )
    while (done := canvas.evaluate(f"{PLAYER}.game.path")) != schedule:
        play(canvas, schedule[len(done)])
    expect(canvas.locator(f"{NAME} .verdict")).to_contain_text("You broke it: 2 live payments for order 7")
    last = canvas.evaluate(f"({SHOWN})()")
    assert last == seen_rows(whole, schedule, len(schedule))


def test_a_step_lays_out_anew_only_what_it_changes(canvas: Page) -> None:
    show(canvas, element(recorded("race")))
    stayed = canvas.evaluate(
        f"""() => {{
          const {{ root }} = {PLAYER}, all = () => [...root.querySelectorAll(".lanes > *, .top > *, .rows > *")];
          {PLAYER}.go(13);
          const before = all();
          {PLAYER}.go(12);
          return before.filter((one) => all().includes(one)).length / before.length;
        }}"""
    )
    assert stayed > 0.75


@pytest.mark.parametrize("name", ["asked", "cancel"])
def test_the_dependencies_on_the_page_are_those_of_the_sentence(canvas: Page, name: str) -> None:
    recording = recorded(name)
    show(canvas, element(recording))
    drawn = canvas.evaluate(
        f"""() => {PLAYER}.rec.list.map((run) => [run.s, {PLAYER}.rec.dependencies({PLAYER}.rec.path(run.s))
          .map((t) => [t.by, t.from, t.open ? null : t.to, t.stale])])"""
    )
    assert dict(drawn) == {
        run.schedule: [[t.by, t.read, t.act, t.stale] for t in dependencies(recording, recording.moments(run.schedule))]
        for run in recording.runs
    }
