"""What is sent to bring the stream to what is wanted, and what the answers mean."""

from __future__ import annotations

import pytest

from app.errors import StreamClosed
from app.feed.subscription import ANSWER_WITHIN_S, Command, Subscription, Wanted
from app.schwab.fields import EQUITIES, OPTIONS
from app.schwab.frames import Answer

KEYS = tuple(f"SPXW  261016C{strike:05d}000" for strike in range(3000))


def answer(command: Command, code: int = 0, msg: str = "", request: str = "1") -> Answer:
    """The server's answer to a command."""
    return Answer(command.service, command.command, request, code, msg)


def drive(subscription: Subscription, wanted: Wanted, limit: int = 10**9) -> list[Command]:
    """Run commands against a server that takes `limit` option keys, until nothing is left to do."""
    sent: list[Command] = []
    held: set[str] = set()
    while (command := subscription.next(wanted, 0.0)) is not None:
        assert len(sent) < 50
        sent.append(command)
        subscription.sent(command, "1", 0.0)
        code, msg = 0, ""
        if command.service == OPTIONS:
            held = held - set(command.keys) if command.command == "UNSUBS" else held
            if command.command != "UNSUBS":
                room = limit - len(held)
                held |= set(command.keys[:room])
                if len(command.keys) > room:
                    code, over = 19, len(command.keys) - room
                    msg = f"You've reached the maximum number of symbols allowed.  ({OPTIONS}={limit}, DISCARDED={over})"
        subscription.answered(answer(command, code, msg), 0.0)
    assert held == set(wanted.options[:limit])
    return sent


def test_keys_go_out_in_chunks_one_command_at_a_time() -> None:
    sent = drive(Subscription(), Wanted(("$SPX", "SPY"), KEYS))
    assert [(c.service, c.command) for c in sent] == [
        (EQUITIES, "SUBS"),
        (OPTIONS, "SUBS"),
        (OPTIONS, "ADD"),
    ]
    assert all(len(c.parameters["keys"]) < 48_000 for c in sent)
    assert sent[1].parameters["fields"].startswith("0,2,3")


def test_only_differences_are_sent() -> None:
    subscription = Subscription()
    drive(subscription, Wanted(("$SPX",), KEYS[:100]))
    command = subscription.next(Wanted(("$SPX",), KEYS[50:120]), 0.0)
    assert command is not None
    assert (command.command, set(command.keys)) == ("UNSUBS", set(KEYS[:50]))
    assert "fields" not in command.parameters
    subscription.sent(command, "9", 0.0)
    assert subscription.answered(answer(command, request="9"), 0.0) == command.keys
    following = subscription.next(Wanted(("$SPX",), KEYS[50:120]), 0.0)
    assert following is not None
    assert (following.command, following.keys) == ("ADD", KEYS[100:120])


def test_a_growing_plan_adds_before_it_drops_and_never_holds_more_than_it_wants() -> None:
    """Dropped first, the heaviest contracts of a minute ago would stand still until the new ones are added."""
    subscription = Subscription()
    drive(subscription, Wanted(("$SPX",), KEYS[:1400]))
    wanted = Wanted(("$SPX",), KEYS[500:3000])
    held = [subscription.options_held]
    while (command := subscription.next(wanted, 0.0)) is not None:
        subscription.sent(command, "1", 0.0)
        subscription.answered(answer(command), 0.0)
        held.append(subscription.options_held)
    assert min(held) == 1400
    assert max(held) == held[-1] == len(wanted.options)


