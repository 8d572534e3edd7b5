import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0004_name_deliveries"),
        ("instances", "0002_callbacks"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="acknowledged_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="event",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="instances.organization",
            ),
        ),
        migrations.AddField(
            model_name="event",
            name="topic",
            field=models.CharField(blank=True, db_default="", max_length=255),
        ),
        # By hand: Django would drop the constraint and check it again over the whole table.
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "ALTER TABLE events_event ALTER COLUMN instance_id DROP NOT NULL",
                    "ALTER TABLE events_event ALTER COLUMN instance_id SET NOT NULL",
                )
            ],
            [
                migrations.AlterField(
                    model_name="event",
                    name="instance",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="instances.instance",
                    ),
                )
            ],
        ),
        migrations.AlterField(
            model_name="event",
            name="source",
            field=models.CharField(
                choices=[("poll", "poll"), ("webhook", "webhook"), ("posted", "posted")], max_length=7
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("organization__isnull", False)),
                fields=["organization", "topic", "-id"],
                name="events_posted",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["created_at"], name="events_by_time", autosummarize=True
            ),
        ),
    ]
