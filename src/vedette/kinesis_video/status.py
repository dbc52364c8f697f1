"""An upload's report as the bus carries it."""

from typing import Final

from vedette.kinesis_video.report import UploadReport
from vedette.messages import UploadStatus

_LONGEST: Final = 300


def status_of(what: str, report: UploadReport) -> UploadStatus:
    """Return the status of an upload."""
    return UploadStatus(
        what=what,
        service="Kinesis Video Streams",
        where=f"stream {report.stream} in {report.region}",
        since=report.since,
        last_success_at=report.last_success_at,
        last_error=report.last_error[:_LONGEST],
        waiting=report.waiting_bytes,
        lost=report.dropped,
        acknowledged=report.acknowledged,
        acknowledged_bytes=report.acknowledged_bytes,
        stream=report.stream,
        errors=report.errors,
        began_at=report.began_at,
    )
