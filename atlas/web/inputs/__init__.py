"""The inputs of controllers: what a controller takes by the names and types of its parameters.

* ``markers``: ``Query``, ``Header`` and the others, for ``Annotated``
* ``parameters``: reads the signature of a controller, and checks it against the path
* ``text_values``: values from names and texts: the query, header fields, cookies, forms
* ``bodies``: values from request bodies: JSON, text, bytes, forms with files
* ``defaults``: the values of what a client leaves out
* ``models``: the libraries whose classes describe values
* ``providers``, ``overrides``: functions whose results a controller takes, and others that stand for them in tests
* ``binding``: calls a controller with its inputs
"""
