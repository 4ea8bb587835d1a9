from itertools import groupby, islice
from operator import itemgetter

import django.db.models.deletion
import numpy as np
from django.db import migrations, models
from django.db.models.functions import Cast

from democracy.models.packed import tag_set
from democracy.models.staged_ballots import BallotColumns, PackedColumns, StagedBallot

# Ballots in a block; rows read, and written, at a time; blocks written at a time.
BLOCK = 1_000
ROWS = 5_000
BLOCKS = 100


def to_blocks(apps, schema_editor):
    """Put the rows of staged ballots into blocks, decision by decision."""
    Row, Block = (apps.get_model("democracy", name) for name in ("StagedBallot", "StagedBlock"))
    columns = ("decision_id", "membership_id", "kind", "microstars", "tags_text", "is_counted", "is_anonymous")
    rows = Row.objects.order_by("decision_id", "membership_id").annotate(tags_text=Cast("tags", models.TextField()))
    blocks = (
        block
        for decision, of_decision in groupby(
            rows.values_list(*columns, "changed_revision").iterator(ROWS), key=itemgetter(0)
        )
        for block in blocks_of(Block, decision, of_decision)
    )
    while some := list(islice(blocks, BLOCKS)):
        Block.objects.bulk_create(some)


def blocks_of(model, decision, rows):
    first = 0
    while some := list(islice(rows, BLOCK)):
        ballots = [
            StagedBallot(
                member, kind, tuple(np.frombuffer(stars, dtype="<i4").tolist()), tag_set(tags), counted, anonymous
            )
            for _, member, kind, stars, tags, counted, anonymous, _ in some
            # Rows of ballots that were gone.
            if kind != "none"
        ]
        choices = len(ballots[0].microstars) if ballots else 0
        packed = BallotColumns.of_ballots(ballots, choices=choices).packed()
        revision = max(row[-1] for row in some)
        yield model(decision_id=decision, first=first, revision=revision, **vars(packed))
        first = some[-1][1] + 1


def to_rows(apps, schema_editor):
    """Take the blocks apart again."""
    Row, Block = (apps.get_model("democracy", name) for name in ("StagedBallot", "StagedBlock"))
    names = ("size", "members", "marks", "tag_sets", "tags", "microstars")
    rows = (
        Row(
            decision_id=block.decision_id,
            membership_id=one.member,
            kind=one.kind,
            microstars=np.array(one.microstars, dtype="<i4").tobytes(),
            tags=sorted(one.tags),
            is_counted=one.is_counted,
            is_anonymous=one.is_anonymous,
            changed_revision=block.revision,
        )
        for block in Block.objects.order_by("decision_id", "first").iterator(BLOCKS)
        for one in ballots_in(BallotColumns.unpacked(PackedColumns(**{name: getattr(block, name) for name in names})))
    )
    while some := list(islice(rows, ROWS)):
        Row.objects.bulk_create(some)


def ballots_in(columns):
    return map(columns.ballot, range(len(columns)))


class Migration(migrations.Migration):
    dependencies = [
        ("democracy", "0018_idempotency_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="StagedBlock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first", models.PositiveBigIntegerField()),
                ("revision", models.PositiveBigIntegerField()),
                ("size", models.PositiveIntegerField()),
                ("members", models.BinaryField()),
                ("marks", models.BinaryField()),
                ("tag_sets", models.TextField()),
                ("tags", models.BinaryField()),
                ("microstars", models.BinaryField()),
                (
                    "decision",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="democracy.decision",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("decision", "first"), name="staged_block_unique")],
            },
        ),
        migrations.RunPython(to_blocks, to_rows),
        migrations.DeleteModel(name="StagedBallot"),
    ]
