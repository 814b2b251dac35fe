"""How a page is made: Jinja templates, one environment for each language, and the headers that every page has."""
