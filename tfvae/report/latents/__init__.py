"""Latents as the report shows them: map, walk and explorer."""
