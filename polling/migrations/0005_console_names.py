from django.db import migrations


class Migration(migrations.Migration):
    """What the console calls things; the tables stay as they are."""

    dependencies = [("polling", "0004_delivery_engine")]

    operations = [
        migrations.AlterModelOptions(name="pollcursor", options={"verbose_name": "poller"}),
        migrations.AlterModelOptions(name="bulkquery", options={"verbose_name": "bulk download"}),
    ]
