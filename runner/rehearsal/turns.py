"""What a stepped bot is told, and what it answers: one line each."""

from datetime import datetime

from pipelines.domain.document import Document


class Turn(Document):
    """It is this time now: process once."""

    now: datetime


class Done(Document):
    """How the bot stands after a turn; `trouble` is what freqtrade will try again."""

    now: datetime
    state: str
    timeframe: str
    trouble: str = ""
