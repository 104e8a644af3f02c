"""Fusion rules, one file each; ``config.ensembles.FUSION_RULES`` lists them."""
