from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("democracy", "0005_staged_ballot_was_counted")]

    operations = [
        migrations.AddField(model_name="ballot", name="is_anonymous", field=models.BooleanField(default=False)),
    ]
