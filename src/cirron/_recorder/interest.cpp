#include "interest.hpp"

#include <algorithm>

namespace cirron {

namespace {

enum Interest : long { kNever, kAlways, kByField, kClientStream };

constexpr Py_ssize_t kMostTypes = 256;
constexpr int kFields = 4;
constexpr int kResultFields = 2;

PyObject* g_interests = nullptr;  // a dict by type, emptied when it has grown: types may come and go
PyObject* g_fields[kFields];      // of chunks; the first two of whole results as well

// Whatever goes wrong, nothing is read.
Interest ask(PyObject* interest, PyObject* type) {
    PyObject* answer = PyObject_CallOneArg(interest, type);
    long number = answer == nullptr ? kNever : PyLong_AsLong(answer);
    Py_XDECREF(answer);
    if (PyErr_Occurred()) PyErr_Clear();
    return number >= kAlways && number <= kClientStream ? static_cast<Interest>(number) : kNever;
}

Interest interest_in(PyObject* interest, PyObject* object) {
    auto* type = reinterpret_cast<PyObject*>(Py_TYPE(object));
    if (PyObject* known = PyDict_GetItemWithError(g_interests, type))
        return static_cast<Interest>(PyLong_AsLong(known));
    PyErr_Clear();
    Interest found = ask(interest, type);
    if (PyDict_GET_SIZE(g_interests) >= kMostTypes) PyDict_Clear(g_interests);
    PyObject* number = PyLong_FromLong(found);
    if (number == nullptr || PyDict_SetItem(g_interests, type, number) != 0) PyErr_Clear();
    Py_XDECREF(number);
    return found;
}

// Only of an object whose attributes are found in the plain way, so that none of its code runs.
bool has_field(PyObject* object, PyObject* field) {
    if (Py_TYPE(object)->tp_getattro != PyObject_GenericGetAttr) return false;
    PyObject* value = nullptr;
#if PY_VERSION_HEX >= 0x030D0000
    int found = PyObject_GetOptionalAttr(object, field, &value);
#else
    int found = _PyObject_LookupAttr(object, field, &value);
#endif
    if (found < 0) PyErr_Clear();
    bool has = value != nullptr && value != Py_None;
    Py_XDECREF(value);
    return has;
}

bool is_of_interest(PyObject* interest, PyObject* object, int fields) {
    Interest found = interest_in(interest, object);
    if (found != kByField) return found == kAlways;
    auto is_there = [&](PyObject* field) { return has_field(object, field); };
    return std::any_of(g_fields, g_fields + fields, is_there);
}

bool has_key(PyObject* dict, PyObject* key) {
    PyObject* value = PyDict_GetItemWithError(dict, key);
    if (value == nullptr) PyErr_Clear();
    return value != nullptr && value != Py_None;
}

bool is_plain(PyObject* object) {
    return object == Py_None || PyBool_Check(object) || PyLong_CheckExact(object) || PyFloat_CheckExact(object) ||
           PyUnicode_CheckExact(object) || PyBytes_CheckExact(object) || PyTuple_CheckExact(object);
}

}  // namespace

bool is_worth_reading(PyObject* interest, PyObject* result) {
    if (is_plain(result)) return false;
    if (PyDict_CheckExact(result)) return has_key(result, g_fields[0]);
    if (PyList_CheckExact(result)) {
        PyObject* first = PyList_GET_SIZE(result) > 0 ? PyList_GET_ITEM(result, 0) : nullptr;
        return first != nullptr && !PyList_CheckExact(first) && is_worth_reading(interest, first);
    }
    return is_of_interest(interest, result, kResultFields);
}

bool is_worth_seeing(PyObject* interest, PyObject* chunk) {
    if (PyUnicode_CheckExact(chunk)) return PyUnicode_GET_LENGTH(chunk) > 0;
    if (PyBytes_CheckExact(chunk)) return PyBytes_GET_SIZE(chunk) > 0;
    if (PyLong_CheckExact(chunk) || PyDict_CheckExact(chunk)) return true;
    if (is_plain(chunk)) return false;
    return is_of_interest(interest, chunk, kFields);
}

bool is_client_stream(PyObject* interest, PyObject* result) {
    return !is_plain(result) && interest_in(interest, result) == kClientStream;
}

int init_interest() {
    const char* fields[kFields] = {"usage", "prompt_token_ids", "choices", "type"};
    for (int i = 0; i < kFields; ++i) {
        g_fields[i] = PyUnicode_InternFromString(fields[i]);
        if (g_fields[i] == nullptr) return -1;
    }
    g_interests = PyDict_New();
    return g_interests == nullptr ? -1 : 0;
}

}  // namespace cirron
