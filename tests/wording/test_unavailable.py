"""Sentences about databases, folders and keys that cannot be used."""

import errno

import pytest

from lib.domain import storage_errors as storage
from lib.domain.errors import AuditNotWrittenError, DatabaseUnavailableError
from lib.domain.storage_errors import FileFault
from lib.wording.sentences import explain
from lib.wording.unavailable import explain_unavailable

WITH_FACTS = {
    storage.DatabaseFileError: [storage.DatabaseFileError(fault) for fault in FileFault],
    storage.DataFolderError: [
        storage.DataFolderError(is_pepper, number)
        for is_pepper in (True, False)
        for number in (errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ELOOP)
    ],
    storage.PepperDamagedError: [storage.PepperDamagedError("it must be mended")],
    storage.OtherPepperError: [
        storage.OtherPepperError((1, 3), 4),
        storage.OtherPepperError((1,), 2, is_stored=True),
    ],
}
ERRORS = [
    error
    for kind in (DatabaseUnavailableError, *DatabaseUnavailableError.__subclasses__())
    for error in WITH_FACTS.get(kind, [kind])
]


@pytest.mark.parametrize("error", [*ERRORS, AuditNotWrittenError], ids=repr)
def test_every_error_has_a_sentence_of_its_own(error):
    """Each kind and fact; the page shows the same one."""
    error = error() if isinstance(error, type) else error
    sentence = explain_unavailable(error)
    assert sentence.endswith(".")
    assert "Nothing was changed" in sentence or isinstance(error, storage.PepperDamagedError)
    assert explain(error) == sentence


def test_no_two_errors_share_a_sentence():
    """What is wrong can be told from the sentence alone."""
    sentences = [explain_unavailable(e() if isinstance(e, type) else e) for e in ERRORS]
    assert len(set(sentences)) == len(sentences)
