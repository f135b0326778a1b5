// One call of a function that cirron.inference has decorated: the root of a tree of its own.
//
// Its frames lie on the stack of the context that runs its body, and only while the body runs. Whenever a generator or
// a coroutine hands over control they are put aside, so that nothing of anybody else is taken for a part of the
// request.
#pragma once

#include "inference.hpp"

namespace cirron {

// A Python object, since a context variable passes it on to the contexts that are copied while its body runs.
struct Request {
    PyObject ob_base;
    OpenFrame open;              // null once it is over
    uint64_t id;                 // of its scope
    Inference* by;               // owned; null once it is over
    Stack* parked;               // owned; its frames while its body does not run, or null
    PyObject* before;            // owned; what the context variable held before the body was entered; null outside
    Undecided* undecided;        // shared, or null
    Undecided* outer_undecided;  // shared; what the stack had before the body was entered, or null
    PyObject* outer;             // owned; the request in which it was called, or null; while over, one that is not
    bool decides;                // it is the outermost of its tree
    PyObject* tally;             // owned, or null
};

// How a request comes to its end.
struct RequestEnd {
    PyObject* error = nullptr;      // borrowed type of the exception that ended it
    const char* outcome = nullptr;  // null where there is nothing to say: it has returned
    PyObject* result = nullptr;     // borrowed
};

// Opens the request and enters its body; a new reference. Null without an exception when it cannot be recorded, and
// with one when that is meant for the program. `given_id` may be null.
Request* begin_request(Inference* by, Recorder* recorder, PyObject* given_id);
void resume(Request* request);
void park(Request* request);
// Reads an item that a stream has handed out. False with an exception set when that is meant for the program.
bool note_chunk(Request* request, PyObject* chunk);
// The same, of what the request comes to.
bool finish(Request* request, RequestEnd end);
// finish(), for the exception that is set, which stays unless another one is meant for the program.
void finish_failed(Request* request);

// Null when it is none.
Request* as_request(PyObject* object);
// This request if it is under way, else the innermost of those around it that is; null when none is. `object` may be
// null.
Request* under_way(PyObject* object);
// The innermost scope in the request's tree that is open on the request's own stack; without any, the request's.
uint64_t innermost_id(const Request* request);
// Where the epochs of the tree belong, as Stack::open_epoch_parent has it.
uint64_t open_epoch_parent(const Request* request);

int init_request_type();
PyObject* current_request(PyObject* module, PyObject*);

}  // namespace cirron
