#include "request.hpp"

#include <cstring>
#include <utility>

#include "interest.hpp"
#include "text.hpp"

namespace cirron {

namespace {

extern PyTypeObject g_request_type;

PyObject* g_request_name = nullptr;
PyObject* g_function_key = nullptr;
PyObject* g_request_id_key = nullptr;
PyObject* g_traceparent_key = nullptr;
PyObject* g_outcome_key = nullptr;
PyObject* g_error_key = nullptr;
PyObject* g_sample_rate_key = nullptr;
PyObject* g_kept_for_key = nullptr;
PyObject* g_opentelemetry = nullptr;
PyObject* g_see = nullptr;
PyObject* g_read = nullptr;
PyObject* g_facts = nullptr;

PyObject* as_object(Request* request) { return reinterpret_cast<PyObject*>(request); }

Scalar text_scalar(std::string_view text) {
    Scalar scalar;
    scalar.type = ValueType::kText;
    scalar.text = text;
    scalar.bits = text.size();
    return scalar;
}

// Drops an exception of ours. False when the one that is set is meant for the program, such as KeyboardInterrupt.
bool drop_error(Request* request, const char* place) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
    PyErr_Clear();
    if (Recorder* recorder = request->open.recorder()) recorder->count_internal_error(place);
    return true;
}

// ---- the context variable -----------------------------------------------------------------------------------------

void set_variable(PyObject* variable, PyObject* value) {
    PyObject* token = PyContextVar_Set(variable, value);
    if (token == nullptr) PyErr_Clear();  // memory is out: what starts from here finds its place less exactly
    Py_XDECREF(token);
}

// The request in which this one was called, as the variable has it that is about to be set.
void note_outer(Request* request) {
    const Stack* stack = as_stack(request->before);
    Request* outer = under_way(stack == nullptr ? request->before : stack->request);
    request->outer = outer == nullptr ? nullptr : Py_NewRef(as_object(outer));
}

// These two may run a collection, and with it any Python code: no recorder is touched after them.
void enter_context(Request* request, PyObject* variable) {
    if (PyContextVar_Get(variable, nullptr, &request->before) != 0) PyErr_Clear();
    if (request->outer == nullptr) note_outer(request);
    set_variable(variable, as_object(request));
}

void leave_context(Request* request) {
    PyObject* before = std::exchange(request->before, nullptr);
    if (before == nullptr) return;
    ErrorAside aside;
    set_variable(Recorder::stack_variable(request->open.owner), before);
    Py_DECREF(before);
}

// ---- its frames ---------------------------------------------------------------------------------------------------

// The place of the request's frame in the stack that has it; -1 without one.
int place_of(const Frame* frame) {
    int i = frame->stack == nullptr || frame->is_ghost ? -1 : static_cast<int>(frame->stack->depth) - 1;
    while (i >= 0 && frame->stack->frames[i] != frame) --i;
    return i;
}

void move_frames(Stack* from, uint32_t first, Stack* to) {
    for (uint32_t i = first; i < from->depth; ++i) {
        to->push(from->frames[i]);
        from->frames[i]->stack = to;
    }
    from->depth = first;
}

// Scopes that its body has entered and not left belong nowhere any more; whoever still has one may leave it.
void drop_frames_above(const Frame* frame) {
    int place = place_of(frame);
    if (place < 0) return;
    Stack* stack = frame->stack;
    for (auto i = static_cast<uint32_t>(place + 1); i < stack->depth; ++i) stack->frames[i]->stack = nullptr;
    stack->depth = static_cast<uint32_t>(place + 1);
}

void set_undecided(Stack* stack, Undecided* undecided) {
    Undecided* before = std::exchange(stack->undecided, undecided == nullptr ? nullptr : undecided->share());
    if (before != nullptr) before->let_go();
}

void enter_stack(Request* request, Stack* stack) {
    request->outer_undecided = stack->undecided == nullptr ? nullptr : stack->undecided->share();
    set_undecided(stack, request->undecided);
}

void leave_stack(Request* request, Stack* stack) {
    Undecided* outer = std::exchange(request->outer_undecided, nullptr);
    if (stack != request->parked) set_undecided(stack, outer);
    if (outer != nullptr) outer->let_go();
}

bool make_room_to_park(Request* request) {
    if (request->parked != nullptr) return true;
    request->parked = new_stack(request->open.owner);
    if (request->parked == nullptr) return PyErr_Clear(), false;
    set_undecided(request->parked, request->undecided);
    return true;
}

// ---- beginning ----------------------------------------------------------------------------------------------------

// A request's id, and the span of OpenTelemetry's that it is part of; empty without one.
struct Identity {
    char id[kMaxText];
    uint32_t id_bytes = 0;
    char traceparent[kMaxText];
    uint32_t traceparent_bytes = 0;

