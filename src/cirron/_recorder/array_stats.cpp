// array_stats() for Python; see native.pyi.
#include <cmath>

#include "errors.hpp"
#include "python.hpp"
#include "stats.hpp"

namespace cirron {

namespace {

bool read_integers(PyObject* tuple, std::vector<int64_t>& to) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
        to.push_back(PyLong_AsLongLong(PyTuple_GET_ITEM(tuple, i)));
        if (to.back() == -1 && PyErr_Occurred()) return false;
    }
    return true;
}

bool read_type(const char* name, ElementType& to) {
    std::optional<ElementType> type = element_type(name);
    if (!type) {
        PyErr_Format(PyExc_ValueError, "no statistics of dtype '%s': it is none of those in native.pyi", name);
        return false;
    }
    to = *type;
    return true;
}

bool is_possible(const ArrayView& array) {
    bool possible = array.shape.size() == array.strides.size();
    for (int64_t size : array.shape) possible = possible && size >= 0;
    if (!possible) PyErr_SetString(PyExc_ValueError, "shape and strides are not those of one array");
    return possible;
}

PyObject* number_or_none(double number) {
    if (!std::isfinite(number)) Py_RETURN_NONE;
    return PyFloat_FromDouble(number);
}

template <typename Items, typename Make>
PyObject* to_list(const Items& items, Make make) {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(items.size()));
    for (size_t i = 0; list != nullptr && i < items.size(); ++i) {
        PyObject* item = make(items[i]);
        if (item == nullptr) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), item);
        }
    }
    return list;
}

PyObject* to_python(const ArrayStats& stats) {
    if (stats.finite == 0)
        return Py_BuildValue("KKOOOOOOO", 0ULL, static_cast<unsigned long long>(stats.nonfinite), Py_None, Py_None,
                             Py_None, Py_None, Py_None, Py_None, Py_None);
    // A reference that is null makes Py_BuildValue fail with the exception that is set.
    return Py_BuildValue("KKNNNNNNN", static_cast<unsigned long long>(stats.finite),
                         static_cast<unsigned long long>(stats.nonfinite), number_or_none(stats.mean),
                         number_or_none(stats.std), number_or_none(stats.min), number_or_none(stats.max),
                         number_or_none(stats.norm), to_list(stats.edges, PyFloat_FromDouble),
                         to_list(stats.counts, [](uint64_t count) { return PyLong_FromUnsignedLongLong(count); }));
}

}  // namespace

PyObject* array_stats(PyObject*, PyObject* args) {
    unsigned long long address;
    const char* dtype;
    PyObject *shape, *strides;
    if (!PyArg_ParseTuple(args, "KsO!O!:array_stats", &address, &dtype, &PyTuple_Type, &shape, &PyTuple_Type, &strides))
        return nullptr;
    return translated([&]() -> PyObject* {
        ArrayView array{reinterpret_cast<const char*>(static_cast<uintptr_t>(address)), ElementType::kBool, {}, {}};
        if (!read_type(dtype, array.type) || !read_integers(shape, array.shape) ||
            !read_integers(strides, array.strides) || !is_possible(array)) {
            return nullptr;
        }
        ArrayStats stats;
        without_gil([&] { stats = summarize(array); });
        return to_python(stats);
    });
}

}  // namespace cirron
