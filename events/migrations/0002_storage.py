from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [
        # Compressing bodies with pglz costs more than everything else about recording them; lz4 is not in every server.
        migrations.RunSQL(
            "ALTER TABLE events_event ALTER COLUMN body SET STORAGE EXTERNAL",
            "ALTER TABLE events_event ALTER COLUMN body SET STORAGE EXTENDED",
        ),
        # Room on each page for the new version that a claim writes: it then touches no index.
        migrations.RunSQL(
            "ALTER TABLE events_delivery SET (fillfactor = 50)", "ALTER TABLE events_delivery RESET (fillfactor)"
        ),
    ]
