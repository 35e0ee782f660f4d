"""One module per framework, each with the same functions, each of which makes an application:

* ``text()``: ``GET /``, a small text
* ``user()``: ``GET /users/42`` beside 99 other routes, JSON
* ``page()``: ``GET /``, twenty rows by a Jinja2 template
* ``order()``: ``POST /orders``, four fields of JSON into a typed object, JSON back
* ``five()``: ``text`` inside five middlewares that do nothing

Each is written as the framework's own documentation would, in the fastest of the ways it shows. What all of them need
is in ``content``.
"""
