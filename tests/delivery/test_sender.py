"""When batches are tried, again and again, and what the user hears of it."""

import itertools
import logging
import threading

import pytest

from delivery.servers import hang
from delivery.setup import KEY, Delivery, ages, reason, warnings
from support.spool_files import span


def test_batches_go_oldest_first_one_a_round(delivery, server):
    delivery.write(3, 1, 2)
    assert delivery.round()["sent_count"] == 1
    assert delivery.round(2) == {
        "sent_count": 3,
        "rejected_count": 0,
        "failure_count": 0,
        "backlog_count": 0,
        "last_error": None,
        "stopped": None,
    }
    assert ages(server.requests) == [1, 2, 3]
    assert delivery.waiting() == []


def test_there_is_no_pause_while_batches_wait(delivery):
    delivery.write(1, 2)
    delivery.round()
    assert delivery.sender.pause_s() == 0
    delivery.round()
    assert delivery.sender.pause_s() == 1


def test_pauses_double_up_to_a_minute_and_a_success_ends_them(delivery, server):
    server.default = 500
    delivery.write(1, 2)
    tried_s = []
    for _ in range(10):
        delivery.sender.work()
        tried_s.append(delivery.clock.now_s)
        delivery.clock.now_s += delivery.sender._backoff.remaining_s
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried_s)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    server.default = 200
    assert delivery.round(2)["sent_count"] == 2
    assert len(server.requests) == 12


def test_during_a_pause_nothing_is_tried_and_the_backlog_is_still_known(delivery, server):
    server.default = 500
    delivery.write(1)
    delivery.round()
    server.default = (503, {"Retry-After": "100"}, b"")
    delivery.round()
    delivery.write(2, 3)
    assert delivery.round(50)["backlog_count"] == 3
    assert len(server.requests) == 2


@pytest.mark.parametrize(("asked", "pause_s"), [("7", 7), ("100000", 300), ("0", 0.5), ("soon", 0.5)])
def test_a_server_may_ask_for_a_longer_pause_of_at_most_five_minutes(asked, pause_s, delivery, server):
    server.answers += [(429, {"Retry-After": asked}, b"")]
    delivery.write(1)
    delivery.sender.work()
    assert delivery.sender._backoff.remaining_s == pause_s


def test_a_storm_is_one_warning_and_a_count_and_nothing_is_lost(delivery, server, caplog):
    server.answers += [503, 429, 500, 408, 502]
    delivery.write(1, 2)
    for _ in range(7):
        delivery.round()
        delivery.clock.now_s += 60
    facts = delivery.sender.facts()
    assert (facts["failure_count"], facts["sent_count"], facts["last_error"]) == (5, 2, None)
    (said,) = warnings(caplog)
    assert "503 Service Unavailable" in said
    assert str(delivery.spool) in said
    assert "cirron spool flush" in said
    assert delivery.faults.counts() == {"delivery": 5}
    assert ages(server.requests) == [1, 1, 1, 1, 1, 1, 2]


def test_the_latest_error_is_told_while_it_lasts(delivery, server):
    server.answers += [503]
    delivery.write(1)
    assert delivery.round()["last_error"] == "503 Service Unavailable"
    assert delivery.round()["last_error"] is None


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_rejected_batch_does_not_hold_up_the_others(status, delivery, server, caplog):
    server.answers += [200, (status, {}, b"no such thing"), (status, {}, b"no such thing")]
    delivery.write(1, 2, 3, 4)
    facts = delivery.round(4)
    assert (facts["sent_count"], facts["rejected_count"], facts["failure_count"]) == (2, 2, 0)
    assert delivery.waiting() == []
    rejected = delivery.spool / "rejected"
    assert reason(rejected / f"{2:020d}-{2:032x}.reason.json")["status"] == status
    (said,) = warnings(caplog)
    assert "no such thing" in said
    assert str(rejected) in said


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_sending_with_one_warning_that_does_not_show_it(status, delivery, server, caplog):
    server.default = (status, {}, f"bad key {KEY}".encode())
    delivery.write(1, 2)
    facts = delivery.round(100)
    assert facts["stopped"] == facts["last_error"] == f"the API key was refused ({status})"
    assert (facts["failure_count"], facts["backlog_count"], len(server.requests)) == (1, 2, 1)
    (said,) = warnings(caplog)
    assert "CIRRON_API_KEY" in said
    assert KEY not in said
    assert delivery.sender.pause_s() > 0
    assert not delivery.sender.has_more()


def test_after_a_refused_key_another_process_may_send(delivery, server, tmp_path):
    server.answers += [401]
    delivery.write(1)
    delivery.round()
    other = Delivery(tmp_path / ".cirron", server.url)
    assert other.round()["sent_count"] == 1
    other.close()


@pytest.mark.parametrize("status", [404, 405, 302])
def test_a_missing_route_is_tried_once_a_minute(status, delivery, server, caplog):
    server.default = status
    delivery.write(1)
    delivery.round(180)
    assert len(server.requests) == 3
    (said,) = warnings(caplog)
    assert "CIRRON_API_ENDPOINT" in said
    server.default = 200
    assert delivery.round(60)["sent_count"] == 1


