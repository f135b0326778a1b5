// Calls that other threads and signal handlers leave for the main thread.
#include "python.hpp"

namespace cirron {

namespace {

// Takes over the reference to the function. What it raises is nobody's to handle.
int call_now(void* pending) {
    auto* function = static_cast<PyObject*>(pending);
    PyObject* result = PyObject_CallNoArgs(function);
    if (result == nullptr) PyErr_WriteUnraisable(function);
    Py_XDECREF(result);
    Py_DECREF(function);
    return 0;
}

}  // namespace

PyObject* call_in_main_thread(PyObject*, PyObject* function) {
    if (PyCallable_Check(function) == 0) {
        PyErr_Format(PyExc_TypeError, "expected a callable, not %s", Py_TYPE(function)->tp_name);
        return nullptr;
    }
    Py_INCREF(function);
    if (Py_AddPendingCall(call_now, function) == 0) Py_RETURN_TRUE;
    Py_DECREF(function);
    Py_RETURN_FALSE;
}

}  // namespace cirron
