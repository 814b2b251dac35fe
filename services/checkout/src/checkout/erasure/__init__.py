"""Forgetting a person: what product.md E4 names, here and, by `PersonErased`, in every service."""