    Scalar id_scalar() const { return text_scalar({id, id_bytes}); }
    uint64_t hash() const;
};

// FNV-1a, mixed: texts that differ in their last letter shall differ in the upper bits too.
uint64_t Identity::hash() const {
    uint64_t hash = 0xcbf29ce484222325;
    for (uint32_t i = 0; i < id_bytes; ++i) hash = (hash ^ static_cast<unsigned char>(id[i])) * 0x100000001b3;
    return RequestIds::mixed(hash);
}

uint32_t copy_text(PyObject* text, char* to) {
    std::string holder;
    std::string_view utf8 = utf8_of(text, holder);
    std::memcpy(to, utf8.data(), utf8.size());
    return static_cast<uint32_t>(utf8.size());
}

// False with an exception set when it is meant for the program.
bool ask_opentelemetry(const Inference* by, Identity& identity) {
    if (PyDict_GetItemWithError(PyImport_GetModuleDict(), g_opentelemetry) == nullptr) return true;
    PyObject* found = PyObject_CallNoArgs(part(by, Part::kTraceContext));
    if (found == nullptr) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
        PyErr_Clear();
    } else if (PyTuple_Check(found) && PyTuple_GET_SIZE(found) == 2) {
        identity.id_bytes = copy_text(PyTuple_GET_ITEM(found, 0), identity.id);
        identity.traceparent_bytes = copy_text(PyTuple_GET_ITEM(found, 1), identity.traceparent);
    }
    Py_XDECREF(found);
    return true;
}

// What the caller has given goes before what OpenTelemetry knows, and that before what is made up.
bool identify(const Inference* by, PyObject* given_id, Identity& identity) {
    if (!ask_opentelemetry(by, identity)) return false;
    if (given_id == nullptr || given_id == Py_None) return true;
    PyObject* text = to_name(given_id);
    if (text == nullptr) return false;
    identity.id_bytes = copy_text(text, identity.id);
    Py_DECREF(text);
    return true;
}

// Whether its records are kept aside until it is known how it ends. Of a tree the outermost request decides.
bool is_left_open(const Inference* by, Stack* stack, const Identity& identity) {
    return by->sample_rate < 1 && !stack->is_within_request() && identity.hash() >= by->sample_below;
}

[[gnu::noinline]] void open_frame(Request* request, Recorder* recorder, Stack* stack, Identity& identity) {
    if (identity.id_bytes == 0) {
        recorder->request_ids().write_next(identity.id);
        identity.id_bytes = RequestIds::kDigits;
    }
    request->decides = !stack->is_within_request();
    if (is_left_open(request->by, stack, identity)) {
        request->undecided = new Undecided;
    } else if (!request->decides && stack->undecided != nullptr) {
        request->undecided = stack->undecided->share();
    }
    AttrWriter attrs(recorder->names());
    attrs.add(g_function_key, request->by->name);
    attrs.add(g_request_id_key, identity.id_scalar());
    if (identity.traceparent_bytes > 0) {
        attrs.add(g_traceparent_key, text_scalar({identity.traceparent, identity.traceparent_bytes}));
    }
    Opening opening;
    opening.name = recorder->names().number_of(g_request_name);
    opening.is_request = true;
    opening.attrs = attrs.bytes();
    request->open = {recorder->open(opening, now_ticks()), recorder->registration()};
    if (request->open.frame == nullptr) return;
    request->id = request->open.frame->id;
    enter_stack(request, stack);
}

