"""Labels and factors of variation, predicted from latents."""
