#include "stack.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "request.hpp"
#include "types.hpp"

namespace cirron {

namespace {

void stack_dealloc(PyObject* self) {
    auto* stack = reinterpret_cast<Stack*>(self);
    // The frames lie in the recorder's journal, which may be unmapped by now.
    if (find_recorder(stack->recorder) != nullptr) {
        for (uint32_t i = 0; i < stack->depth; ++i) stack->frames[i]->stack = nullptr;
    }
    if (stack->undecided != nullptr) stack->undecided->let_go();
    Py_XDECREF(stack->owner);
    Py_XDECREF(stack->request);
    PyObject_Free(self);
}

PyTypeObject g_stack_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native._Stack";
    type.tp_basicsize = sizeof(Stack);
    type.tp_dealloc = stack_dealloc;
    type.tp_flags = Py_TPFLAGS_DEFAULT;
    return type;
}();

}  // namespace

// What a request was called by has no part in its tree.
uint64_t Stack::open_epoch_parent() const {
    int request_at = innermost_request();
    if (request_at < 0 && epoch_parent != 0) return epoch_parent;
    for (auto i = static_cast<uint32_t>(request_at + 1); i < depth; ++i) {
        if (frames[i]->is_epoch) return frames[i]->parent;
    }
    return 0;
}

int Stack::innermost_request() const {
    int i = static_cast<int>(depth) - 1;
    while (i >= 0 && !frames[i]->is_request) --i;
    return i;
}

bool Stack::is_within_request() const { return innermost_request() >= 0 || under_way(request) != nullptr; }

Undecided* Stack::find_undecided_of(uint64_t scope) const {
    if (request != nullptr) return undecided;
    for (uint32_t i = 0; i < depth && !frames[i]->is_request; ++i) {
        if (frames[i]->id == scope) return nullptr;
    }
    return undecided;
}

uint64_t Stack::parent_for_epoch() const {
    uint64_t parent = open_epoch_parent();
    return parent != 0 ? parent : top_id();
}

bool Stack::owned_by(PyObject* context) const {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* referent = nullptr;
    PyWeakref_GetRef(owner, &referent);
    Py_XDECREF(referent);  // the caller holds the context, if it is the one
    return referent == context;
#else
    PyObject* referent = PyWeakref_GetObject(owner);
    return referent == context || (referent == Py_None && context == nullptr);
#endif
}

void Stack::remove_below_top(Frame* frame) {
    Frame** end = frames + depth;
    Frame** found = std::find(frames, end, frame);
    if (found == end) return;
    std::copy(found + 1, end, found);
    --depth;
}

Stack* new_stack(Registration recorder) {
    auto* stack = PyObject_New(Stack, &g_stack_type);
    if (stack == nullptr) return nullptr;
    stack->recorder = recorder;
    stack->owner = nullptr;
    stack->root_parent = kSessionId;
    stack->epoch_parent = 0;
    stack->request = nullptr;
    stack->undecided = nullptr;
    stack->depth = 0;
    return stack;
}

void begin_where(Stack* stack, PyObject* inherited) {
    if (const Stack* origin = as_stack(inherited)) {
        if (origin->recorder.generation != stack->recorder.generation) return;
        stack->root_parent = origin->top_id();
        stack->epoch_parent = origin->open_epoch_parent();
        stack->request = Py_XNewRef(origin->request);
        if (origin->undecided != nullptr) stack->undecided = origin->undecided->share();
    } else if (Request* request = as_request(inherited)) {
        if (request->open.owner.generation != stack->recorder.generation) return;
        stack->root_parent = innermost_id(request);
        stack->epoch_parent = open_epoch_parent(request);
        stack->request = Py_NewRef(inherited);
        if (request->undecided != nullptr) stack->undecided = request->undecided->share();
    }
}

Stack* as_stack(PyObject* object) {
    bool is_stack = object != nullptr && Py_IS_TYPE(object, &g_stack_type);
    return is_stack ? reinterpret_cast<Stack*>(object) : nullptr;
}

Stack* StackTable::find(PyObject* context) const {
    auto found = stacks_.find(context);
    // The address may have been another context's.
    return found != stacks_.end() && found->second->owned_by(context) ? found->second : nullptr;
}

void StackTable::insert(PyObject* context, Stack* stack) {
    if (stacks_.size() >= sweep_at_) sweep();
    Stack*& place = stacks_[context];
    Stack* before = std::exchange(place, stack);
    Py_XDECREF(reinterpret_cast<PyObject*>(before));
}

// Lets go of the stacks whose contexts have ended. The next sweep comes when as many again are there.
void StackTable::sweep() {
    std::vector<Stack*> ended;
    std::erase_if(stacks_, [&](const auto& entry) {
        bool has_ended = entry.second->owned_by(nullptr);
        if (has_ended) ended.push_back(entry.second);
        return has_ended;
    });
    for (Stack* stack : ended) Py_DECREF(reinterpret_cast<PyObject*>(stack));
    sweep_at_ = 2 * stacks_.size() + 64;
}

void StackTable::clear() {
    auto stacks = std::exchange(stacks_, {});
    for (auto& [context, stack] : stacks) Py_DECREF(reinterpret_cast<PyObject*>(stack));
}

int init_stack_type() { return PyType_Ready(&g_stack_type); }

}  // namespace cirron
