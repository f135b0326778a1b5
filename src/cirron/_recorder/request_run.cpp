#include "request_run.hpp"

#include <utility>

#include "interest.hpp"

namespace cirron {

namespace {

extern PyTypeObject g_run_type;

PyObject* g_name = nullptr;
PyObject* g_qualname = nullptr;
PyObject* g_throw = nullptr;
PyObject* g_close = nullptr;
PyObject* g_iterator = nullptr;

enum class State : uint8_t { kNew, kRunning, kOver };

// What the coroutine or generator that the user holds passes everything on to. Of an asynchronous generator it drives
// one step after the other, each of which is an awaitable.
struct RequestRun {
    PyObject ob_base;
    Inference* by;       // owned
    PyObject* inner;     // owned
    PyObject* step;      // owned; the iterator of the step that is awaited, or null
    PyObject* given_id;  // owned, or null
    Request* request;    // owned, or null: it has not begun, or cannot be recorded
    FunctionKind kind;
    State state;
    bool is_closing;  // the step is the last one
};

RequestRun* as_run(PyObject* object) { return reinterpret_cast<RequestRun*>(object); }

// ---- beginning and ending -----------------------------------------------------------------------------------------

// Before the body goes on. False with an exception set when it has to be passed on.
bool enter(RequestRun* self) {
    if (self->state == State::kRunning) {
        if (self->request != nullptr) resume(self->request);
        return true;
    }
    self->state = State::kRunning;
    if (Recorder* recorder = target_of(self->by)) self->request = begin_request(self->by, recorder, self->given_id);
    return self->request != nullptr || !PyErr_Occurred();
}

void end_failed(RequestRun* self) {
    self->state = State::kOver;
    if (self->request != nullptr) finish_failed(self->request);
}

// Ends without a result that anybody gets.
bool end(RequestRun* self, const char* outcome) {
    self->state = State::kOver;
    return self->request == nullptr || finish(self->request, {.error = nullptr, .outcome = outcome, .result = nullptr});
}

// The body has returned; steals and returns a reference.
PyObject* end_with(RequestRun* self, PyObject* result) {
    self->state = State::kOver;
    return self->request == nullptr ? result : deliver(self->by, self->request, result);
}

// Something of the body's has been handed out. Steals and returns a reference.
PyObject* hand_out(RequestRun* self, PyObject* item, bool is_chunk) {
    if (self->request == nullptr) return item;
    park(self->request);
    if (is_chunk && !note_chunk(self->request, item)) Py_CLEAR(item);
    return item;
}

bool is_async_generator(const RequestRun* self) { return self->kind == FunctionKind::kAsyncGenerator; }

// The step of an asynchronous generator has come to its end with an item, or with that of the generator.
PyObject* end_step(RequestRun* self, PyObject* item) {
    Py_CLEAR(self->step);
    if (!self->is_closing) return hand_out(self, item, true);
    if (!end(self, "closed")) Py_CLEAR(item);
    return item;
}

void end_step_failed(RequestRun* self) {
    Py_CLEAR(self->step);
    if (!PyErr_ExceptionMatches(PyExc_StopAsyncIteration)) return end_failed(self);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (end(self, nullptr)) return PyErr_Restore(type, value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

// ---- passing on ---------------------------------------------------------------------------------------------------

PyObject* driven(RequestRun* self) { return is_async_generator(self) ? self->step : self->inner; }

// What to make of what `driven` has answered with.
PySendResult take(RequestRun* self, PySendResult status, PyObject* answer, PyObject** result) {
    switch (status) {
        case PYGEN_NEXT: *result = hand_out(self, answer, self->kind == FunctionKind::kGenerator); break;
        case PYGEN_RETURN: *result = is_async_generator(self) ? end_step(self, answer) : end_with(self, answer); break;
        case PYGEN_ERROR: *result = nullptr; is_async_generator(self) ? end_step_failed(self) : end_failed(self);
    }
    return *result == nullptr ? PYGEN_ERROR : status;
}

PySendResult run_send(PyObject* object, PyObject* value, PyObject** result) {
    RequestRun* self = as_run(object);
    *result = nullptr;
    if (self->state == State::kOver || driven(self) == nullptr) {
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    if (!enter(self)) return PYGEN_ERROR;
    // Held: what it runs may end this run.
    PyObject* inner = Py_NewRef(driven(self));
    PyObject* answer = nullptr;
    PySendResult status = PyIter_Send(inner, value, &answer);
    Py_DECREF(inner);
    return take(self, status, answer, result);
}

// As Python code sees it: the item, or StopIteration with what was returned.
PyObject* to_python(PySendResult status, PyObject* result, bool is_next) {
    if (status != PYGEN_RETURN) return result;
    if (!is_next || result != Py_None) {
        // By way of an instance: a tuple would be taken for several arguments.
        PyObject* stop = PyObject_CallOneArg(PyExc_StopIteration, result);
        if (stop != nullptr) PyErr_SetObject(PyExc_StopIteration, stop);
        Py_XDECREF(stop);
    }
    Py_DECREF(result);
    return nullptr;
}

PyObject* run_next(PyObject* object) {
    PyObject* result;
    PySendResult status = run_send(object, Py_None, &result);
    return to_python(status, result, true);
}

PyObject* run_send_method(PyObject* object, PyObject* value) {
    PyObject* result;
    PySendResult status = run_send(object, value, &result);
    return to_python(status, result, false);
}

// What `throw` of Python code came back with, as PyIter_Send would say it.
PySendResult status_of(PyObject*& answer) {
    if (answer != nullptr) return PYGEN_NEXT;
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return PYGEN_ERROR;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    answer = PyObject_GetAttrString(value, "value");
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return answer == nullptr ? PYGEN_ERROR : PYGEN_RETURN;
}

PyObject* run_throw(PyObject* object, PyObject* args) {
    RequestRun* self = as_run(object);
    PyObject* inner = driven(self);
    if (inner == nullptr || !enter(self)) return nullptr;
    PyObject* method = PyObject_GetAttr(inner, g_throw);
    PyObject* answer = method == nullptr ? nullptr : PyObject_Call(method, args, nullptr);
    Py_XDECREF(method);
    PySendResult status = status_of(answer);
    PyObject* result = nullptr;
    status = take(self, status, answer, &result);
    return to_python(status, result, false);
}

// Ends `inner` as its end without us would: with GeneratorExit at where it stands. A body that never began runs
// nothing.
PyObject* close_inner(PyObject* inner) { return PyObject_CallMethodNoArgs(inner, g_close); }

PyObject* run_close(PyObject* object, PyObject*) {
    RequestRun* self = as_run(object);
    PyObject* inner = driven(self);
    if (self->state == State::kOver || inner == nullptr) Py_RETURN_NONE;
    if (self->state == State::kNew) {
        self->state = State::kOver;
        return close_inner(inner);
    }
    if (!enter(self)) return nullptr;
    PyObject* closed = close_inner(inner);
    if (is_async_generator(self)) {
        // The step ends here, and its generator with the GeneratorExit that comes next.
        Py_CLEAR(self->step);
        if (self->request != nullptr) park(self->request);
    } else if (closed == nullptr) {
        end_failed(self);
    } else if (!end(self, "closed")) {
        Py_CLEAR(closed);
    }
    return closed;
}

// ---- for the asynchronous generator ---------------------------------------------------------------------------------

PyObject* start_step(RequestRun* self, PyObject* awaitable, bool is_closing) {
    PyAsyncMethods* methods = Py_TYPE(awaitable)->tp_as_async;
    if (methods == nullptr || methods->am_await == nullptr) {
        return PyErr_Format(PyExc_TypeError, "%R cannot be awaited", awaitable);
    }
    PyObject* step = methods->am_await(awaitable);
    if (step == nullptr) return nullptr;
    Py_XDECREF(std::exchange(self->step, step));
    self->is_closing = is_closing;
    return Py_NewRef(reinterpret_cast<PyObject*>(self));
}

PyObject* run_step(PyObject* object, PyObject* awaitable) { return start_step(as_run(object), awaitable, false); }
PyObject* run_last_step(PyObject* object, PyObject* awaitable) { return start_step(as_run(object), awaitable, true); }

// ---- the type -----------------------------------------------------------------------------------------------------

int run_traverse(PyObject* object, visitproc visit, void* arg) {
    Py_VISIT(as_run(object)->by);
    Py_VISIT(as_run(object)->inner);
    Py_VISIT(as_run(object)->step);
    Py_VISIT(as_run(object)->given_id);
    return 0;
}

int run_clear(PyObject* object) {
    Py_CLEAR(as_run(object)->step);
    Py_CLEAR(as_run(object)->given_id);
    return 0;
}

// Nobody awaits it any more, or asks for items.
void abandon(RequestRun* self) {
    ErrorAside aside;
    if (self->state == State::kNew && !is_async_generator(self)) {
        // Or a coroutine would complain a second time that it was never awaited.
        PyObject* closed = close_inner(self->inner);
        if (closed == nullptr) PyErr_Clear();
        Py_XDECREF(closed);
    } else if (self->state == State::kRunning && !end(self, "closed")) {
        PyErr_WriteUnraisable(nullptr);
    }
}

void run_dealloc(PyObject* object) {
    RequestRun* self = as_run(object);
    PyObject_GC_UnTrack(object);
    if (self->state != State::kOver) abandon(self);
    Py_XDECREF(reinterpret_cast<PyObject*>(self->request));
    Py_XDECREF(self->given_id);
    Py_XDECREF(self->step);
    Py_XDECREF(self->inner);
    Py_XDECREF(reinterpret_cast<PyObject*>(self->by));
    PyObject_GC_Del(object);
}

PyObject* get_inner(PyObject* object, void*) { return Py_NewRef(as_run(object)->inner); }

PyMethodDef g_methods[] = {
    {"send", run_send_method, METH_O, nullptr},    {"throw", run_throw, METH_VARARGS, nullptr},
    {"close", run_close, METH_NOARGS, nullptr},    {"step", run_step, METH_O, nullptr},
    {"last_step", run_last_step, METH_O, nullptr}, {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef g_properties[] = {
    {"inner", get_inner, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyAsyncMethods g_async_methods = [] {
    PyAsyncMethods methods{};
    methods.am_await = PyObject_SelfIter;
    methods.am_send = run_send;
    return methods;
}();

PyTypeObject g_run_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.RequestRun";
    type.tp_basicsize = sizeof(RequestRun);
    type.tp_dealloc = run_dealloc;
    type.tp_as_async = &g_async_methods;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;
    type.tp_traverse = run_traverse;
    type.tp_clear = run_clear;
    type.tp_iter = PyObject_SelfIter;
    type.tp_iternext = run_next;
    type.tp_methods = g_methods;
    type.tp_getset = g_properties;
    return type;
}();

// ---- making -------------------------------------------------------------------------------------------------------

FunctionKind kind_of(PyObject* result) {
    if (PyCoro_CheckExact(result)) return FunctionKind::kCoroutine;
    if (PyGen_CheckExact(result)) return FunctionKind::kGenerator;
    return PyAsyncGen_CheckExact(result) ? FunctionKind::kAsyncGenerator : FunctionKind::kCall;
}

Part shell_for(FunctionKind kind) {
    if (kind == FunctionKind::kCoroutine) return Part::kCoroutine;
    return kind == FunctionKind::kGenerator ? Part::kGenerator : Part::kAsyncGenerator;
}

// Steals `inner`, and borrows the rest.
RequestRun* new_run(Inference* by, PyObject* inner, PyObject* given_id, Request* request, FunctionKind kind) {
    auto* self = PyObject_GC_New(RequestRun, &g_run_type);
    if (self == nullptr) return Py_DECREF(inner), nullptr;
    self->by = by;
    Py_INCREF(reinterpret_cast<PyObject*>(by));
    self->inner = inner;
    self->step = nullptr;
    self->given_id = Py_XNewRef(given_id);
    self->request = request;
    Py_XINCREF(reinterpret_cast<PyObject*>(request));
    self->kind = kind;
    self->state = request == nullptr ? State::kNew : State::kRunning;
    self->is_closing = false;
    PyObject_GC_Track(reinterpret_cast<PyObject*>(self));
    return self;
}

void copy_attribute(PyObject* name, PyObject* from, PyObject* to) {
    PyObject* value = PyObject_GetAttr(from, name);
    if (value == nullptr || PyObject_SetAttr(to, name, value) != 0) PyErr_Clear();
    Py_XDECREF(value);
}

// Has the request go on with the generator of a client's stream; the stream itself stays what it is. False when it has
// none that we know, or memory is out.
bool go_on_with(Inference* by, Request* request, PyObject* stream) {
    PyObject* inner = PyObject_GetAttr(stream, g_iterator);
    bool goes_on = inner != nullptr && kind_of(inner) != FunctionKind::kCall;
    if (goes_on) {
        park(request);
        PyObject* iterator = wrap(by, Py_NewRef(inner), nullptr, request);
        goes_on = iterator != nullptr && PyObject_SetAttr(stream, g_iterator, iterator) == 0;
        Py_XDECREF(iterator);
    }
    Py_XDECREF(inner);
    if (!goes_on) PyErr_Clear();
    return goes_on;
}

}  // namespace

PyObject* wrap(Inference* by, PyObject* inner, PyObject* given_id, Request* request) {
    FunctionKind kind = kind_of(inner);
    if (kind == FunctionKind::kCall) return inner;  // of a kind that only looks like one: Cython's
    RequestRun* run = new_run(by, inner, given_id, request, kind);
    if (run == nullptr) return nullptr;
    PyObject* shell = PyObject_CallOneArg(part(by, shell_for(kind)), reinterpret_cast<PyObject*>(run));
    if (shell != nullptr) {
        copy_attribute(g_name, inner, shell);
        copy_attribute(g_qualname, inner, shell);
    }
    Py_DECREF(reinterpret_cast<PyObject*>(run));
    return shell;
}

PyObject* deliver(Inference* by, Request* request, PyObject* result) {
    if (kind_of(result) != FunctionKind::kCall && Py_REFCNT(result) == 1) {
        park(request);
        return wrap(by, result, nullptr, request);
    }
    if (is_client_stream(part(by, Part::kInterest), result) && go_on_with(by, request, result)) return result;
    if (!finish(request, {.error = nullptr, .outcome = nullptr, .result = result})) Py_CLEAR(result);
    return result;
}

int init_request_run_type(PyObject*) {
    g_name = PyUnicode_InternFromString("__name__");
    g_qualname = PyUnicode_InternFromString("__qualname__");
    g_throw = PyUnicode_InternFromString("throw");
    g_close = PyUnicode_InternFromString("close");
    g_iterator = PyUnicode_InternFromString("_iterator");
    for (PyObject* name : {g_name, g_qualname, g_throw, g_close, g_iterator}) {
        if (name == nullptr) return -1;
    }
    return PyType_Ready(&g_run_type);
}

}  // namespace cirron
