// What begins a session on first use, in forked and spawned workers: a callable that is called once armed, by the next
// operation that finds nothing to record into. All of it needs the GIL.
#pragma once

#include <Python.h>

namespace cirron {

extern bool g_starter_armed;  // only while there is a starter; still so while that runs

// Calls the starter and disarms; where another thread is at it, waits for that, but never for long. False with an
// exception set when it has to be passed on.
bool run_starter();
void disarm_starter();
// For the child of a fork, of a process with a session or not; runs no Python code.
void arm_starter_in_child(bool had_session);

PyObject* set_starter(PyObject* module, PyObject* starter);
PyObject* arm_starter(PyObject* module, PyObject*);

}  // namespace cirron
