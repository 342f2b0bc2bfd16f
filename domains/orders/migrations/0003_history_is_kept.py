from django.db import migrations


class Migration(migrations.Migration):
    """What was noted in an order's history is neither changed nor deleted, by anybody."""

    dependencies = [("orders", "0002_number_blocks")]

    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION orders.orders_history_is_kept() RETURNS trigger
            LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'The history of orders is append-only.'
                    USING ERRCODE = 'integrity_constraint_violation';
            END
            $$;
            CREATE TRIGGER orders_history_is_kept
                BEFORE UPDATE OR DELETE ON orders.orders_orderchange
                FOR EACH ROW EXECUTE FUNCTION orders.orders_history_is_kept();
            """,
            """
            DROP TRIGGER orders_history_is_kept ON orders.orders_orderchange;
            DROP FUNCTION orders.orders_history_is_kept();
            """,
        ),
    ]
