"""The pages of applications and cameras in a real browser: what a person reads there, and what they change."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.waiting import eventually
from vedette.log_events import Event
from vedette.messages import DeploymentState, DeploymentStatus

from .conftest import CHROMIUM, NO_CHROMIUM, wait_for_text

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


def go(page: Page, place: str) -> None:
    page.evaluate("place => { location.hash = place; }", place)


def test_parameter_cannot_be_changed_by_keyboard(display: Any, start_application: Any, open_browser: Any) -> None:
    application = start_application()
    page = open_browser(f"{display.page}#/application/people-counter")
    field = page.get_by_label("Threshold")
    field.wait_for()
    assert field.input_value() == "35.0"
    wait_for_text(page, ".parameter", "minimum confidence, %")
    wait_for_text(page, ".parameter-facts", "from deployment · read 1×")
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("high")
    page.keyboard.press("Enter")
    wait_for_text(page, ".parameter-problem", "takes a number (float32), got 'high'")
    page.keyboard.press("Control+a")
    page.keyboard.type("42.5")
    # What is being typed stays, whatever news comes meanwhile.
    eventually(lambda: application.parameters["threshold"]["reads"] == 1, "nothing was sent yet")
    page.wait_for_timeout(1200)
    assert field.input_value() == "42.5"
    page.keyboard.press("Enter")
    wait_for_text(page, ".toast", "Threshold is set")
    assert application.parameters["threshold"]["value"] == 42.5
    wait_for_text(page, ".parameter-facts", "from shadow · not read by the application yet")
    wait_for_text(page, ".parameter-facts", "it may read it at its start only")
    wait_for_text(page, "#announcer", "Threshold is set")
    page.get_by_role("button", name="Restart it now").click()
    wait_for_text(page, ".toast", "people-counter starts anew")
    application.parameters["threshold"]["reads"] = 1
    page.get_by_role("button", name="Back to the deployment's").click()
    wait_for_text(page, ".parameter-facts", "from deployment")
    eventually(lambda: field.input_value() == "35.0", "the field tells the deployment's value")
    switch = page.get_by_role("switch", name="blur")
    switch.check()
    page.keyboard.press("Enter")
    eventually(lambda: application.parameters["blur"]["value"] is True, "the switch is set")


def test_camera_cannot_be_paused_or_application_restarted(
    display: Any, start_application: Any, open_browser: Any
) -> None:
    application = start_application()
    page = open_browser(display.page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Applications").click()
    page.locator(".subject-row", has_text="people-counter").get_by_role("button", name="Restart").click()
    wait_for_text(page, ".toast", "people-counter starts anew")
    assert application.restarts == 1
    page.get_by_role("link", name="Cameras").click()
    wait_for_text(page, ".subject-row", "used by people-counter")
    page.get_by_role("link", name="lobby", exact=True).click()
    page.get_by_role("button", name="Pause lobby for people-counter").click()
    wait_for_text(page, ".toast", "lobby is paused for people-counter")
    assert application.paused == [application.camera_id]
    wait_for_text(page, ".uses", "paused")
    page.get_by_role("button", name="Resume lobby for people-counter").click()
    eventually(lambda: application.paused == [], "the camera goes on")
    page.locator(".page .tile .chip", has_text="LIVE").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Cameras").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.locator("#grid .tile .chip", has_text="LIVE").wait_for()


def test_charts_or_log_stand_still(display: Any, start_application: Any, open_browser: Any, tmp_path: Path) -> None:
    application = start_application()
    application.log(tmp_path, *[f"frame {number}" for number in range(300)], "KeyError: 'model_node'")
    page = open_browser(f"{display.page}#/application/people-counter")
    wait_for_text(page, ".log-text", "KeyError: 'model_node'")
    assert page.evaluate(
        "(t => t.scrollHeight - t.scrollTop - t.clientHeight < 30)(document.querySelector('.log-text'))"
    )
    application.log(tmp_path, "frame 301")
    wait_for_text(page, ".log-text", "frame 301")
    page.get_by_label("Search in the log").fill("keyerror")
    assert page.locator(".log-text").inner_text().strip() == "KeyError: 'model_node'"
    page.get_by_label("Search in the log").fill("")
    page.evaluate("document.querySelector('.log-text').scrollTop = 0")
    application.log(tmp_path, "frame 302")
    wait_for_text(page, ".log-text", "frame 302")
    assert page.evaluate("document.querySelector('.log-text').scrollTop") == 0, "it does not run away from a reader"
    page.get_by_role("button", name="To the end").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "people-counter-console_output.log"

    chart = page.locator(".chart", has_text="Frames a second")
    chart.locator("b", has_text="15.0 fps").wait_for()
    eventually(lambda: len(str(chart.locator(".line").get_attribute("d"))) > 40, "a line is drawn")
    assert "put by the application: now 15.0 fps" in str(chart.locator("svg").get_attribute("aria-label"))
    wait_for_text(page, ".chart", "Delay, lobby")
    chart.locator("svg").focus()
    page.keyboard.press("ArrowLeft")
    wait_for_text(page, ".chart .at", "5 s ago")
    with page.expect_download() as clip:
        go(page, "#/tile/people-counter%2Flobby")
        page.get_by_role("link", name="Snapshot (ZIP)").click()
    assert clip.value.suggested_filename.startswith("people-counter.video_out.lobby-")


def test_log_needs_a_mouse(display: Any, start_application: Any, open_browser: Any, tmp_path: Path) -> None:
    start_application("people-counter", "lobby").log(tmp_path, "counting people")
    start_application("ppe-check", "yard").log(tmp_path, "looking for helmets")
    page = open_browser(display.page)
    page.locator("#grid .tile .chip", has_text="LIVE").nth(1).wait_for()
    page.keyboard.press("2")
    wait_for_text(page, "#opened-name", "yard")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("l")
    wait_for_text(page, ".log-text", "looking for helmets")
    assert page.get_by_label("Of", exact=True).input_value() == "app.ppe-check"
    assert page.evaluate("document.activeElement.className") == "log-text"
    page.keyboard.press("/")
    page.keyboard.type("people")
    wait_for_text(page, ".log-text", "No line fits.")
    go(page, "#/application/people-counter")
    wait_for_text(page, ".log-text", "counting people")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("l")
    assert page.evaluate("document.activeElement.className") == "log-text"
    assert page.url.endswith("#/application/people-counter"), "the log is on this page already"


def test_phone_page_is_wider_than_the_phone(
    display: Any, start_application: Any, open_browser: Any, tmp_path: Path
) -> None:
    application = start_application()
    application.log(tmp_path, "a-very-long-word-" * 20)
    page = open_browser(f"{display.page}#/application/people-counter", 360, 740, has_touch=True)
    wait_for_text(page, ".log-text", "very-long")
    first = page.evaluate(
        "['.page .grid', '.page .panel', '.page .charts'].map((s) => document.querySelector(s).offsetTop)"
    )
    assert first == sorted(first), "state and parameters before the charts"
    for place in ("#/application/people-counter", "#/camera/lobby-01234567", "#/cameras", "#/applications"):
        go(page, place)
        wait_for_text(page, "#view", "fps")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, place
        small = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input, select")]
                 .filter((node) => node.checkVisibility() && !node.closest(".hide"))
                 .filter((node) => !node.matches(".name, [type=checkbox]"))
                 .map((node) => [node.textContent.trim() || node.className, node.getBoundingClientRect()])
                 .filter(([, box]) => box.width && (box.height < 44 || box.width < 44)).map(([name]) => name)"""
        )
        assert small == [], f"too small for a finger (WCAG 2.5.5) on {place}"
    page.get_by_role("link", name="Live").tap()
    page.locator("#grid .tile .chip", has_text="LIVE").wait_for()


