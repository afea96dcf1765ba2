"""Who may start bots that trade money. It is renewed often, so it is no entry of the chain."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("lease", sa.Text, nullable=False),
    )
