// Putting a batch into the spool in such a way that a kill, wherever it falls, neither loses nor repeats a record.
#pragma once

#include <atomic>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "journal.hpp"

namespace cirron {

class Sealer {
  public:
    Sealer(Journal& journal, std::string spool_dir, bool fsync)
        : journal_(journal), spool_dir_(std::move(spool_dir)), fsync_(fsync) {}

    // Writes the parts as the file `name`; the cells up to each ring's `sealing_to` are then sealed. Returns the bytes
    // written: without a spool directory none, though the cells count as sealed. A directory that has vanished is made
    // again. Throws SystemError when writing failed: everything is as before.
    uint64_t seal(const std::string& name, std::initializer_list<std::string_view> parts, bool closes_session);

    // Finishes or undoes what a dead process was doing when it died. True when it had sealed its session already.
    bool settle();

    // Batches that are in place, but perhaps not on the device yet: their directory could not be flushed.
    uint64_t unflushed() const { return unflushed_.load(std::memory_order_relaxed); }

  private:
    uint64_t put_in_place(const std::string& name, std::initializer_list<std::string_view> parts);
    uint64_t write(const std::string& path, std::initializer_list<std::string_view> parts);
    void flush_directory();

    Journal& journal_;
    std::string spool_dir_;
    bool fsync_;
    std::atomic<uint64_t> unflushed_{0};
};

}  // namespace cirron