def test_page_without_the_key_changes_things(display: Any, start_application: Any, open_browser: Any) -> None:
    application = start_application()
    page = open_browser(f"{display.address}#/application/people-counter")
    field = page.get_by_label("Threshold")
    field.wait_for()
    assert field.is_disabled()
    assert page.get_by_role("button", name="Restart").is_disabled()
    wait_for_text(page, "#view", "To read the log here, open the address that vedette status prints")
    page.locator(".page .tile .chip", has_text="LIVE").wait_for()
    assert application.restarts == 0


@pytest.mark.parametrize("size", [(1280, 800), (390, 780)], ids=["desktop", "phone"])
def test_logs_and_device_have_no_page(
    display: Any, start_application: Any, open_browser: Any, tmp_path: Path, size: tuple[int, int]
) -> None:
    start_application().log(tmp_path, "counting people", "ERROR camera is away")
    logs = tmp_path / "vedette.CameraIngest" / "logs"
    logs.mkdir(parents=True)
    event = Event(time.time(), "WARNING", "camera", "lobby: falls behind")
    (logs / "events.jsonl").write_bytes(event.encode())
    update = DeploymentStatus(deployment_id="d-1", name="shop", state=DeploymentState.IN_PROGRESS, since=time.time())
    display.bus.publish(DeploymentStatus.topic(), update.encode())
    page = open_browser(display.page)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.get_by_role("link", name="Logs", exact=True).click()
    wait_for_text(page, ".log-text", "counting people")
    page.locator(".log-error", has_text="camera is away").wait_for()
    page.get_by_label("Of", exact=True).select_option("vedette.CameraIngest")
    wait_for_text(page, ".log-text", "WARNING camera lobby: falls behind")
    assert "counting people" not in page.locator(".log-text").inner_text()
    assert page.get_by_label("Of", exact=True).input_value() == "vedette.CameraIngest"
    seen(page, f"logs-{size[0]}.png")
    # Said again every second by who says it, and forgotten after four.
    display.bus.publish(DeploymentStatus.topic(), update.encode())
    page.get_by_role("link", name="Device", exact=True).click()
    wait_for_text(page, ".card-device", "GB free")
    wait_for_text(page, ".card-update", "Updating this device")
    wait_for_text(page, ".card-screen", "not used")
    seen(page, f"device-{size[0]}.png")
    # Nothing wider than the screen.
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.get_by_role("heading", name="Logs").wait_for()


def seen(page: Page, name: str) -> None:
    """Keep a screenshot for people to look at, where they want it."""
    if folder := os.environ.get("VEDETTE_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / name))
