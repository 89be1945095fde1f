"""The page's blueprints, one module per group of pages."""
