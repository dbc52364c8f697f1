"""The order of strategies, what is known to break, which pins give way: without a network, by a fake uv."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.environments.interpreter import Interpreter, wanted_version
from vedette_app_runtime.environments.known_breaks import constraints_for
from vedette_app_runtime.environments.proof import prove_with
from vedette_app_runtime.environments.relax import floor
from vedette_app_runtime.environments.requirement import RequirementSet, parse_line
from vedette_app_runtime.environments.resolver import Resolver, bring_back
from vedette_app_runtime.environments.strategies import DATES, Strategy, strategies
from vedette_app_runtime.environments.uv_command import UvFailed
from vedette_app_runtime.sandbox import SandboxSpec

Answer = Callable[[list[str], str], str]
_PYTHON = Interpreter(Path("/usr/bin/python3"), (3, 13, 0), (Path("/usr"),), "test")


class FakeUv:
    """Stands for uv: answers what a function makes of the arguments and the requirements file."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.offline = False
        self.unreachable: tuple[str, ...] = ()
        self.asked: list[tuple[list[str], str]] = []

    def __call__(self, step: str, *arguments: str, building: object = None) -> str:
        words = [*arguments, *(["--offline"] if self.offline else [])]
        text = Path(arguments[-1]).read_text()
        limits = Path(words[words.index("--constraints") + 1]).read_text() if "--constraints" in words else ""
        self.asked.append((words, text + limits))
        return self._answer(words, text + limits)


def _resolver(answer: Answer, *, screen: bool = True) -> tuple[Resolver, FakeUv]:
    uv = FakeUv(answer)
    return Resolver(uv, _PYTHON, None, screen=screen, folder=Path("/nowhere")), uv  # type: ignore[arg-type]


def _wanted(*lines: str) -> RequirementSet:
    return RequirementSet([parse_line(line, "test") for line in lines])


def test_an_application_with_pins_is_resolved_as_of_its_own_time_first() -> None:
    order = strategies(bounded=True, wheels=False)
    assert [strategy.date for strategy in order[:4]] == [*DATES, None]
    assert order[3].constrain
    assert not order[4].constrain
    assert [strategy.relax for strategy in order[-3:]] == ["needed", "needed", "all"]
    assert all(strategy.relax == "none" for strategy in order[:-3])


def test_nothing_is_built_before_every_way_with_wheels_was_tried() -> None:
    built = [strategy.build for strategy in strategies(bounded=True, wheels=False) if strategy.relax == "none"]
    assert built == sorted(built)


def test_an_application_without_pins_gets_todays_releases_and_no_relaxing() -> None:
    order = strategies(bounded=False, wheels=False)
    assert order[0].date is None
    assert order[0].constrain
    assert all(strategy.relax == "none" for strategy in order)


def test_bundled_wheels_come_first() -> None:
    assert strategies(bounded=True, wheels=True)[0].bundled


def test_numpy_is_held_back_for_an_old_opencv_and_the_reason_is_said() -> None:
    # GIVEN an index that takes the newest numpy unless told otherwise
    resolver, uv = _resolver(
        lambda _, text: "opencv-python==4.6.0.66\n" + ("numpy==1.26.4\n" if "numpy<2" in text else "numpy==2.4.6\n")
    )
    # WHEN the sample is resolved as of today
    resolution = resolver.resolve(_wanted("opencv-python==4.6.*"), Strategy("as of today"))
    # THEN uv is asked a second time, with the constraint
    assert resolution.versions() == {"opencv-python": "4.6.0.66", "numpy": "1.26.4"}
    assert resolution.notes == (
        "numpy<2 for opencv-python: its wheels were built for NumPy 1 and fail on import, or at first use, "
        "under NumPy 2",
    )
    assert len(uv.asked) == 2


def test_plain_today_holds_nothing_back() -> None:
    resolver, uv = _resolver(lambda _words, _text: "opencv-python==4.6.0.66\nnumpy==2.4.6\n")
    assert resolver.resolve(_wanted("opencv-python"), Strategy("plain", constrain=False)).versions()["numpy"] == "2.4.6"
    assert len(uv.asked) == 1


