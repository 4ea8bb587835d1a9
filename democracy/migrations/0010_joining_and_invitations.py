from django.db import migrations, models


def open_the_doors(apps, schema_editor):
    """Communities that approved every application at once are open; the others go on asking a manager."""
    apps.get_model("democracy", "Community").objects.filter(auto_approve=True).update(joining="open")


def approve_automatically(apps, schema_editor):
    apps.get_model("democracy", "Community").objects.filter(joining="open").update(auto_approve=True)


class Migration(migrations.Migration):
    dependencies = [
        ("democracy", "0009_commitments_and_checkpoints"),
    ]

    operations = [
        migrations.AddField(
            model_name="community",
            name="joining",
            field=models.CharField(
                choices=[
                    ("open", "Everybody who asks is in at once"),
                    ("request", "People apply, and a manager decides"),
                    ("invited", "Only people whom a manager invited"),
                ],
                db_default="request",
                default="request",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="community",
            name="auto_approve",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunPython(open_the_doors, approve_automatically, elidable=False),
        # The column stays for processes of the release before, which go on meanwhile; a later release drops it.
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="community", name="auto_approve")]
        ),
    ]
