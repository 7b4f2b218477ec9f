"""The page Learn: the list of lessons, and one lesson with its controls, stage, guess, questions and training.

Only ``pages/learn`` imports it. A lesson's words and mathematics are in ``cnn_demo/lessons``; this room turns them into
widgets, keeps them in the address, and checks answers. Start reading at ``lesson_view.py``.
"""
