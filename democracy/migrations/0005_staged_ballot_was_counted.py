from django.db import migrations, models
from django.db.models import F


def move(apps, schema_editor):
    """Rows of ballots that are gone said in `is_counted` whether they had been counted."""
    gone = apps.get_model("democracy", "StagedBallot").objects.filter(kind="none")
    gone.update(was_counted=F("is_counted"), is_counted=False)


class Migration(migrations.Migration):

    dependencies = [
        ('democracy', '0004_index_managers'),
    ]

    operations = [
        migrations.AddField(
            model_name='stagedballot',
            name='was_counted',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
