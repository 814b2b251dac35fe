"""The services as one viewer calls them, by the generated client."""