def test_a_user_whose_logging_raises_is_not_hurt(delivery, server, raising_handler):
    server.answers += [500, 400]
    delivery.write(1, 2)
    facts = delivery.round(3)
    assert (facts["failure_count"], facts["rejected_count"], facts["sent_count"]) == (1, 1, 1)


def test_a_batch_too_large_for_the_memory_is_tried_again_later(delivery, server, monkeypatch):
    def refuse(*given):
        raise MemoryError

    delivery.write(1, spans=[span(1, "x" * 2000)])
    with monkeypatch.context() as context:
        context.setattr("zlib.compress", refuse)
        assert "not enough memory" in delivery.round()["last_error"]
    assert delivery.round()["sent_count"] == 1


def test_no_library_logs_what_is_sent(delivery, server, caplog):
    caplog.set_level(logging.DEBUG)
    delivery.write(1)
    delivery.round()
    assert caplog.text == ""


# ---- several senders, and the end ----


def test_of_two_processes_one_sends_and_the_other_takes_over(delivery, server, tmp_path):
    other = Delivery(tmp_path / ".cirron", server.url)
    delivery.write(1, 2)
    delivery.round()
    assert other.round(2)["sent_count"] == 0
    assert other.sender.pause_s() == 1
    delivery.close()
    assert other.round()["sent_count"] == 1
    other.close()
    assert ages(server.requests) == [1, 2]


def finish(sender):
    rounds = 0
    while sender.has_more():
        sender.work()
        rounds += 1
    return rounds


def test_at_the_end_all_that_lies_there_is_sent(delivery, server):
    delivery.write(1)
    delivery.round()
    delivery.write(2, 3)
    assert finish(delivery.sender) == 2
    assert ages(server.requests) == [1, 2, 3]


def test_at_the_end_a_failure_is_not_waited_out(delivery, server):
    server.default = 503
    delivery.write(1, 2)
    delivery.sender.work()
    delivery.write(3)
    assert finish(delivery.sender) == 0
    assert delivery.sender.facts()["backlog_count"] == 3
    assert delivery.waiting() == [1, 2, 3]


def test_at_the_end_a_process_waits_for_another_that_ends_too(delivery, server, tmp_path):
    """The other may have looked into the spool for the last time before this one's last batch lay there."""
    other = Delivery(tmp_path / ".cirron", server.url)
    delivery.round()
    other.write(1)
    assert other.sender.has_more()
    delivery.close()
    assert finish(other.sender) == 1
    other.close()
    assert ages(server.requests) == [1]


def test_at_the_end_a_process_does_not_wait_long_for_another_that_goes_on(delivery, tmp_path, server):
    other = Delivery(tmp_path / ".cirron", server.url)
    delivery.round()
    other.write(1)
    assert other.sender.has_more()
    other.clock.now_s += 2.1
    assert not other.sender.has_more()
    other.close()


def test_closing_ends_a_try_that_hangs_and_keeps_its_batch(delivery, server, caplog):
    server.answers += [hang]
    delivery.write(1)
    thread = threading.Thread(target=delivery.sender.work)
    thread.start()
    server.arrived.acquire()
    delivery.close()
    thread.join()
    facts = delivery.sender.facts()
    assert (facts["failure_count"], delivery.waiting()) == (1, [1])
    assert facts["last_error"] == "interrupted before the server answered"
    assert not delivery.sender.has_more()


def test_closing_leaves_nothing_open_and_may_come_twice(delivery, server, tmp_path):
    delivery.write(1)
    delivery.round()
    delivery.close()
    delivery.close()
    other = Delivery(tmp_path / ".cirron", server.url)
    assert other.claim.hold()
    other.close()


def test_a_wake_ends_the_wait_and_has_the_spool_looked_at(delivery, server):
    delivery.round()
    delivery.clock.now_s -= 1  # no time has passed, so the directory would not be listed by itself
    delivery.write(1)
    delivery.sender.wake()
    delivery.sender.wait()
    assert delivery.round()["sent_count"] == 1


def test_the_spool_may_be_removed_and_come_back(delivery, server):
    delivery.write(1)
    delivery.round()
    (delivery.output_dir / "sender.lock").unlink()
    delivery.spool.rmdir()
    delivery.output_dir.rmdir()
    delivery.round(3)
    delivery.spool.mkdir(parents=True)
    delivery.write(2)
    assert delivery.round(2)["sent_count"] == 2
    assert delivery.faults.counts() == {}


def test_a_try_that_takes_too_long_can_be_ended_and_the_next_one_succeeds(delivery, server):
    server.default = hang
    delivery.write(1)
    worker = threading.Thread(target=delivery.sender.work)
    worker.start()
    while worker.is_alive():
        delivery.sender.interrupt()
        worker.join(0.01)
    assert delivery.sender.facts()["last_error"] == "interrupted before the server answered"
    server.default = 200
    assert delivery.round(2)["sent_count"] == 1
