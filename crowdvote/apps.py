from django.apps import AppConfig


class CrowdVoteConfig(AppConfig):
    name = "crowdvote"
