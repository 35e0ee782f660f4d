"""Attributes and items, as ``a.b`` and ``a["b"]`` find them in templates."""


cdef object find_attribute(object environment, object value, object name, bint is_in_dict)
cdef object find_item(object environment, object value, object key)
