from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Deliveries are claimed by lane and subscription. The table may be large and is written all the time."""

    atomic = False

    dependencies = [("events", "0006_delivery_engine")]

    operations = [
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'pending')), fields=['lane', 'subscription', 'next_attempt_at', 'id'], name='deliveries_due_by_lane'),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(fields=['subscription', 'state', 'id'], name='deliveries_by_subscription'),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('replay__isnull', False)), fields=['replay', 'state'], name='deliveries_of_replay'),
        ),
        RemoveIndexConcurrently(
            model_name='delivery',
            name='deliveries_due',
        ),
        RemoveIndexConcurrently(
            model_name='delivery',
            name='deliveries_of_subscription',
        ),
        # A queue is all dead rows at its front unless they are removed soon.
        migrations.RunSQL(
            "ALTER TABLE events_delivery SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000)",
            "ALTER TABLE events_delivery RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)",
        ),
    ]
