"""The Feature maps page, block by block."""