def test_the_servers_limit_is_learnt_and_kept() -> None:
    subscription = Subscription()
    drive(subscription, Wanted((), KEYS), limit=2500)
    assert (subscription.limit, subscription.options_held) == (2500, 2500)
    assert subscription.next(Wanted((), KEYS), 0.0) is None


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        (f"too many  ({OPTIONS}=2500, DISCARDED=500)", 2500),
        (f"too many  ({OPTIONS}=2500)", 2500),
        ("too many", None),
        (f"too many  ({OPTIONS}=2500, DISCARDED=99999)", 2500),
        (f"too many  ({OPTIONS}=many, DISCARDED=few)", None),
    ],
)
def test_a_server_that_is_full_is_not_asked_for_ever_whatever_it_says(said: str, limit: int | None) -> None:
    subscription, wanted = Subscription(), Wanted((), KEYS)
    for _ in range(6):
        command = subscription.next(wanted, 0.0)
        if command is None:
            break
        subscription.sent(command, "1", 0.0)
        full = command.command == "ADD"
        subscription.answered(answer(command, 19 if full else 0, said if full else ""), 0.0)
    assert subscription.next(wanted, 0.0) is None, "no end after six commands"
    assert 0 < subscription.options_held <= 2500
    assert subscription.stated_limit == (limit or subscription.options_held)


def test_the_second_answer_to_a_request_is_nobodys() -> None:
    subscription = Subscription()
    drive(subscription, Wanted((), KEYS), limit=2500)
    late = Answer(OPTIONS, "ADD", "1", 24, "ADD command failed")
    assert subscription.answered(late, 0.0) == ()
    assert subscription.options_held == 2500


@pytest.mark.parametrize("code", [9, 21, 22, 23, 24, 25])
def test_a_failed_command_is_tried_again_later_and_not_for_ever(code: int) -> None:
    subscription, wanted, now = Subscription(), Wanted((), KEYS[:3]), 0.0
    for _ in range(2):
        command = subscription.next(wanted, now)
        assert command is not None
        subscription.sent(command, "1", now)
        subscription.answered(answer(command, code, "command failed"), now)
        assert subscription.next(wanted, now) is None
        now += 5
    command = subscription.next(wanted, now)
    assert command is not None
    subscription.sent(command, "1", now)
    with pytest.raises(StreamClosed) as caught:
        subscription.answered(answer(command, code), now)
    assert caught.value.reason == f"code_{code}"


def test_a_service_that_is_not_available_is_not_asked_for_again() -> None:
    subscription, wanted = Subscription(), Wanted(("SPY",), KEYS[:3])
    for service in (EQUITIES, OPTIONS):
        command = subscription.next(wanted, 0.0)
        assert command is not None
        assert command.service == service
        subscription.sent(command, "1", 0.0)
        subscription.answered(answer(command, 11), 0.0)
    assert subscription.next(wanted, 0.0) is None
    assert subscription.unavailable == {EQUITIES, OPTIONS}


@pytest.mark.parametrize("code", [3, 12, 20, 30])
@pytest.mark.parametrize("request_id", ["1", "0", "nobody's"])
def test_answers_that_end_the_connection_end_it_whatever_they_answer(code: int, request_id: str) -> None:
    subscription = Subscription()
    command = subscription.next(Wanted(("SPY",)), 0.0)
    assert command is not None
    subscription.sent(command, "1", 0.0)
    with pytest.raises(StreamClosed) as caught:
        subscription.answered(answer(command, code, request=request_id), 0.0)
    assert caught.value.reason == f"code_{code}"


@pytest.mark.parametrize("code", [9, 21, 22, 23, 24, 25])
def test_a_late_failure_of_another_command_is_nobodys(code: int) -> None:
    subscription = Subscription()
    command = subscription.next(Wanted(("SPY",)), 0.0)
    assert command is not None
    subscription.sent(command, "7", 0.0)
    assert subscription.answered(answer(command, code, request="6"), 0.0) == ()
    assert subscription.next(Wanted(("SPY",)), 0.0) is None, (
        "the answer to the command itself is still awaited"
    )


def test_an_answer_that_never_comes_ends_the_connection() -> None:
    subscription = Subscription()
    command = subscription.next(Wanted(("SPY",)), 0.0)
    assert command is not None
    subscription.sent(command, "1", 0.0)
    assert subscription.next(Wanted(("SPY",)), ANSWER_WITHIN_S - 1) is None
    with pytest.raises(StreamClosed, match="doesn't answer"):
        subscription.next(Wanted(("SPY",)), ANSWER_WITHIN_S + 1)
