"""Attributes and items, as ``a.b`` and ``a["b"]`` find them in templates.

``a.b`` is the attribute, or else the item; ``a["b"]`` is the item, or else the attribute. A dict has no attribute of a
name that is none of its type, so that its item is looked up at once.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

from atlas._speedups.templates.escaping cimport atlas_find_attribute


cdef object find_attribute(object environment, object value, object name, bint is_in_dict):
    """Return what ``value.name`` is; an undefined value if there is neither attribute nor item.

    :param is_in_dict: whether dicts have an attribute of this name.
    """
    cdef PyObject *found = NULL
    if type(value) is dict and not is_in_dict:
        found = PyDict_GetItemWithError(<dict>value, name)
        if found is not NULL:
            return <object>found
        return environment.undefined(obj=value, name=name)
    if atlas_find_attribute(value, name, &found):
        result = <object>found
        Py_DECREF(result)
        return result
    try:
        return value[name]
    except (TypeError, LookupError, AttributeError):
        return environment.undefined(obj=value, name=name)


cdef object find_item(object environment, object value, object key):
    """Return what ``value[key]`` is; an undefined value if there is neither item nor attribute."""
    cdef PyObject *found
    if type(value) is dict and type(key) is str:
        found = PyDict_GetItemWithError(<dict>value, key)
        if found is not NULL:
            return <object>found
    else:
        try:
            return value[key]
        except (AttributeError, TypeError, LookupError):
            pass
    return find_named(environment, value, key)


cdef object find_named(object environment, object value, object key):
    """Return the attribute that a key names, for a value without such an item."""
    cdef PyObject *found = NULL
    if isinstance(key, str):
        try:
            name = str(key)
        except Exception:
            return environment.undefined(obj=value, name=key)
        if atlas_find_attribute(value, name, &found):
            result = <object>found
            Py_DECREF(result)
            return result
    return environment.undefined(obj=value, name=key)


def attribute(environment, value, name, /):
    """Return what ``value.name`` is in a template.

    :param environment: makes the undefined value if there is neither attribute nor item.
    :param value: any object.
    :param name: the name, a str.
    """
    return find_attribute(environment, value, name, hasattr(dict, name))


def item(environment, value, key, /):
    """Return what ``value[key]`` is in a template.

    :param environment: makes the undefined value if there is neither item nor attribute.
    :param value: any object.
    :param key: any object.
    """
    return find_item(environment, value, key)
