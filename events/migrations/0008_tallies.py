import django.contrib.postgres.indexes
import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Charts read tallies; tallies look for attempts by their time. The table may be large and is written all the time."""

    atomic = False

    dependencies = [("events", "0007_delivery_lanes"), ("instances", "0005_console")]

    operations = [
        # First: if it fails, the index is all that is left behind, and has to be dropped before the next try.
        AddIndexConcurrently(
            model_name='deliveryattempt',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['started_at'], name='attempts_by_time'),
        ),
        migrations.CreateModel(
            name='ActivityTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('events', models.PositiveBigIntegerField(default=0)),
                ('delivered', models.PositiveBigIntegerField(default=0)),
                ('failed', models.PositiveBigIntegerField(default=0)),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='instances.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('organization', 'starts_at'), name='one_tally_each')],
                'indexes': [models.Index(fields=['starts_at'], name='tallies_by_time')],
            },
        ),
    ]
