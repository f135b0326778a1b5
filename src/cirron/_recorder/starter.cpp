#include "starter.hpp"

namespace cirron {

namespace {

PyObject* g_starter = nullptr;  // owned, or null

}  // namespace

bool g_starter_armed = false;

bool run_starter() {
    g_starter_armed = false;
    PyObject* starter = Py_NewRef(g_starter);
    PyObject* result = PyObject_CallNoArgs(starter);
    Py_DECREF(starter);
    Py_XDECREF(result);
    if (result != nullptr) return true;
    // Not the starter's own: what a signal handler raised meanwhile, such as KeyboardInterrupt, is meant for the
    // program.
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
    PyErr_Clear();
    return true;
}

void disarm_starter() { g_starter_armed = false; }

void arm_starter_in_child() { g_starter_armed = g_starter != nullptr; }

PyObject* set_starter(PyObject*, PyObject* starter) {
    if (starter != Py_None && PyCallable_Check(starter) == 0) {
        PyErr_Format(PyExc_TypeError, "expected a callable or None, not %s", Py_TYPE(starter)->tp_name);
        return nullptr;
    }
    PyObject* before = g_starter;
    g_starter = starter == Py_None ? nullptr : Py_NewRef(starter);
    g_starter_armed = g_starter_armed && g_starter != nullptr;
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

PyObject* arm_starter(PyObject*, PyObject*) {
    g_starter_armed = g_starter != nullptr;
    Py_RETURN_NONE;
}

}  // namespace cirron