Request* new_request(Inference* by) {
    auto* request = PyObject_New(Request, &g_request_type);
    if (request == nullptr) return nullptr;
    request->open = {};
    request->id = 0;
    request->by = by;
    Py_INCREF(reinterpret_cast<PyObject*>(by));
    request->parked = nullptr;
    request->before = nullptr;
    request->undecided = nullptr;
    request->outer_undecided = nullptr;
    request->outer = nullptr;
    request->decides = false;
    request->tally = nullptr;
    return request;
}

// ---- reading results ----------------------------------------------------------------------------------------------

PyObject* tally_of(Request* request) {
    if (request->tally == nullptr) request->tally = PyObject_CallNoArgs(part(request->by, Part::kTally));
    return request->tally;
}

PyObject* since_start_ns(const Request* request, Recorder* recorder, uint64_t ticks) {
    return PyLong_FromUnsignedLongLong(recorder->ticks_to_ns(ticks - request->open.frame->start_ticks));
}

// A new reference to what `method` of the tally says; null with an exception set.
PyObject* ask_tally(Request* request, PyObject* method, PyObject* about, PyObject* when) {
    PyObject* tally = tally_of(request);
    if (tally == nullptr) return nullptr;
    Py_INCREF(tally);
    PyObject* answer = PyObject_CallMethodObjArgs(tally, method, about, when, nullptr);
    Py_DECREF(tally);
    return answer;
}

// Reads the result and closes the account: a new reference to the marks and the attributes that come of it, null when
// there are none. False with an exception set when that is meant for the program.
bool take_facts(Request* request, Recorder* recorder, uint64_t ticks, PyObject* result, PyObject*& facts) {
    facts = nullptr;
    if (result != nullptr && is_worth_reading(part(request->by, Part::kInterest), result)) {
        PyObject* answer = ask_tally(request, g_read, result, nullptr);
        Py_XDECREF(answer);
        if (answer == nullptr && !drop_error(request, "request result")) return false;
    }
    if (request->tally == nullptr || request->open.recorder() != recorder) return true;
    PyObject* total_ns = since_start_ns(request, recorder, ticks);
    if (total_ns != nullptr) facts = ask_tally(request, g_facts, total_ns, nullptr);
    Py_XDECREF(total_ns);
    if (facts == nullptr) return drop_error(request, "request result");
    bool is_pair = PyTuple_Check(facts) && PyTuple_GET_SIZE(facts) == 2 && PyList_Check(PyTuple_GET_ITEM(facts, 0)) &&
                   PyDict_Check(PyTuple_GET_ITEM(facts, 1));
    if (!is_pair) Py_CLEAR(facts);
    return true;
}

void add_attrs(AttrWriter& attrs, PyObject* dict) {
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value) != 0;) {
        if (PyUnicode_CheckExact(key) && is_atom(value)) attrs.add(key, value);
    }
}

// `mark` is a tuple of name, value and a dict of attributes.
[[gnu::noinline]] void write_mark(Request* request, Recorder* recorder, uint64_t ticks, PyObject* mark) {
    if (!PyTuple_Check(mark) || PyTuple_GET_SIZE(mark) != 3 || !PyDict_Check(PyTuple_GET_ITEM(mark, 2))) return;
    AttrWriter attrs(recorder->names());
    Scalar value;
    PyObject* name = PyTuple_GET_ITEM(mark, 0);
    if (!PyUnicode_CheckExact(name) || !read_scalar(PyTuple_GET_ITEM(mark, 1), value)) return;
    uint32_t number = recorder->names().number_of(name);
    if (number == 0) attrs.add_key_text(name);
    add_attrs(attrs, PyTuple_GET_ITEM(mark, 2));
    recorder->mark_at({request->id, ticks, request->undecided}, number, value, true, attrs.bytes());
}

// ---- ending -------------------------------------------------------------------------------------------------------

