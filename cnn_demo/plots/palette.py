"""The colors that mean something, the same in the pages' charts and in figures to download.

Each has a contrast of at least 3:1 on the white page and on the dark one (WCAG 2.2, 1.4.11), and the three differ in
lightness and in marker as well, for those who do not tell red from green.
"""

TRAIN_COLOR = "#3b82f6"
TEST_COLOR = "#ea580c"
VAL_COLOR = "#059669"
MARK_COLOR = "#8b8f98"