def test_numpy_is_always_there() -> None:
    resolver, uv = _resolver(lambda _words, _text: "numpy==2.4.6\n")
    resolver.resolve(_wanted(), Strategy("as of today"))
    assert uv.asked[0][1] == "numpy\n"


def test_opencv_without_a_screen_is_the_headless_one_even_when_a_library_asks_for_it() -> None:
    resolver, uv = _resolver(
        lambda _words, _text: "opencv-contrib-python==4.11.0.86\nopencv-python-headless==4.11.0.86\n", screen=False
    )
    resolution = resolver.resolve(_wanted("opencv-python==4.11.*"), Strategy("as of today"))
    assert uv.asked[0][1].startswith("opencv-python-headless==4.11.*\n")
    assert resolution.lines == ("opencv-contrib-python-headless==4.11.0.86", "opencv-python-headless==4.11.0.86")
    assert "in place of opencv-python" in resolution.notes[0]


def test_only_the_pin_that_cannot_be_met_gives_way_and_only_as_far_as_it_must() -> None:
    # GIVEN Python 3.13: no numpy 1, so no opencv before 4.10; boto3 is no trouble
    def index(words: list[str], text: str) -> str:
        if "--no-deps" not in words:
            return "boto3==1.24.96\nopencv-python==4.10.0.84\nnumpy==2.4.6\n"
        if "numpy<2" in text:
            raise UvFailed(("numpy<2 has no usable wheels",))
        if "opencv-python>=4.10.0.84" in text:
            assert "lowest" in words
            return "opencv-python==4.10.0.84\n"
        return {"boto3==1.24.*": "boto3==1.24.96\n", "opencv-python==4.6.*": "opencv-python==4.6.0.66\n"}[text.strip()]

    resolver, uv = _resolver(index)
    # WHEN pins may be relaxed as needed
    resolution = resolver.resolve(_wanted("boto3==1.24.*", "opencv-python==4.6.*"), Strategy("relaxed", relax="needed"))
    # THEN opencv is the nearest newer one, the other pin is kept, and it is said
    assert resolution.relaxed == (
        "opencv-python==4.6.* became opencv-python==4.10.0.84: 4.6.0.66 works only with numpy<2, "
        "which has no wheel for this Python",
    )
    assert uv.asked[-1][1] == "boto3==1.24.*\nopencv-python==4.10.0.84\nnumpy\n"


def test_a_pin_without_any_wheel_becomes_the_nearest_newer_release() -> None:
    def index(words: list[str], text: str) -> str:
        if text.startswith("numpy==1.18.2"):
            raise UvFailed(("numpy==1.18.2 has no usable wheels",))
        return "numpy==2.1.0\n"

    resolver, _ = _resolver(index)
    resolution = resolver.resolve(_wanted("numpy==1.18.2"), Strategy("relaxed", relax="needed"))
    assert resolution.relaxed == (
        "numpy==1.18.2 became numpy==2.1.0: no release that it allows has a wheel for this Python",
    )


def test_an_index_out_of_reach_is_asked_once_and_then_the_cache() -> None:
    def index(words: list[str], text: str) -> str:
        if "--offline" not in words:
            raise UvFailed(("error: Failed to fetch: `https://index/simple/boto3/`",))
        return "boto3==1.24.96\n"

    resolver, uv = _resolver(index)
    assert resolver.resolve(_wanted("boto3"), Strategy("as of today")).lines == ("boto3==1.24.96",)
    assert uv.unreachable == ("error: Failed to fetch: `https://index/simple/boto3/`",)
    resolver.resolve(_wanted("boto3"), Strategy("as of today"))
    assert ["--offline" in words for words, _ in uv.asked] == [False, True, True]


def test_the_big_libraries_are_never_built() -> None:
    resolver, uv = _resolver(lambda _words, _text: "numpy==2.4.6\n")
    resolver.resolve(_wanted(), Strategy("built", build=True))
    words = " ".join(uv.asked[0][0])
    assert "--only-binary numpy" in words
    assert ":all:" not in words


