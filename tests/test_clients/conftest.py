from tests.servers import prepared_directory, tokens

__all__ = ["prepared_directory", "tokens"]
