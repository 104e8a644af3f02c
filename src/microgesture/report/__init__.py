"""The page that shows what a run has learned: made from result files alone, and readable without a network."""