@pytest.mark.parametrize(
    ("line", "expected"),
    [("x==4.6.*", "4.6"), ("x==4.6.0.66", "4.6.0.66"), ("x~=1.4", "1.4"), ("x>=4.2,<4.6", "4.6"), ("x<=9,!=10", "9")],
)
def test_the_version_that_a_pin_speaks_of(line: str, expected: str) -> None:
    assert floor(parse_line(line, "test")) == expected


def test_known_breaks_end_where_they_were_mended() -> None:
    assert [entry.constraint for entry in constraints_for({"opencv-python": "4.9.0.80"})] == ["numpy<2"]
    assert constraints_for({"opencv-python": "4.10.0.84", "boto3": "1.24.96"}) == []


def test_modules_that_python_lost_are_brought_back_once() -> None:
    more = bring_back(_wanted("boto3"), ["pkg_resources", "distutils.util", "tensorrt"])
    assert more is not None
    assert [requirement.line() for requirement in more.requirements] == ["boto3", "setuptools<81"]
    assert bring_back(more, ["distutils"]) is None


def test_a_library_that_the_image_compiled_stays_missing() -> None:
    # AWS's mot_analysis builds OpenCV from source in its Dockerfile and lists it nowhere
    more = bring_back(_wanted("boto3"), ["cv2"])
    assert more is not None
    assert [requirement.line() for requirement in more.requirements] == ["boto3", "opencv-python-headless"]


@pytest.mark.parametrize(
    ("entry", "version"),
    [
        ("python3.7", (3, 7)),
        ("/usr/bin/python3.8", (3, 8)),
        ("3.10", (3, 10)),
        ("python3", None),
        ("bash", None),
        (None, None),
        ("/panorama/run-1.2", None),
        ("/opt/python3.9/bin/python3", None),
    ],
)
def test_the_version_in_an_entry_path(entry: str | None, version: tuple[int, int] | None) -> None:
    assert wanted_version(entry) == version


def test_a_library_that_crashes_python_is_found_among_the_others() -> None:
    # GIVEN a process that dies whenever "bad" is imported
    def run(command: list[str]) -> tuple[int, str]:
        if '"bad"' in command[-1]:
            return -11, ""
        modules = re.findall(r'"(\w+)"', command[-1])
        return 0, "vedette-imports:" + "{" + ",".join(f'"{m}": ["ok", "", ""]' for m in modules) + "}"

    outcomes = prove_with(run, "python", ["good", "bad"])
    assert outcomes["good"].state == "ok"
    assert outcomes["bad"].state == "broken"


def test_an_import_that_wants_a_driver_is_not_the_libraries_fault() -> None:
    answer = 'vedette-imports:{"pycuda.driver": ["broken", "ImportError: libcuda.so.1: cannot open", ""]}'
    outcomes = prove_with(lambda _: (0, answer), "python", ["pycuda.driver"])
    assert outcomes["pycuda.driver"].state == "hardware"


def test_every_name_of_python_leads_to_the_environments_own(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "bin/python", tmp_path / "bin", (), "")
    spec = SandboxSpec(environment, tmp_path, None, tmp_path, tmp_path)
    for name in ("python", "python3", "python3.7", "/usr/bin/python3", "/usr/local/bin/python3.8"):
        assert spec.child_arguments([name, "/panorama/app.py"]) == [str(environment.python), "/panorama/app.py"]
    for name in ("bash", "/panorama/python3", "/opt/x/python3", "pythonic"):
        assert spec.child_arguments([name, "x"]) == [name, "x"]


def test_a_numpy_is_taken_that_lacks_what_the_application_calls() -> None:
    resolver, uv = _resolver(lambda _, text: "numpy==2.2.6\n" if "numpy<2.3" in text else "numpy==2.4.6\n")
    resolution = resolver.resolve(_wanted(), Strategy("as of today"), {"tostring": "app.py line 3"})
    assert resolution.versions() == {"numpy": "2.2.6"}
    assert resolution.notes == ("numpy<2.3 for app.py line 3: NumPy 2.3 took ndarray.tostring() out",)
    # AND the last resort is without any of it
    plain = resolver.resolve(_wanted(), Strategy("plain", constrain=False), {"tostring": "app.py line 3"})
    assert plain.versions() == {"numpy": "2.4.6"}
    assert len(uv.asked) == 2
