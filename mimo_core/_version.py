"""The one version: of all distributions, of the user agent, and of what LangChain's traces say."""

__version__ = "0.1.0"
