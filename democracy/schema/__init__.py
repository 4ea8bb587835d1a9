"""Democracy in the GraphQL API. Resolvers ask who it is, call one service or selector, and return."""
