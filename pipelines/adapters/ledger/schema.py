"""The tables of the ledger, brought to this version's state when it is opened."""

from pathlib import Path

import sqlalchemy as sa

from pipelines.errors import BadInput

REVISIONS = ("0001", "0002")
"""What this version knows, the oldest first; it reads and writes the last."""

MIGRATIONS = Path(__file__).parent / "migrations"

_ALL = sa.MetaData()

ENTRIES = sa.Table(
    "entries",
    _ALL,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("previous", sa.String(64)),
    sa.Column("digest", sa.String(64)),
    sa.Column("entry", sa.Text),
)

LEASES = sa.Table(
    "leases",
    _ALL,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("lease", sa.Text),
)


def current(connection: sa.Connection) -> str | None:
    """The revision that the tables are at, none when there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def migrate(connection: sa.Connection) -> None:
    """Bring the tables up, within the transaction that is open.

    :raises BadInput: when a newer version made them.
    """
    found = current(connection)
    refuse_newer(found)
    if found == REVISIONS[-1]:
        return
    # Alembic is only needed, and only loaded, when there is something to do.
    from alembic.config import Config
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    context = MigrationContext.configure(connection)
    steps = list(script.iterate_revisions(REVISIONS[-1], found or "base"))
    with Operations.context(context):
        for step in reversed(steps):
            step.module.upgrade()
            context.stamp(script, step.revision)


def refuse_newer(found: str | None) -> None:
    """Refuse tables that this version knows nothing about.

    :raises BadInput: when `found` is none of the known revisions.
    """
    if found and found not in REVISIONS:
        raise BadInput(
            f"ledger: was written by a newer Sluice: revision {found}, known is {REVISIONS[-1]}",
            "install that version; the ledger stays as it is",
        )
