"""One moment of an output with everything that is known of it, as a ZIP: for a bug report or a training set."""

import io
import json
import zipfile
from datetime import datetime, timezone
from typing import Any, Final

import cv2

from vedette import __version__
from vedette.health import HealthDocument
from vedette.rings import RingError, RingReader, connect
from vedette_display.encoding import to_bgr
from vedette_display.overlay import Overlays, draw, parse
from vedette_display.picture import PictureError

WAIT_S: Final = 3.0
_QUALITY: Final = 92
_WHOLE: Final = 1 << 16


def snapshot(path: str, output_id: str, document: HealthDocument, device: str, camera_id: str | None = None) -> bytes:
    """Return the ZIP: ``annotated.jpg``, ``frame.png`` (as the application put it) and ``snapshot.json``.

    Blocking. ``path``: the ring's socket. ``camera_id``: it is a camera's own picture, ``picture.jpg`` then.

    :raises PictureError: when no new frame comes within ``WAIT_S``.
    """
    try:
        reader = RingReader(connect(path), 2)
        try:
            # The first is the last frame there was, which may be old; with a second one it is known to be fresh.
            old = reader.receive(WAIT_S)
            lease = reader.receive(WAIT_S) if old is not None else None
            if lease is None:
                raise PictureError(f"no new picture of {output_id} in {WAIT_S:.0f} s")
            header = lease.header
            frame = to_bgr(header, lease.buffer, _WHOLE).copy()
            meta = bytes(lease.meta)
        finally:
            reader.close()
    except RingError as error:
        raise PictureError(f"no picture of {output_id}: {error}") from error
    try:
        overlays = parse(meta)
    except ValueError:
        overlays = Overlays()
    raw = _encoded(".png", frame, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    draw(frame, overlays)
    files = {
        "annotated.jpg" if camera_id is None else "picture.jpg": _encoded(
            ".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        ),
        "frame.png": raw,
        "snapshot.json": json.dumps(
            _facts(output_id, document, device, header.capture_wall_ns, frame.shape[:2], overlays, camera_id), indent=2
        ).encode(),
    }
    file = io.BytesIO()
    # The pictures are compressed already.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def _facts(
    output_id: str,
    document: HealthDocument,
    device: str,
    captured_wall_ns: int,
    size: tuple[int, ...],
    overlays: Overlays,
    camera_id: str | None,
) -> dict[str, Any]:
    output = next((each for each in document.outputs if each.output_id == output_id), None)
    application = next((each for each in document.applications if output and each.instance == output.instance), None)
    wanted = output.camera_id if output else camera_id
    camera = next((each for each in document.cameras if each.camera_id == wanted), None)
    return {
        "schema": "vedette.snapshot/1",
        "device": device,
        "version": __version__,
        "captured_at": datetime.fromtimestamp(captured_wall_ns / 1e9, timezone.utc).isoformat(),
        "output_id": output_id,
        "width": size[1],
        "height": size[0],
        "overlays": {
            "labels": [{"text": text, "x": x, "y": y} for text, x, y in overlays.labels],
            "rects": [{"left": r[0], "top": r[1], "right": r[2], "bottom": r[3]} for r in overlays.rects],
        },
        "application": None if application is None else application.model_dump(mode="json", exclude_none=True),
        "camera": None if camera is None else camera.model_dump(mode="json", exclude_none=True),
    }


def _encoded(suffix: str, image: Any, options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, image, options)
    if not done:
        raise PictureError(f"a picture of {image.shape[1]}x{image.shape[0]} was not encoded")
    return bytes(data)
