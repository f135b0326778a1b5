// A function whose calls are requests, and how its requests are to be recorded.
#pragma once

#include "python.hpp"

namespace cirron {

enum class FunctionKind : uint8_t { kCall, kCoroutine, kGenerator, kAsyncGenerator };

struct Inference {
    PyObject ob_base;
    vectorcallfunc call;
    PyObject* function;   // owned
    PyObject* dict;       // owned
    PyObject* weak_refs;  // borrowed
    PyObject* find;       // owned; answers with the recorder, or None; null: the default one
    PyObject* parts;      // owned tuple, by Part
    PyObject* name;       // owned str
    FunctionKind kind;
    bool binds;              // as a method, when it is found in a class
    Py_ssize_t id_position;  // of the parameter `request_id` among the positional ones; -1: there is none
    double sample_rate;
    uint64_t sample_below;  // a request is kept when the number that its id gives is below this
    uint64_t slow_ticks;
};

// What cirron.serving lends to the core.
enum class Part : Py_ssize_t {
    kCoroutine,       // makes a coroutine around a RequestRun
    kGenerator,       // the same
    kAsyncGenerator,  // the same
    kTally,           // makes what reads results and chunks of one request
    kInterest,        // says whether objects of a type can be such
    kTraceContext,    // the trace id and the traceparent that OpenTelemetry has now, or None
    kCount,
};

inline PyObject* part(const Inference* inference, Part part) {
    return PyTuple_GET_ITEM(inference->parts, static_cast<Py_ssize_t>(part));
}

// Where a call would be recorded now; null: nowhere.
Recorder* target_of(Inference* inference);

int init_inference_type(PyObject* module);

}  // namespace cirron
