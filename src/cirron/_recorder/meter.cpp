// What Python code does at both ends of a scope: measuring on a device, and following along. There is a meter only in a
// process that uses a device, and a follower only where a memory tracker takes scopes for phases.
#include <utility>

#include "python.hpp"

namespace cirron {

namespace {

// Called with an exception set. False when it is meant for the program, as by a signal handler.
bool drop_fault(const OpenFrame& open, const char* place) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
    PyErr_Clear();
    if (Recorder* recorder = open.recorder()) recorder->count_internal_error(place);
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

// Takes what was begun, unless that is nothing.
void keep(PyObject* begun, PyObject*& place) {
    if (begun == Py_None) {
        Py_DECREF(begun);
    } else {
        place = begun;
    }
}

// A tuple of names and values becomes marks that stand for the whole scope. False with an exception set.
bool write_summaries(const OpenFrame& open, PyObject* summaries) {
    if (summaries == Py_None) return true;
    if (!PyTuple_Check(summaries)) return PyErr_SetString(PyExc_TypeError, "a follower gives a tuple or None"), false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(summaries); ++i) {
        PyObject *name, *given;
        Scalar value;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(summaries, i), "UO:summary", &name, &given)) return false;
        Recorder* recorder = open.recorder();  // the session may have ended meanwhile
        if (recorder == nullptr || !read_scalar(given, value)) continue;
        guarded(recorder, "follower", [&] {
            uint32_t number = recorder->names().number_of(name);
            if (number != 0) recorder->mark_at(recorder->place_of(open.frame->id), number, value, true);
        });
    }
    return true;
}

}  // namespace

PyObject* g_follower = nullptr;

bool begin_reading(Recorder* recorder, OpenFrame& open) {
    uint64_t began = now_ticks();
    PyObject* meter = Py_NewRef(recorder->meter());
    PyObject* reading = PyObject_CallNoArgs(meter);
    Py_DECREF(meter);
    note_overhead(open, began);
    if (reading == nullptr) return drop_fault(open, "meter");
    keep(reading, open.reading);
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
    return is_read || drop_fault(open, "meter");
}

bool begin_following(OpenFrame& open, PyObject* name) {
    uint64_t began = now_ticks();
    PyObject* follower = Py_NewRef(g_follower);
    PyObject* followed = PyObject_CallOneArg(follower, name);
    Py_DECREF(follower);
    note_overhead(open, began);
    if (followed == nullptr) return drop_fault(open, "follower");
    keep(followed, open.followed);
    return true;
}

bool end_following(OpenFrame& open, bool is_cancelled) {
    if (open.followed == nullptr) [[likely]]
        return true;
    uint64_t began = now_ticks();
    PyObject* followed = std::exchange(open.followed, nullptr);
    PyObject* summaries = PyObject_CallOneArg(followed, is_cancelled ? Py_True : Py_False);
    Py_DECREF(followed);
    bool is_written = summaries != nullptr && (is_cancelled || write_summaries(open, summaries));
    Py_XDECREF(summaries);
    note_overhead(open, began);
    return is_written || drop_fault(open, "follower");
}

PyObject* set_follower(PyObject*, PyObject* follower) {
    if (follower != Py_None && PyCallable_Check(follower) == 0) {
        PyErr_Format(PyExc_TypeError, "expected a callable or None, not %s", Py_TYPE(follower)->tp_name);
        return nullptr;
    }
    PyObject* before = std::exchange(g_follower, follower == Py_None ? nullptr : Py_NewRef(follower));
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

}  // namespace cirron
