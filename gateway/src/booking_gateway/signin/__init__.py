"""Who is there: OpenID Connect towards the identity provider, an encrypted cookie towards the browser."""
