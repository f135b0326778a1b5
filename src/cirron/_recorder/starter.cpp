#include "starter.hpp"

#include <time.h>

#include <chrono>

namespace cirron {

namespace {

using Clock = std::chrono::steady_clock;

constexpr Clock::duration kLongestWait = std::chrono::seconds(1);
constexpr timespec kPoll{0, 1'000'000};

PyObject* g_starter = nullptr;    // owned, or null
unsigned long g_running_in = 0;   // the thread that has called it; 0: none
Clock::time_point g_given_up_at;  // when those that wait for it stop

// What a server's threads do first, all at once, is not lost. The bound is for a starter that needs what they hold.
void wait_for_starter() {
    while (g_running_in != 0 && g_starter_armed && Clock::now() < g_given_up_at) {
        Py_BEGIN_ALLOW_THREADS nanosleep(&kPoll, nullptr);
        Py_END_ALLOW_THREADS
    }
}

}  // namespace

bool g_starter_armed = false;

bool run_starter() {
    if (g_running_in != 0) {
        if (g_running_in != PyThread_get_thread_ident()) wait_for_starter();
        return true;
    }
    g_running_in = PyThread_get_thread_ident();
    g_given_up_at = Clock::now() + kLongestWait;
    PyObject* starter = Py_NewRef(g_starter);
    PyObject* result = PyObject_CallNoArgs(starter);
    Py_DECREF(starter);
    g_running_in = 0;
    g_starter_armed = false;
    Py_XDECREF(result);
    if (result != nullptr) return true;
    // Not the starter's own: what a signal handler raised meanwhile, such as KeyboardInterrupt, is meant for the
    // program.
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
    PyErr_Clear();
    return true;
}

void disarm_starter() { g_starter_armed = false; }

void arm_starter_in_child(bool had_session) {
    if (g_running_in == PyThread_get_thread_ident()) g_starter_armed = false;  // or each child of it would fork again
    if (had_session) g_starter_armed = g_starter != nullptr;
    g_running_in = 0;
}

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