bool is_open(const Undecided* undecided) {
    return undecided != nullptr && undecided->verdict() == Undecided::Verdict::kOpen;
}

// Keeps a tree that the draw had not chosen, or leaves it out, once there is a reason for either.
void decide(Request* request, Recorder* recorder, const RequestEnd& end, uint64_t ticks) {
    if (!is_open(request->undecided)) return;
    bool is_slow = ticks - request->open.frame->start_ticks >= request->by->slow_ticks;
    if (end.error != nullptr || is_slow) {
        request->undecided->keep(recorder, end.error != nullptr ? "error" : "slow");
    } else if (request->decides) {
        request->undecided->leave_out(recorder);
        recorder->count_left_out();
    }
}

const char* name_of_type(PyObject* type) {
    const char* full = reinterpret_cast<PyTypeObject*>(type)->tp_name;
    const char* dot = std::strrchr(full, '.');
    return dot == nullptr ? full : dot + 1;
}

// Of a request that was subject to a draw: the rate of that, and why the request is there all the same.
void add_sampling(AttrWriter& attrs, const Request* request) {
    if (!request->decides || request->by->sample_rate >= 1) return;
    PyObject* rate = PyFloat_FromDouble(request->by->sample_rate);
    if (rate == nullptr) return PyErr_Clear();
    attrs.add(g_sample_rate_key, rate);
    Py_DECREF(rate);
    const char* kept_for = request->undecided == nullptr ? nullptr : request->undecided->kept_for();
    if (kept_for != nullptr) attrs.add(g_kept_for_key, text_scalar(kept_for));
}

[[gnu::noinline]] void write_span(Request* request, Recorder* recorder, uint64_t ticks, const RequestEnd& end,
                                  PyObject* facts) {
    Frame* frame = request->open.frame;
    AttrWriter attrs(recorder->names());
    attrs.copy({frame->attrs, frame->attr_bytes}, g_error_key);
    if (end.outcome != nullptr) attrs.add(g_outcome_key, text_scalar(end.outcome));
    if (end.error != nullptr) attrs.add(g_error_key, text_scalar(cut_text(name_of_type(end.error), kMaxText)));
    add_sampling(attrs, request);
    if (facts != nullptr) add_attrs(attrs, facts);
    recorder->close_with(frame, ticks, attrs.bytes(), request->undecided);
}

void write_down(Request* request, Recorder* recorder, uint64_t ticks, const RequestEnd& end, PyObject* facts) {
    guarded(recorder, "request end", [&] {
        drop_frames_above(request->open.frame);
        PyObject* marks = facts == nullptr || request->open.frame->is_ghost ? nullptr : PyTuple_GET_ITEM(facts, 0);
        for (Py_ssize_t i = 0; marks != nullptr && i < PyList_GET_SIZE(marks); ++i) {
            write_mark(request, recorder, ticks, PyList_GET_ITEM(marks, i));
        }
        if (Stack* stack = request->open.frame->stack) leave_stack(request, stack);
        write_span(request, recorder, ticks, end, facts == nullptr ? nullptr : PyTuple_GET_ITEM(facts, 1));
    });
}

// Of the requests around it only one that is under way is kept, or each would keep the one before it.
void let_go_of_everything(Request* request) {
    request->open.frame = nullptr;
    Request* outer = under_way(request->outer);
    Py_XINCREF(reinterpret_cast<PyObject*>(outer));
    Py_XDECREF(std::exchange(request->outer, reinterpret_cast<PyObject*>(outer)));
    Py_CLEAR(request->tally);
    Py_XDECREF(reinterpret_cast<PyObject*>(std::exchange(request->by, nullptr)));
    Py_XDECREF(reinterpret_cast<PyObject*>(std::exchange(request->parked, nullptr)));
    Undecided* undecided = std::exchange(request->outer_undecided, nullptr);
    if (undecided != nullptr) undecided->let_go();
}

bool is_left_out(const Request* request) {
    return request->undecided != nullptr && request->undecided->verdict() == Undecided::Verdict::kLeftOut;
}

