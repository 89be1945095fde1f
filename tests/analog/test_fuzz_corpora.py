"""What the fuzzers of the analog readers found is read again by each run of the tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fuzz import dtmf, fsk, voice, whozz
from tests.fuzz.corpora import inputs

READERS: dict[str, Callable[[bytes], None]] = {
    "fsk": fsk.one,
    "dtmf": dtmf.one,
    "whozz": whozz.one,
    "voice": voice.one,
}


@pytest.mark.parametrize("reader", READERS)
def test_every_input_of_the_corpus_is_read_or_refused(reader: str) -> None:
    files = inputs(reader)
    assert files, f"the corpus of {reader} is gone"
    for file in files:
        READERS[reader](file.read_bytes())
