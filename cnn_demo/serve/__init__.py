"""The HTTP service: a network that other programs can call, with the answers of the Draw page.

It may import everything below it and is imported by ``cli`` alone; FastAPI and uvicorn are an extra, so only ``app.py``
and ``server.py`` import them. Start reading in ``service.py``, which answers, then ``app.py``, which speaks HTTP.
"""
