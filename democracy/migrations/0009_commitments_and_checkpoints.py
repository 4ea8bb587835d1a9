import hashlib
import json
from datetime import timezone

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def chain_anew(apps, schema_editor):
    """Give every entry its commitment, and the chain the hashes of these. The contents stay as they were written."""
    Entry = apps.get_model("democracy", "LedgerEntry")
    community, previous, changed = None, "0" * 64, []
    for entry in Entry.objects.order_by("community_id", "revision").iterator(1_000):
        if entry.community_id != community:
            community, previous = entry.community_id, "0" * 64
        opened = {
            "salt": entry.salt,
            "content": {
                "community": entry.community_id,
                "kind": entry.kind,
                "subject": entry.subject,
                "actor": entry.actor_id,
                "decision": entry.decision_id,
                "membership": entry.membership_id,
                "before": entry.before,
                "after": entry.after,
            },
            "time": entry.time.astimezone(timezone.utc).isoformat(timespec="microseconds"),
        }
        text = json.dumps(opened, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        entry.commitment = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        chained = f"{previous}:{entry.revision}:{entry.commitment}"
        previous = entry.hash = hashlib.sha256(chained.encode()).hexdigest()
        changed.append(entry)
        if len(changed) == 1_000:
            Entry.objects.bulk_update(changed, ["commitment", "hash"])
            changed.clear()
    Entry.objects.bulk_update(changed, ["commitment", "hash"])


class Migration(migrations.Migration):

    dependencies = [
        ('democracy', '0008_staged_ballot_is_anonymous'),
    ]

    operations = [
        migrations.AddField(
            model_name='decision',
            name='lot_seed',
            field=models.CharField(blank=True, default='', editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name='Clarification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField(max_length=2000)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decision', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='clarifications', to='democracy.decision')),
            ],
            options={
                'ordering': ['at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('revision', models.PositiveBigIntegerField()),
                ('hash', models.CharField(max_length=64)),
                ('time', models.DateTimeField()),
                ('key', models.CharField(max_length=64)),
                ('signature', models.CharField(max_length=128)),
                ('community', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='checkpoints', to='democracy.community')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('community', 'revision'), name='checkpoint_unique')],
            },
        ),
        migrations.RenameField(model_name='ledgerentry', old_name='previous_hash', new_name='commitment'),
        migrations.RunPython(chain_anew, migrations.RunPython.noop),
    ]