// How a type of exception is called in `outcome`. Libraries have time-outs of their own, which are told by their name.
const char* outcome_of(PyObject* error) {
    if (PyErr_GivenExceptionMatches(error, PyExc_GeneratorExit)) return "closed";
    if (PyErr_GivenExceptionMatches(error, PyExc_TimeoutError)) return "timeout";
    const char* name = name_of_type(error);
    if (std::strcmp(name, "CancelledError") == 0 || std::strcmp(name, "Cancelled") == 0) return "cancelled";
    return std::strstr(name, "Timeout") != nullptr ? "timeout" : "error";
}

void request_dealloc(PyObject* object) {
    auto* request = reinterpret_cast<Request*>(object);
    let_go_of_everything(request);
    if (request->undecided != nullptr) request->undecided->let_go();
    Py_XDECREF(request->outer);
    PyObject_Free(object);
}

// ---- as Python sees it --------------------------------------------------------------------------------------------

PyObject* request_tally(PyObject* object, PyObject*) {
    auto* request = reinterpret_cast<Request*>(object);
    if (request->open.recorder() == nullptr) Py_RETURN_NONE;
    return Py_XNewRef(tally_of(request));
}

PyObject* request_elapsed_ns(PyObject* object, PyObject*) {
    auto* request = reinterpret_cast<Request*>(object);
    Recorder* recorder = request->open.recorder();
    return recorder == nullptr ? PyLong_FromLong(0) : since_start_ns(request, recorder, now_ticks());
}

PyMethodDef g_request_methods[] = {
    {"tally", request_tally, METH_NOARGS, nullptr},
    {"elapsed_ns", request_elapsed_ns, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject g_request_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.Request";
    type.tp_basicsize = sizeof(Request);
    type.tp_dealloc = request_dealloc;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
    type.tp_methods = g_request_methods;
    return type;
}();

}  // namespace

Request* begin_request(Inference* by, Recorder* recorder, PyObject* given_id) {
    Identity identity;
    if (!identify(by, given_id, identity)) return nullptr;
    Request* request = new_request(by);
    if (request == nullptr) return PyErr_Clear(), nullptr;
    if (target_of(by) != recorder) {  // what an id's __str__ did
        Py_DECREF(as_object(request));
        return nullptr;
    }
    bool opened = guarded(recorder, "request begin", [&] {
        if (Stack* stack = recorder->stack_here()) open_frame(request, recorder, stack, identity);
    });
    if (!opened) recorder->count_lost_span();
    if (request->open.frame == nullptr) {
        Py_DECREF(as_object(request));
        return nullptr;
    }
    enter_context(request, Recorder::stack_variable(request->open.owner));
    return request;
}

void resume(Request* request) {
    Recorder* recorder = request->open.recorder();
    if (recorder == nullptr) return;
    Stack* stack = recorder->stack_here();
    Stack* parked = request->parked;
    bool fits = stack != nullptr && parked != nullptr && stack->depth + parked->depth <= kMaxDepth;
    if (!fits) return recorder->count_internal_error("request resumed below too many scopes");
    enter_stack(request, stack);
    move_frames(parked, 0, stack);
    enter_context(request, Recorder::stack_variable(request->open.owner));
}

void park(Request* request) {
    Recorder* recorder = request->open.recorder();
    Frame* frame = request->open.frame;
    int place = recorder == nullptr ? -1 : place_of(frame);
    if (place >= 0 && frame->stack != request->parked && make_room_to_park(request)) {
        Stack* stack = frame->stack;
        frame->context_version = 0;  // its thread works for others meanwhile: it gets no `cpu_ns`
        move_frames(stack, static_cast<uint32_t>(place), request->parked);
        leave_stack(request, stack);
    }
    leave_context(request);
}

bool note_chunk(Request* request, PyObject* chunk) {
    uint64_t ticks = now_ticks();
    Recorder* recorder = request->open.recorder();
    if (recorder == nullptr || !is_worth_seeing(part(request->by, Part::kInterest), chunk)) return true;
    PyObject* when = since_start_ns(request, recorder, ticks);
    PyObject* answer = when == nullptr ? nullptr : ask_tally(request, g_see, chunk, when);
    Py_XDECREF(when);
    Py_XDECREF(answer);
    return answer != nullptr || drop_error(request, "request chunk");
}

