"""`sluice docs`."""

from pathlib import Path

import pytest

from pipelines.errors import BadInput, CannotTell
from pipelines.workflow import docs


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "README.md").write_text("# about this folder\n")
    (pages / "exit-codes.md").write_text("# Exit codes\n\nÄrger: 1\n", encoding="utf-8")
    (pages / "data.md").write_text("# Candles\n")
    (tmp_path / "secret.md").write_text("# not a page\n")
    return tmp_path


def test_topics_are_the_pages_by_name_with_their_heading(checkout: Path) -> None:
    assert docs.topics(checkout) == (
        docs.Topic("data", "Candles"),
        docs.Topic("exit-codes", "Exit codes"),
    )


def test_the_contents_have_one_line_for_each_topic(checkout: Path) -> None:
    assert docs.contents(checkout) == "data        Candles\nexit-codes  Exit codes"


def test_a_page_is_told_as_it_is(checkout: Path) -> None:
    assert docs.page(checkout, "exit-codes") == "# Exit codes\n\nÄrger: 1\n"


def test_an_unknown_topic_gets_the_closest_one_and_all_others(checkout: Path) -> None:
    with pytest.raises(BadInput) as refused:
        docs.page(checkout, "exit-code")
    assert refused.value.message == "docs: there is no topic 'exit-code'"
    assert refused.value.hint == "did you mean 'exit-codes'? topics: data, exit-codes"


def test_a_topic_that_is_close_to_none_gets_the_list(checkout: Path) -> None:
    with pytest.raises(BadInput) as refused:
        docs.page(checkout, "zzz")
    assert refused.value.hint == "topics: data, exit-codes"


@pytest.mark.parametrize("topic", ["../secret", "README", "/etc/passwd", ""])
def test_only_topics_can_be_read(checkout: Path, topic: str) -> None:
    with pytest.raises(BadInput):
        docs.page(checkout, topic)


def test_a_copy_without_pages_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotTell, match="there are no pages here"):
        docs.topics(tmp_path)


def test_the_pages_of_this_project_are_found_from_anywhere() -> None:
    assert "exit-codes" in [topic.name for topic in docs.topics()]
    assert all(topic.title for topic in docs.topics())
