"""Settings of tests: CrowdVote's own, in a data directory made for the run and removed after it."""

import os
import tempfile
import uuid

_data_dir = tempfile.TemporaryDirectory(prefix="crowdvote-tests-", ignore_cleanup_errors=True)

# The shell's variables are ignored, except for the database, Redis and the real data that tests use.
for _name in [name for name in os.environ if name.startswith("CROWDVOTE_") and name != "CROWDVOTE_SHARED_DATA"]:
    del os.environ[_name]
os.environ["CROWDVOTE_DATA_DIR"] = _data_dir.name
# Wake-ups do nothing: a test that wants a calculation asks for one.
os.environ["CROWDVOTE_EXECUTOR"] = "off"

from crowdvote.settings import *  # noqa: E402
from crowdvote.settings import DATABASES, EMBEDDED, STORAGES  # noqa: E402

# Pages name static files as they are; hashed names need collectstatic, which the browser tests' server runs.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = True
if EMBEDDED:
    # No power cut matters here. Servers that tests start and kill read CrowdVote's own settings, and wait for the disk.
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
# Names one run's things in services it shares with others.
TEST_RUN = uuid.uuid4().hex
