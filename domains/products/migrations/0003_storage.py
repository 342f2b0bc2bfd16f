from django.db import migrations


class Migration(migrations.Migration):
    initial = True

    dependencies = [("products", "0002_initial")]

    operations = [
        # Room in every page for the next version of a row: counters change all the time, no index
        # reads them, so an update can stay where it is.
        migrations.RunSQL(
            "ALTER TABLE products_stockitem SET (fillfactor = 70)",
            "ALTER TABLE products_stockitem RESET (fillfactor)",
        ),
    ]
