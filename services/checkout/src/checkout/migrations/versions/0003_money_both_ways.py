"""Which way a review's money went and how much of it is left; all that was said of a payment; more kinds of words."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = Path(__file__).parent.parent / "money_both_ways_v1.sql"
BEFORE = "'pending', 'failed', 'paid', 'refunded'"


def upgrade() -> None:
    op.execute(TABLES.read_text(encoding="utf-8"))


def downgrade() -> None:
    for table in ("payment", "payment_notification"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_status_check")
        for kept, words in (("refunded", "'partly_refunded'"), ("failed", "'denied', 'voided'")):
            op.execute(f"UPDATE {table} SET status = '{kept}' WHERE status IN ({words})")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_status_check CHECK (status IN ({BEFORE}))")
    op.execute("ALTER TABLE payment_notification DROP COLUMN refund_ids, DROP COLUMN retry")
    op.execute(
        "ALTER TABLE payment DROP COLUMN currency, DROP COLUMN received, DROP COLUMN returned, DROP COLUMN partly,"
        " DROP COLUMN whole, DROP COLUMN voided, DROP COLUMN denied"
    )
    op.execute(
        "ALTER TABLE payment_review DROP COLUMN direction, DROP COLUMN returned_amount, DROP COLUMN refundable_amount"
    )
