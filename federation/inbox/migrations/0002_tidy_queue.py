"""Messages that have had their effect leave the queue's index soon, also after years."""

from django.db import migrations

# By default a fifth of the table must change first, and then an index is passed over whose dead
# entries are few beside the whole: each look at the queue would meet hundreds of thousands of them.
_TIDY = (
    "ALTER TABLE inbox_inboundmessage SET (autovacuum_vacuum_scale_factor = 0.02,"
    " autovacuum_vacuum_threshold = 5000, vacuum_index_cleanup = on)"
)


class Migration(migrations.Migration):
    dependencies = [("inbox", "0001_initial")]

    operations = [migrations.RunSQL(_TIDY, migrations.RunSQL.noop)]
