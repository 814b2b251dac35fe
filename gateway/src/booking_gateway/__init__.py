"""The reference gateway: pages on the public interface of the services, and on nothing else of theirs."""
