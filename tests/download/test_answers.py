from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from chestxpert.download.answers import content_range, origin_of, retry_after, unsatisfied_total
from chestxpert.download.part import Origin


def answer(code: int, **headers: str) -> httpx.Response:
    return httpx.Response(code, headers={key.replace("_", "-"): value for key, value in headers.items()})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 5-9/10", (5, 10)),
        ("bytes 5-9/*", (5, None)),
        ("bytes */10", None),
        ("bytes 5-9", None),
        ("lines 5-9/10", None),
        ("", None),
    ],
)
def test_the_place_of_a_part(text: str, expected: tuple[int, int | None] | None) -> None:
    assert content_range(answer(206, Content_Range=text)) == expected
    assert content_range(answer(200, Content_Range=text)) is None


def test_the_size_that_nothing_comes_after() -> None:
    assert unsatisfied_total(answer(416, Content_Range="bytes */10")) == 10
    assert unsatisfied_total(answer(416)) is None


def test_the_size_of_the_whole() -> None:
    assert origin_of("u", answer(200, Content_Length="10")).total == 10
    assert origin_of("u", answer(206, Content_Length="5", Content_Range="bytes 5-9/10")).total == 10
    assert origin_of("u", answer(206, Content_Length="5", Content_Range="bytes 5-9/*")).total is None
    assert origin_of("u", answer(200)) == Origin("u")
    assert origin_of("u", answer(200, ETag='W/"a"')).etag == ""
    assert origin_of("u", answer(200, ETag='"a"')).etag == '"a"'


def test_origins_differ_in_what_both_know() -> None:
    assert Origin("u", '"a"', "", 10).differs(Origin("u", '"b"', "", 10))
    assert Origin("u", "", "", 10).differs(Origin("u", '"b"', "", 11))
    assert not Origin("u", "", "", 10).differs(Origin("u", '"b"', "", None))
    assert not Origin("u", '"a"', "", 10).differs(Origin("u", '"a"', "", 10))


def test_how_long_a_server_asks_to_wait() -> None:
    assert retry_after(answer(503, Retry_After="120")) == 120
    assert retry_after(answer(503)) is None
    assert retry_after(answer(503, Retry_After="soon")) is None
    assert retry_after(answer(503, Retry_After="-5")) is None
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    asked = retry_after(answer(503, Retry_After=past))
    assert asked is not None
    assert asked < 0
