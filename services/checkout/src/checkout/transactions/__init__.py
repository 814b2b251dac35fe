"""The Transaction aggregate: the sale that locks a member, a product and a practitioner together."""
