"""The page in a real browser: what a person sees when cameras, applications and the display itself fail."""

import threading
import time
from typing import Any

import pytest
from playwright.sync_api import Page

from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import CameraState, DeploymentState, DeploymentStatus, ModelState, MonitorStatus, NetworkStatus
from vedette.messages.monitor import InterfaceStatus, TimeStatus

from .conftest import CHROMIUM, NO_CHROMIUM, wait_for_text

CHIP = ".tile .chip"
FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const color = rgb(getComputedStyle(node).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest(".picture, .hide, dialog, svg")) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${node.className || node.tagName}: ${node.textContent} ${ratio.toFixed(2)}`);
  }
  return faint;
}"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


def red_share(page: Page) -> float:
    """Part of the canvas's left rect line that is red."""
    return float(
        page.evaluate(
            """() => {
              const canvas = document.querySelector("main > section:not([hidden]) .tile canvas");
              const x = Math.round(canvas.width * 0.1), y = Math.round(canvas.height * 0.3);
              const data = canvas.getContext("2d").getImageData(x, y, 1, Math.round(canvas.height * 0.4)).data;
              let red = 0;
              for (let i = 0; i < data.length; i += 4) red += data[i] > 150 && data[i + 1] < 110;
              return red / (data.length / 4);
            }"""
        )
    )


def test_annotated_picture_is_not_drawn(display: Any, start_application: Any, open_browser: Any) -> None:
    start_application()
    page = open_browser(display.page)
    wait_for_text(page, CHIP, "LIVE")
    wait_for_text(page, ".tile .figures", "ms")
    wait_for_text(page, "#health", "All good")
    assert red_share(page) > 0.8
    label = page.locator(".tile canvas").get_attribute("aria-label")
    assert label == "lobby, annotated by people-counter, live"


def test_frozen_picture_stays_live(display: Any, start_application: Any, open_browser: Any) -> None:
    """LIVE is gone within 3 s of the last picture, while every status still says that all is well."""
    application = start_application()
    page = open_browser(display.page)
    wait_for_text(page, CHIP, "LIVE")
    application.putting.clear()
    page.locator(CHIP, has_text="LIVE").wait_for(state="detached", timeout=3500)
    wait_for_text(page, ".veil-title", "No new picture for")
    wait_for_text(page, ".veil-age", "old")
    assert red_share(page) > 0.8, "the last picture stays"
    application.putting.set()
    wait_for_text(page, CHIP, "LIVE")


def test_last_picture_seen_again_is_called_live(display: Any, start_application: Any, open_browser: Any) -> None:
    """Who comes back to a tile gets the last picture there is: newer than the one drawn before, and yet no progress."""
    application = start_application()
    page = open_browser(display.page)
    wait_for_text(page, CHIP, "LIVE")
    page.evaluate("location.hash = '#/device'")
    wait_for_text(page, ".card-device", "Vedette")
    page.wait_for_timeout(1500)
    application.putting.clear()
    application.video = {"state": CameraState.PAUSED}
    application.tell_once()
    page.wait_for_timeout(5500)
    page.evaluate("""() => {
      window.said = [];
      new MutationObserver(() => said.push(document.querySelector(".tile .chip").textContent)).observe(
        document.querySelector("main"), {subtree: true, childList: true, characterData: true});
      location.hash = "#/";
    }""")
    wait_for_text(page, CHIP, "paused")
    page.wait_for_timeout(1500)
    assert not page.evaluate("said.filter((words) => /LIVE|DELAYED/.test(words))")


def test_wrong_password_is_not_explained(display: Any, start_application: Any, open_browser: Any) -> None:
    application = start_application("people-counter", "dock")
    page = open_browser(display.page)
    wait_for_text(page, CHIP, "LIVE")
    application.putting.clear()
    application.video = {
        "state": CameraState.WRONG_PASSWORD,
        "detail": "The camera answered 401 to user viewer from secret vedette/dock",
        "next_try_s": 58.0,
    }
    application.tell_once()
    wait_for_text(page, ".veil-title", "Wrong user name or password")
    wait_for_text(
        page, ".veil-detail", "The camera answered 401 to user viewer from secret vedette/dock. Next try in 58 s"
    )
    wait_for_text(page, ".problems", "dock: wrong password")
    wait_for_text(page, ".veil-hint", "vedette camera test dock")
    wait_for_text(page, CHIP, "wrong password")
    wait_for_text(page, "#announcer", "dock: Wrong user name or password")
    assert page.title().startswith("(1) ")
    page.locator(".problems a").click()
    wait_for_text(page, "#panel", "Wrong user name or password")


def test_crash_is_not_explained(display: Any, start_application: Any, open_browser: Any) -> None:
    application = start_application()
    page = open_browser(display.page)
    wait_for_text(page, CHIP, "LIVE")
    application.crash()
    wait_for_text(page, ".veil-title", "people-counter crashed")
    wait_for_text(
        page, ".veil-detail", "KeyError: 'model_node' at application.py:88, exit 1, 3rd time. Restarting in 8 s"
    )
    application.come_back()
    wait_for_text(page, CHIP, "LIVE")


def test_page_does_not_say_what_it_waits_for(display: Any, start_application: Any, open_browser: Any) -> None:
    page = open_browser(display.page)
    wait_for_text(page, "#empty", "No application runs here yet")
    application = start_application(putting=False)
    application.model = {"state": ModelState.LOADING}
    application.tell_once()
    wait_for_text(page, ".veil-title", "Loading model ssd_512_resnet50.onnx")
    application.model = {"state": ModelState.READY}
    wait_for_text(page, ".veil-title", "Waiting for the first picture")
    application.putting.set()
    wait_for_text(page, CHIP, "LIVE")


def test_restarted_display_is_not_found_again(
    display: Any, start_display: Any, start_application: Any, open_browser: Any
) -> None:
    start_application()
    page = open_browser(display.page)
    wait_for_text(page, CHIP, "LIVE")
    display.stop()
    wait_for_text(page, "#lost", "Pictures are old")
    wait_for_text(page, CHIP, "cut off")
    start_display(port=display.port)
    page.locator(CHIP, has_text="LIVE").wait_for(timeout=4000)
    page.locator("#lost").wait_for(state="hidden")


def test_page_in_the_background_is_served(display: Any, start_application: Any, open_browser: Any) -> None:
    application = start_application()
    page = open_browser(display.page)
    wait_for_text(page, CHIP, "LIVE")
    # Headless Chromium never hides a tab: the event is the only thing that is not real here.
    hide = """hidden => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    waited = threading.Event()
    for _ in range(100):
        if application.ring.readers == 0:
            break
        waited.wait(0.1)
    counted = [display.status().encoded for _ in range(2)]
    assert counted[0] == counted[1]
    page.evaluate(hide, False)
    wait_for_text(page, CHIP, "LIVE")
    assert display.status().encoded > counted[1]


def test_page_needs_a_mouse(display: Any, start_application: Any, open_browser: Any) -> None:
    start_application("people-counter", "lobby")
    start_application("ppe-check", "yard")
    page = open_browser(display.page)
    page.locator(CHIP, has_text="LIVE").nth(1).wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "yard"
    page.keyboard.press("Enter")
    wait_for_text(page, "#opened-name", "yard › ppe-check")
    wait_for_text(page, "#panel", "not read by the application yet")
    wait_for_text(page, "#panel", "Delay: from the camera's packet")
    page.keyboard.press("ArrowRight")
    wait_for_text(page, "#opened-name", "lobby")
    page.keyboard.press("o")
    page.wait_for_function("document.getElementById('overlays').getAttribute('aria-pressed') === 'false'")
    for _ in range(50):
        if red_share(page) < 0.2:
            break
        page.wait_for_timeout(100)
    assert red_share(page) < 0.2, "boxes are off"
    page.keyboard.press("Escape")
    page.locator("#opened").wait_for(state="hidden")
    page.keyboard.press("2")
    wait_for_text(page, "#opened-name", "yard")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.keyboard.press("c")
    wait_for_text(page, "#view", "yard")
    wait_for_text(page, "#announcer", "Cameras")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.url.endswith("#/cameras"), "past the menu, not to another page"
    page.go_back()
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="hidden")
    page.locator("#opened").wait_for()


def test_page_scrolls_sideways(display: Any, start_application: Any, open_browser: Any) -> None:
    """Every width, from a small phone to a large screen: what is beside the bar's tools moves the bar."""
    application = start_application()
    application.video = {
        "state": CameraState.UNREACHABLE,
        "detail": "No answer from camera-with-a-very-long-name-in-the-back-yard.example.internal port 554 for 12 s",
    }
    page = open_browser(display.page, 320, 700)
    wait_for_text(page, ".problems", "unreachable")
    wide = """() => {
      document.getElementById("device").textContent = "shop-cameras-bench-01";
      return Math.max(document.documentElement.scrollWidth, document.querySelector(".bar").scrollWidth) - innerWidth;
    }"""
    for key in ("Escape", "1"):
        page.keyboard.press(key)
        for width in (280, 320, 360, 412, 640, 673, 740, 768, 961, 1024, 1201, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate(wide) <= 0, f"at {width} pixels"
    page.set_viewport_size({"width": 740, "height": 360})
    picture = page.locator("#opened-picture .picture").bounding_box()
    assert picture["width"] > 650, "a phone on its side shows a picture, not a stamp"
    assert picture["height"] > 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_too_faint(display: Any, start_application: Any, open_browser: Any, scheme: str) -> None:
    """Contrast of every visible word outside pictures, as WCAG AA wants it: 4.5 to 1."""
    application = start_application()
    start_application("ppe-check", "yard").crash()
    application.video = {"state": CameraState.NO_KEY_FRAME}
    page = open_browser(f"{display.page}#/tile/people-counter%2Flobby", color_scheme=scheme)
    wait_for_text(page, ".problems", "crashed")
    wait_for_text(page, "#panel", "Parameters")
    assert page.evaluate(FAINT) == []
    page.evaluate("location.hash = '#/application/people-counter'")
    wait_for_text(page, ".page .card-parameters", "Threshold")
    assert page.evaluate(FAINT) == []


def test_facts_of_the_device_are_not_on_the_page(
    broker: MemoryBroker, display: Any, start_application: Any, open_browser: Any
) -> None:
    start_application()
    port = InterfaceStatus(name="eth0", state="CONNECTED", addresses=["192.0.2.7/24"], mbps=1000)
    network = NetworkStatus(interfaces=[port], uplink="eth0", time=TimeStatus(state="NOT_CONNECTED"))
    update = DeploymentStatus(
        deployment_id="d", name="shops", state=DeploymentState.IN_PROGRESS, since=time.time() - 12
    )
    stop = threading.Event()
    with MemoryBus(broker, "vedette.DeviceMonitor") as monitor:

        def tell() -> None:
            while not stop.wait(0.5):
                monitor.publish(MonitorStatus.topic(), MonitorStatus(network=network).encode())
                monitor.publish(DeploymentStatus.topic(), update.encode())

        telling = threading.Thread(target=tell)
        telling.start()
        try:
            page = open_browser(display.page)
            wait_for_text(page, "#health", "Updating this device: shops")
            page.locator('[data-place="device"]').click()
            wait_for_text(page, ".device-facts", "connected, 1000 Mbit/s, the way out, 192.0.2.7/24")
            wait_for_text(page, ".device-facts", "not set by any time service")
            wait_for_text(page, ".device-facts", "Updating this device: shops")
        finally:
            stop.set()
            telling.join(10)
