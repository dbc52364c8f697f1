"""The sentence that says why an application ended."""

import pytest
from vedette_app_runtime.failure import describe_exit

PLAIN = """loading
Traceback (most recent call last):
  File "/panorama/application.py", line 88, in <module>
    main()
  File "/panorama/application.py", line 71, in main
    self.models['model_node']
KeyError: 'model_node'
"""
IN_LIBRARY = """Traceback (most recent call last):
  File "/panorama/app/main.py", line 12, in <module>
    cv2.resize(None, (1, 1))
  File "/env/lib/python3.8/site-packages/cv2/x.py", line 3, in resize
    raise error
cv2.error: OpenCV(4.6.0) :-1: error: (-5) in function 'resize'
> Overload resolution failed:
>  - src is not a numpy array
"""
CHAINED = """Traceback (most recent call last):
  File "/panorama/a.py", line 3, in f
    1 / 0
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/panorama/a.py", line 5, in <module>
    f()
  File "/panorama/b.py", line 9, in g
    raise RuntimeError("camera rtsp://user:secret@10.0.0.1/ failed")
RuntimeError: camera rtsp://user:secret@10.0.0.1/ failed
"""
CARETS = """Traceback (most recent call last):
  File "/panorama/application.py", line 4, in <module>
    x = streams[0]
        ~~~~~~~^^^
IndexError: list index out of range
"""
LOGGED = """2026-01-01 00:00:00 ERROR root Exception during processing loop.
Traceback (most recent call last):
  File "/panorama/application.py", line 30, in main
    app.process_streams()
TypeError: 'NoneType' object is not subscriptable
2026-01-01 00:00:00 INFO root ending
"""
SYNTAX = """  File "/panorama/application.py", line 7
    def f(:
          ^
SyntaxError: invalid syntax
"""
THREAD = """Exception in thread Thread-1:
Traceback (most recent call last):
  File "/usr/lib/python3.8/threading.py", line 932, in _bootstrap_inner
    self.run()
  File "/panorama/server.py", line 5, in run
    bind()
OSError: [Errno 98] Address already in use
"""


@pytest.mark.parametrize(
    ("code", "console", "expected"),
    [
        (1, PLAIN, "KeyError: 'model_node' at application.py:71, exit 1"),
        (1, IN_LIBRARY, "cv2.error: OpenCV(4.6.0) :-1: error: (-5) in function 'resize' at main.py:12, exit 1"),
        (1, CHAINED, "RuntimeError: camera rtsp://***@10.0.0.1/ failed at b.py:9, exit 1"),
        (1, CARETS, "IndexError: list index out of range at application.py:4, exit 1"),
        (0, LOGGED, "TypeError: 'NoneType' object is not subscriptable at application.py:30, exit 0"),
        (1, SYNTAX, "SyntaxError: invalid syntax at application.py:7, exit 1"),
        (1, THREAD, "OSError: [Errno 98] Address already in use at server.py:5, exit 1"),
        (0, "", "ended by itself without an error, exit 0"),
        (0, "bye\n", "ended by itself without an error, exit 0"),
        (3, "", "ended without a word, exit 3"),
        (127, "bash: foo: command not found\n", "bash: foo: command not found, exit 127"),
        (-9, "", "ended without a word, killed by SIGKILL, as the kernel does when memory runs out"),
        (137, "", "ended without a word, killed by SIGKILL, as the kernel does when memory runs out"),
        (139, PLAIN, "KeyError: 'model_node' at application.py:71, killed by SIGSEGV"),
        (250, "x\n", "x, exit 250"),
        (1, "Traceback (most recent call last):\n  File \"/a.py\", line 1", "File \"/a.py\", line 1, exit 1"),
    ],
)  # fmt: skip
def test_the_reason_is_not_found(code: int, console: str, expected: str) -> None:
    assert describe_exit(code, console.splitlines()) == expected


def test_a_long_message_fills_the_status() -> None:
    console = [
        "Traceback (most recent call last):",
        '  File "/panorama/a.py", line 1, in f',
        "ValueError: " + "x" * 9000,
    ]
    assert len(describe_exit(1, console)) < 500


@pytest.mark.parametrize(
    ("code", "console", "logs", "expected"),
    [
        (0, "", {"app.log": PLAIN}, "KeyError: 'model_node' at application.py:71 (says its app.log), exit 0"),
        (0, "", {"app.log": LOGGED + "INFO x\n" * 100}, "ended by itself without an error, exit 0; the last line of"
         " its app.log: INFO x"),
        (0, "", {"new.log": "ending\n", "old.log": PLAIN}, "KeyError: 'model_node' at application.py:71"
         " (says its old.log), exit 0"),
        (1, CARETS, {"app.log": PLAIN}, "IndexError: list index out of range at application.py:4, exit 1; its app.log"
         " has KeyError: 'model_node' at application.py:71"),
        (1, PLAIN, {"app.log": PLAIN}, "KeyError: 'model_node' at application.py:71, exit 1"),
        (-9, "", {"app.log": PLAIN}, "ended without a word, killed by SIGKILL, as the kernel does when memory"
         " runs out"),
        (137, "x", {"app.log": PLAIN}, "x, killed by SIGKILL, as the kernel does when memory runs out"),
        (0, "", {"app.log": CHAINED}, "RuntimeError: camera rtsp://***@10.0.0.1/ failed at b.py:9"
         " (says its app.log), exit 0"),
    ],
)  # fmt: skip
def test_the_reason_in_the_log_is_not_found(code: int, console: str, logs: dict[str, str], expected: str) -> None:
    lines = {name: text.splitlines() for name, text in logs.items()}
    assert describe_exit(code, console.splitlines(), lines) == expected
