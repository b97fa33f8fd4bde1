"""What makes a tutorial fail, and what it leaves to the run."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from sybil import Example, Sybil

from tests.tutorial import Outputs, excerpt, same, tutorials

SHOWN = "Greeting: Hello you (Backend IP: 10.232.1.64)\nGreeting: Hello you (Backend IP: 10.232.1.65)\n"


def test_addresses_are_the_runs_own_but_one_is_not_two() -> None:
    assert same(SHOWN.replace("10.232.1", "127.64.0"), SHOWN)
    assert not same(SHOWN.replace(".64", ".65"), SHOWN)


def test_in_turn_is_not_one_after_the_other() -> None:
    first, second = SHOWN.splitlines(keepends=True)
    assert same((first + second) * 2, SHOWN * 2)
    assert not same(first * 2 + second * 2, SHOWN * 2)
    assert same(first * 2 + second * 2, SHOWN * 2, any_order=True)


def test_counts_count_within_a_tenth() -> None:
    assert same("127.64.0.9  90 calls\n", "10.232.1.64  100 calls\n")
    assert not same("127.64.0.9  89 calls\n", "10.232.1.64  100 calls\n")
    assert not same("127.64.0.9  1 calls\n", "10.232.1.64  0 calls\n")


@pytest.mark.parametrize("name", ["web-b5ddfbf-kl9rj", "web-5c8c9b7d6f-2xw4c"])
def test_a_pods_hashes_are_the_runs_own_however_long(name: str) -> None:
    assert same(f"{name} 1/1", "web-7bcf8b5b6d-87mp7 1/1")
    assert not same(f"{name} 0/1", "web-7bcf8b5b6d-87mp7 1/1")


def test_an_excerpt_has_some_lines_whose_numbers_do_not_count() -> None:
    printed = "NAME READY\nweb-b5ddfbf-kl9rj  1/1  Running  9s\nslice-x2k9p  0x7f01\n"
    assert excerpt(printed, "web-7bcf8b5b6d-87mp7   1/1   Running   24m\n…\nslice-87mp7 0x7fd8\n")
    assert not excerpt(printed, "web-7bcf8b5b6d-87mp7   1/1   Pending   24m\n")


def test_what_a_client_says_on_stderr_may_come_before_or_after_what_it_says_on_stdout() -> None:
    aside = "Measuring, after 3 calls to warm up\n"
    assert same(aside + SHOWN, SHOWN + aside)


def test_a_line_more_or_less_is_seen_and_warnings_of_the_lab_are_not() -> None:
    assert same("Warning: the lab ignores this\n" + SHOWN, SHOWN)
    assert not same(SHOWN + "No answer: UNAVAILABLE\n", SHOWN)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("```sh\nfalse\ntrue\n```", "exit code 1"),
        ("<!-- exits: 1 -->\n\n```sh\ntrue\n```", "exit code 0"),
        ("```sh\necho one\n```\n\n```text\ntwo\n```", "printed:\none"),
    ],
)
def test_a_block_fails_by_its_exit_code_or_by_what_it_prints(tmp_path: Path, page: str, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        follow(tmp_path, page)


def test_a_block_that_is_to_fail_and_one_that_is_not_run(tmp_path: Path) -> None:
    follow(
        tmp_path, '<!-- exits: 1 -->\n\n```sh\nfalse\n```\n\n```sh title="not run by the tests: it fails"\nfalse\n```'
    )


def test_the_text_below_a_block_that_is_not_run_is_of_no_other(tmp_path: Path) -> None:
    follow(
        tmp_path,
        '```sh\necho one\n```\n\n```sh title="not run by the tests: it is two"\necho two\n```\n\n```text\ntwo\n```',
    )


def test_what_goes_on_beside_is_waited_for_and_ended(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "README.md")
    page = "<!-- beside -->\n```sh\necho begun; sleep 600\n```\n\n```text\n{}\n```\n\n```sh\ntrue\n```"
    try:
        follow(tmp_path, page.format("begun"), outputs)
        with pytest.raises(AssertionError, match="printed: begun"):
            follow(tmp_path, page.format("another"), outputs)
        assert [process.poll() for process in outputs.beside] == [None, None]
    finally:
        outputs.end()
    assert all(process.returncode for process in outputs.beside)


LAB, CLUSTER = "current-context: lab\n", "current-context: kind-kind\n"


@pytest.mark.parametrize(
    ("comment", "config", "left_out"),
    [
        ("on: lab", LAB, False),
        ("on: lab", CLUSTER, True),
        ("on: cluster", LAB, True),
        ("on: cluster", CLUSTER, False),
        ("with: bash", LAB, False),
        ("with: no-such-program", LAB, True),
    ],
)
def test_a_block_for_elsewhere_is_left_out_and_said_to_be(
    tmp_path: Path, comment: str, config: str, left_out: bool
) -> None:
    (kubeconfig := tmp_path / "config").write_text(config)
    page = f"<!-- {comment} -->\n<!-- exits: 1 -->\n\n```sh\nfalse\n```\n"
    if left_out:
        with pytest.raises(pytest.skip.Exception):
            follow(tmp_path, page, kubeconfig=str(kubeconfig))
    else:
        follow(tmp_path, page, kubeconfig=str(kubeconfig))


def test_a_block_that_is_left_out_takes_its_text_along_whatever_was_printed_before(tmp_path: Path) -> None:
    left_out = "<!-- with: no-such-program -->\n```sh\nfalse\n```\n\n```text\nits own\n```\n"
    skipped = 0
    for example in blocks(tmp_path, f"```sh\necho before\n```\n\n{left_out}"):
        try:
            example.evaluate()
        except pytest.skip.Exception:
            skipped += 1
    assert skipped == 1


def test_what_was_printed_is_put_in_place_of_what_the_page_shows(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "README.md")
    with pytest.raises(AssertionError):
        follow(
            tmp_path,
            "Text.\n\n```sh\necho one; echo Warning: the lab ignores it >&2\n```\n\n```text\ntwo\n```\n",
            outputs,
        )
    outputs.write()
    assert outputs.page.read_text().endswith("```\n\n```text\none\n```\n")


def follow(directory: Path, page: str, outputs: Outputs | None = None, kubeconfig: str = "none") -> None:
    """Run the blocks of a page."""
    for example in blocks(directory, page, outputs, kubeconfig):
        example.evaluate()


def blocks(directory: Path, page: str, outputs: Outputs | None = None, kubeconfig: str = "none") -> Iterable[Example]:
    path = directory / "README.md"
    path.write_text(page)
    of_ours = tutorials()
    document = Sybil(of_ours.parsers, path=str(directory)).parse(path)
    document.namespace |= {"kubeconfig": kubeconfig, "outputs": outputs or Outputs(path)}
    found: Iterable[Example] = document.examples()
    return found
