from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("democracy", "0006_ballot_is_anonymous")]

    operations = [
        migrations.AddField(
            model_name="stagedballot",
            name="is_anonymous",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RemoveField(model_name="stagedballot", name="was_counted"),
        migrations.AlterField(
            model_name="decision",
            name="results_visibility",
            field=models.CharField(
                choices=[
                    ("live", "Results are shown live"),
                    ("batched", "Results are shown whenever five members have voted"),
                    ("after_close", "Results are shown after closing"),
                ],
                default="live",
                max_length=12,
            ),
        ),
    ]
