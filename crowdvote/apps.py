from django.apps import AppConfig


class CrowdVoteConfig(AppConfig):
    name = "crowdvote"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from crowdvote.api import deadlines
        from crowdvote.serving import private_files

        connection_created.connect(private_files.restrict_database, dispatch_uid="private")
        connection_created.connect(deadlines.keep_deadlines, dispatch_uid="deadlines")
