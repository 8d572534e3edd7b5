import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0002_initial"),
        ("instances", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="seenchange",
            name="instance",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="instances.instance",
            ),
        ),
        # Compressing bodies with pglz costs more than everything else about recording them; lz4 is not in every server.
        migrations.RunSQL(
            "ALTER TABLE events_event ALTER COLUMN body SET STORAGE EXTERNAL",
            "ALTER TABLE events_event ALTER COLUMN body SET STORAGE EXTENDED",
        ),
    ]
