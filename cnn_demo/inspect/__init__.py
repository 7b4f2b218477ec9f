"""Looking inside a network: what every layer makes of an image, and where every number comes from."""
