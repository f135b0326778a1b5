// From C++ exceptions to Python's, in one place.
#pragma once

#include <Python.h>

#include <cerrno>
#include <exception>
#include <new>
#include <string>

#include "journal.hpp"

namespace cirron {

// A wait that took too long; becomes TimeoutError.
struct TimeoutError {
    std::string message;
};

// Sets the Python exception for the C++ exception that is being handled. Needs the GIL.
inline void set_python_error() {
    try {
        throw;
    } catch (const SystemError& error) {
        errno = error.code;
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, error.path.c_str());
    } catch (const TimeoutError& error) {
        PyErr_SetString(PyExc_TimeoutError, error.message.c_str());
    } catch (const FormatError& error) {
        PyErr_SetString(PyExc_ValueError, error.message.c_str());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
}

// Runs `operation` without the GIL; what it throws arrives with the GIL held.
template <typename Operation>
void without_gil(Operation operation) {
    PyThreadState* thread = PyEval_SaveThread();
    std::exception_ptr failure;
    try {
        operation();
    } catch (...) {
        failure = std::current_exception();
    }
    PyEval_RestoreThread(thread);
    if (failure) std::rethrow_exception(failure);
}

// What `operation` returns; null with an exception set when it throws.
template <typename Operation>
PyObject* translated(Operation operation) {
    try {
        return operation();
    } catch (...) {
        set_python_error();
        return nullptr;
    }
}

}  // namespace cirron
