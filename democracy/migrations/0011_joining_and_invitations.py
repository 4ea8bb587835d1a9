import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import democracy.models.invitations


def open_the_doors(apps, schema_editor):
    """Communities that approved every application at once are open; the others go on asking a manager."""
    apps.get_model("democracy", "Community").objects.filter(auto_approve=True).update(joining="open")


def approve_automatically(apps, schema_editor):
    apps.get_model("democracy", "Community").objects.filter(joining="open").update(auto_approve=True)


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("democracy", "0010_notices"),
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
        migrations.CreateModel(
            name="InvitationLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.CharField(default=democracy.models.invitations.new_token, max_length=32, unique=True)),
                (
                    "role",
                    models.CharField(
                        choices=[("voter", "Voter"), ("lobbyist", "Lobbyist")], default="voter", max_length=10
                    ),
                ),
                ("needs_approval", models.BooleanField(default=False)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("max_uses", models.PositiveIntegerField(blank=True, null=True)),
                ("uses", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "community",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitation_links",
                        to="democracy.community",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "decision",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="democracy.decision",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="application",
            name="link",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="democracy.invitationlink",
            ),
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("address", models.EmailField(max_length=254)),
                ("name", models.CharField(blank=True, max_length=80)),
                (
                    "role",
                    models.CharField(
                        choices=[("voter", "Voter"), ("lobbyist", "Lobbyist")], default="voter", max_length=10
                    ),
                ),
                ("is_manager", models.BooleanField(default=False)),
                ("key", models.CharField(default=democracy.models.invitations.new_key, max_length=32)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("issued_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("accepted_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "community",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="democracy.community",
                    ),
                ),
                (
                    "decision",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="democracy.decision",
                    ),
                ),
                (
                    "invited_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "membership",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="democracy.membership",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("community", "address"), name="invitation_one_for_each_address")
                ],
            },
        ),
        migrations.RunPython(open_the_doors, approve_automatically, elidable=False),
        # The column stays for processes of the release before, which go on meanwhile; a later release drops it.
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="community", name="auto_approve")]
        ),
    ]
