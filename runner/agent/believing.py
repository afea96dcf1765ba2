"""Whether what is signed about a release counts, and as of when.

Two clocks are at work. Signatures are made in the system's time, and keys are valid in it: so it is
the system's time that a delivery writes down as `verified`, whatever time bots live in. Soaks,
expiries of approvals and every entry's `at` have the agent's clock, which in a rehearsal is the
exchange's. The two are never compared with one another.
"""

from datetime import UTC, datetime

from pipelines.adapters.verifying import Verification, verify
from pipelines.domain.document import sha256
from pipelines.domain.record import Record
from pipelines.domain.trust import Trust


def believed(tar: bytes, dsse: bytes, trust: Trust, record: Record) -> Verification:
    """What is found out about a release, its keys looked at as of when it was delivered.

    Only a delivery of exactly this envelope counts, and only as the ledger has it: in files beside
    it nobody can write an earlier time. What was never delivered counts as of now.
    """
    return verify(tar, dsse, trust, record.verified_at(sha256(dsse), datetime.now(UTC)))
