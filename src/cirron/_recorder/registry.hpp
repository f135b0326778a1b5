// Which recorders are alive. A thread that ends and a child process that begins find them here.
#pragma once

#include <cstdint>

namespace cirron {

constexpr uint32_t kMaxRecorders = 16;

class Recorder;
struct ThreadState;

// The calling thread's states, one a live recorder. A state may be touched only while the generations agree: it belongs
// to its recorder, which may have gone.
struct ThreadSlot {
    ThreadState* state;
    uint64_t generation;
};
extern thread_local ThreadSlot t_slots[kMaxRecorders];

struct Registration {
    uint32_t slot;
    uint64_t generation;  // never used twice
};

struct Registered {
    Recorder* recorder;
    uint64_t generation;
};
// By slot. Written with the GIL and a lock held, so that either is enough to read it.
extern Registered g_recorders[kMaxRecorders];

// Null once that recorder is closed. Needs the GIL.
inline Recorder* find_recorder(Registration registration) {
    const Registered& found = g_recorders[registration.slot];
    return found.generation == registration.generation ? found.recorder : nullptr;
}

// Every recorder there is, from its making to its end: a fork takes them all from the child, the closed ones too. Needs
// no GIL.
void add_to_forked(Recorder* recorder);
void remove_from_forked(Recorder* recorder);

// Throws std::length_error when kMaxRecorders are alive.
Registration register_recorder(Recorder* recorder);
// After this no thread that ends will touch the recorder.
void unregister_recorder(uint32_t slot);
// Has thread_ended() called on the live recorders when the calling thread ends.
void watch_thread_end();
// A fork leaves the recorders to the parent; in the child they are closed.
void install_fork_handlers();

}  // namespace cirron
