// Measuring scopes on a device, which Python code does: there is a meter only in a process that uses one.
#include <utility>

#include "python.hpp"

namespace cirron {

namespace {

// Called with an exception set. False when it is meant for the program, as by a signal handler.
bool drop_fault(const OpenFrame& open) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
    PyErr_Clear();
    if (Recorder* recorder = open.recorder()) recorder->count_internal_error("meter");
    return true;
}

void note_overhead(const OpenFrame& open, uint64_t began) {
    if (Recorder* recorder = open.recorder()) recorder->add_overhead(open.frame, now_ticks() - began);
}

// What a reading ends with: bytes or None, and what will know the device's time or None. False with an exception set.
bool read_result(Recorder* recorder, PyObject* result, Measures& measures) {
    PyObject *bytes, *time;
    if (!PyArg_ParseTuple(result, "OO:reading", &bytes, &time)) return false;
    if (bytes != Py_None) {
        unsigned long long number = PyLong_AsUnsignedLongLong(bytes);
        if (PyErr_Occurred()) return false;
        measures.memory_peak_bytes = number;
    }
    if (time != Py_None) guarded(recorder, "meter", [&] { measures.gpu_time = recorder->deferred().add(time); });
    return true;
}

}  // namespace

bool begin_reading(Recorder* recorder, OpenFrame& open) {
    uint64_t began = now_ticks();
    PyObject* meter = Py_NewRef(recorder->meter());
    PyObject* reading = PyObject_CallNoArgs(meter);
    Py_DECREF(meter);
    note_overhead(open, began);
    if (reading == nullptr) return drop_fault(open);
    if (reading == Py_None) {
        Py_DECREF(reading);
    } else {
        open.reading = reading;
    }
    return true;
}

bool end_reading(OpenFrame& open, Measures& measures) {
    if (open.reading == nullptr) [[likely]]
        return true;
    uint64_t began = now_ticks();
    PyObject* reading = std::exchange(open.reading, nullptr);
    PyObject* result = PyObject_CallNoArgs(reading);
    Py_DECREF(reading);
    Recorder* recorder = open.recorder();  // the session may have ended meanwhile
    bool is_read = result != nullptr && (recorder == nullptr || read_result(recorder, result, measures));
    Py_XDECREF(result);
    note_overhead(open, began);
    return is_read || drop_fault(open);
}

}  // namespace cirron
