"""Static files under names that change with their contents, so that browsers may keep them for good."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage

# `import { one } from "./other.js";` and `import "./other.js";`, each at the end of its own line. Django's own patterns
# (support_js_module_import_aggregation) would look into files of others, too, where texts only look like imports.
_IMPORTS = r"""(?m)(?P<matched>(?P<before>^import|\bfrom) "(?P<url>\.[^"]+)";$)"""


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Compressed files with hashed names, by which the site's own JavaScript modules import one another, too."""

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("crowdvote/*.js", ((_IMPORTS, """%(before)s "%(url)s";"""),)),
    )
