"""The body of PutMetricData, as CloudWatch's query protocol has it. A codec: no I/O."""

import gzip
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Final
from urllib.parse import urlencode

from vedette_device_monitor.datum import Datum

MAX_METRICS: Final = 1000
"""In one request."""
MAX_BYTES: Final = 900_000
"""Of a request before it is compressed; CloudWatch takes 1 MB."""
COMPRESS_BYTES: Final = 10_000
"""From here on a body is compressed, as the AWS SDKs do."""
ACTION: Final = "cloudwatch:PutMetricData"


def encode(namespace: str, data: Iterable[tuple[Datum, float]]) -> tuple[bytes, dict[str, str]]:
    """Return body and headers for data with their Unix times."""
    form: list[tuple[str, str]] = [
        ("Action", "PutMetricData"),
        ("Version", "2010-08-01"),
        ("Namespace", namespace),
    ]
    for number, (datum, at) in enumerate(data, 1):
        key = f"MetricData.member.{number}"
        moment = datetime.fromtimestamp(at, timezone.utc)
        form += [
            (f"{key}.MetricName", datum.name),
            (f"{key}.Unit", datum.unit),
            (f"{key}.Timestamp", moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ]
        for place, (name, value) in enumerate(datum.dimensions, 1):
            form += [
                (f"{key}.Dimensions.member.{place}.Name", name),
                (f"{key}.Dimensions.member.{place}.Value", value),
            ]
        if len(datum.values) == 1 and datum.counts == (1,):
            form.append((f"{key}.Value", f"{datum.values[0]:.10g}"))
            continue
        for place, (measured, count) in enumerate(zip(datum.values, datum.counts, strict=True), 1):
            form += [
                (f"{key}.Values.member.{place}", f"{measured:.10g}"),
                (f"{key}.Counts.member.{place}", str(count)),
            ]
    body = urlencode(form).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    if len(body) >= COMPRESS_BYTES:
        body = gzip.compress(body, 6, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return body, headers


def encoded_bytes(datum: Datum) -> int:
    """Return about how many bytes a datum takes in a body: enough to keep under MAX_BYTES."""
    return 150 + 130 * len(datum.dimensions) + sum(len(v) * 3 for _, v in datum.dimensions) + 90 * len(datum.values)
