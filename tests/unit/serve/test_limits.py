"""Buckets, places and their ends; the clock is a number that the test moves."""

from __future__ import annotations

import pytest

from cnn_demo.serve.limits import Admission, Limits, RateLimiter, Refused


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_bucket_empties_and_fills_again(clock: Clock) -> None:
    limiter = RateLimiter(rate=2, burst=3, clock=clock)
    for _ in range(3):
        assert limiter.measure_wait("a") == 0
        limiter.charge("a")
    assert limiter.measure_wait("a") == 0.5  # one image at two a second
    clock.now += 0.5
    assert limiter.measure_wait("a") == 0
    clock.now += 1000
    for _ in range(3):
        limiter.charge("a")
    assert limiter.measure_wait("a") == 0.5  # no more than the burst had gathered


def test_many_images_are_paid_back_and_clients_are_apart(clock: Clock) -> None:
    limiter = RateLimiter(rate=10, burst=4, clock=clock)
    limiter.charge("a", 64)
    assert limiter.measure_wait("a") == pytest.approx((1 + 60) / 10)
    assert limiter.measure_wait("b") == 0


def test_no_rate_is_no_limit(clock: Clock) -> None:
    limiter = RateLimiter(rate=0, burst=1, clock=clock)
    limiter.charge("a", 10_000)
    assert limiter.measure_wait("a") == 0


def test_clients_seen_longest_ago_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.serve.limits._MOST_CLIENTS", 10)
    limiter = RateLimiter(rate=1, burst=1, clock=clock)
    for number in range(1000):
        limiter.charge(str(number))
    assert len(limiter._buckets) == 10
    assert limiter.measure_wait("0") == 0
    assert limiter.measure_wait("999") == 1


def test_the_queue_is_bounded() -> None:
    admission = Admission(Limits(max_queue=3))
    tickets = [admission.enter(10) for _ in range(3)]
    with pytest.raises(Refused) as refused:
        admission.enter(10)
    assert (refused.value.status, refused.value.kind, refused.value.retry_after) == (503, "busy", 1)
    tickets[0].leave()
    tickets[0].leave()  # a second time does nothing
    assert (admission.images, admission.nbytes) == (2, 20)
    admission.enter(10)


def test_a_full_request_is_let_in_alone_and_no_two_at_once() -> None:
    admission = Admission(Limits(max_queue=3))
    first, second, third = admission.enter(1), admission.enter(1), admission.enter(1)
    first.count_images(64)  # two others are in work: fewer than three
    assert admission.images == 66
    with pytest.raises(Refused):
        second.count_images(64)
    second.leave()
    third.leave()
    assert admission.images == 64
    first.leave()
    assert admission.images == 0


def test_bodies_are_bounded_together_but_one_always_fits() -> None:
    admission = Admission(Limits(max_held_bytes=100))
    first = admission.enter(1000)
    with pytest.raises(Refused, match="bytes"):
        admission.enter(1)
    first.leave()
    admission.enter(60)
    admission.enter(40)
    with pytest.raises(Refused, match="bytes"):
        admission.enter(1)
