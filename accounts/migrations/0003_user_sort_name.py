from django.db import migrations

import accounts.fields


def fill(apps, schema_editor):
    users = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    table = users.model._meta.db_table
    last = 0
    while names := list(users.filter(pk__gt=last).order_by("pk").values_list("name", "pk")[:10_000]):
        keys = [(name.casefold(), pk) for name, pk in names]
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(f'UPDATE "{table}" SET sort_name = %s WHERE id = %s', keys)
        last = names[-1][1]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_api_token_in_capitals"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="sort_name",
            field=accounts.fields.SortKeyField(db_default="", editable=False, max_length=240, of="name"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