bool finish(Request* request, RequestEnd end) {
    uint64_t ticks = now_ticks();
    leave_context(request);
    Recorder* recorder = request->open.recorder();
    PyObject* facts = nullptr;
    bool passed = true;
    if (recorder != nullptr) {
        guarded(recorder, "request end", [&] { decide(request, recorder, end, ticks); });
        if (!is_left_out(request)) passed = take_facts(request, recorder, ticks, end.result, facts);
    }
    recorder = request->open.recorder();  // reading may have ended the session
    if (recorder != nullptr) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        write_down(request, recorder, ticks, end, facts);
        PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(facts);
    let_go_of_everything(request);
    return passed;
}

void finish_failed(Request* request) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    const char* outcome = outcome_of(type);
    bool is_closed = std::strcmp(outcome, "closed") == 0;
    if (finish(request, {.error = is_closed ? nullptr : type, .outcome = outcome, .result = nullptr})) {
        PyErr_Restore(type, value, traceback);
        return;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

Request* as_request(PyObject* object) {
    bool is_request = object != nullptr && Py_IS_TYPE(object, &g_request_type);
    return is_request ? reinterpret_cast<Request*>(object) : nullptr;
}

Request* under_way(PyObject* object) {
    Request* request = as_request(object);
    while (request != nullptr && request->open.recorder() == nullptr) request = as_request(request->outer);
    return request;
}

uint64_t innermost_id(const Request* request) {
    const Frame* frame = request->open.recorder() == nullptr ? nullptr : request->open.frame;
    int place = frame == nullptr ? -1 : place_of(frame);
    if (place < 0) return request->id;
    const Stack* stack = frame->stack;
    auto top = static_cast<uint32_t>(place);
    while (top + 1 < stack->depth && !stack->frames[top + 1]->is_request) ++top;
    return stack->frames[top]->id;
}

uint64_t open_epoch_parent(const Request* request) {
    const Frame* frame = request->open.recorder() == nullptr ? nullptr : request->open.frame;
    int place = frame == nullptr ? -1 : place_of(frame);
    if (place < 0) return 0;
    const Stack* stack = frame->stack;
    for (auto i = static_cast<uint32_t>(place + 1); i < stack->depth && !stack->frames[i]->is_request; ++i) {
        if (stack->frames[i]->is_epoch) return stack->frames[i]->parent;
    }
    return 0;
}

PyObject* current_request(PyObject*, PyObject*) {
    Recorder* recorder = target(nullptr);
    Stack* stack = recorder == nullptr ? nullptr : recorder->stack_here();
    if (stack == nullptr) Py_RETURN_NONE;
    PyObject* held = nullptr;
    if (PyContextVar_Get(Recorder::stack_variable(recorder->registration()), nullptr, &held) != 0) return nullptr;
    PyObject* found = as_request(held) != nullptr ? held : stack->request;
    found = Py_NewRef(found == nullptr ? Py_None : found);
    Py_XDECREF(held);
    return found;
}

int init_request_type() {
    struct Text {
        PyObject*& object;
        const char* text;
    };
    for (Text each :
         {Text{g_request_name, "request"}, Text{g_function_key, "function"}, Text{g_request_id_key, "request_id"},
          Text{g_traceparent_key, "traceparent"}, Text{g_outcome_key, "outcome"}, Text{g_error_key, "error"},
          Text{g_sample_rate_key, "sample_rate"}, Text{g_kept_for_key, "kept_for"},
          Text{g_opentelemetry, "opentelemetry.trace"}, Text{g_see, "see"}, Text{g_read, "read"},
          Text{g_facts, "facts"}}) {
        each.object = PyUnicode_InternFromString(each.text);
        if (each.object == nullptr) return -1;
    }
    return PyType_Ready(&g_request_type);
}

}  // namespace cirron
