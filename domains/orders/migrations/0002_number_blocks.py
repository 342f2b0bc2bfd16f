from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE orders.orders_number_block MINVALUE 0 START 0",
            "DROP SEQUENCE orders.orders_number_block",
        ),
    ]
