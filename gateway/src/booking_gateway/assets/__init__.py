"""What a browser loads besides the pages: fetched or ours, served by names that change with their content."""
