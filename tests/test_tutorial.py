"""What the comparison of a tutorial's outputs sees, and what it leaves to the run."""

from tests.tutorial import normalized

SHOWN = "Greeting: Hello you (Backend IP: 10.232.1.64)\nGreeting: Hello you (Backend IP: 10.232.1.65)\n"


def test_addresses_are_the_runs_own_but_one_is_not_two() -> None:
    assert normalized(SHOWN.replace("10.232.1", "127.64.0")) == normalized(SHOWN)
    assert normalized(SHOWN.replace(".64", ".65")) != normalized(SHOWN)


def test_counts_count_to_the_nearest_ten() -> None:
    assert normalized("10.232.1.64  101 calls\n") == normalized("127.64.0.9  98 calls\n")
    assert normalized("10.232.1.64  101 calls\n") != normalized("10.232.1.64  110 calls\n")


def test_a_line_more_or_less_is_seen_and_warnings_of_the_lab_are_not() -> None:
    assert normalized("Warning: the lab ignores this\n" + SHOWN) == normalized(SHOWN)
    assert normalized(SHOWN + "No answer: UNAVAILABLE\n") != normalized(SHOWN)
