"""The chain of entries. The database itself refuses to change, remove or misplace one."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SQLITE = (
    """CREATE TRIGGER entries_follow BEFORE INSERT ON entries
    WHEN new.number <> (SELECT coalesce(max(number), 0) + 1 FROM entries)
    OR new.previous <> coalesce(
        (SELECT digest FROM entries ORDER BY number DESC LIMIT 1), printf('%064d', 0))
    BEGIN SELECT raise(ABORT, 'an entry follows the last one'); END""",
    """CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
    BEGIN SELECT raise(ABORT, 'entries are never edited'); END""",
    """CREATE TRIGGER entries_remain BEFORE DELETE ON entries
    BEGIN SELECT raise(ABORT, 'entries are never removed'); END""",
)

_POSTGRESQL = (
    """CREATE FUNCTION entries_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF new.number <> (SELECT coalesce(max(number), 0) + 1 FROM entries)
    OR new.previous <> coalesce(
        (SELECT digest FROM entries ORDER BY number DESC LIMIT 1), repeat('0', 64))
    THEN RAISE EXCEPTION 'an entry follows the last one'; END IF;
    RETURN new; END $$""",
    """CREATE FUNCTION entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'entries are never edited or removed'; END $$""",
    """CREATE TRIGGER entries_follow BEFORE INSERT ON entries
    FOR EACH ROW EXECUTE FUNCTION entries_follow()""",
    """CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE ON entries
    FOR EACH ROW EXECUTE FUNCTION entries_stay()""",
    """CREATE TRIGGER entries_remain BEFORE TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION entries_stay()""",
)


def upgrade() -> None:
    """Make the table and its triggers."""
    op.create_table(
        "entries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("entry", sa.Text, nullable=False),
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if sqlite else _POSTGRESQL:
        # With a driver's own words `%` and `:` mean nothing special.
        op.get_bind().exec_driver_sql(statement)
