#include "journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

namespace cirron {

namespace {

constexpr uint64_t kForeignHostSilence_ns = 60'000'000'000;
constexpr uint64_t kMaxCopyBytes = 256 << 20;  // sixteen thousand threads; a file with holes can claim any size

uint64_t aligned(uint64_t bytes) { return (bytes + kBlockAlign - 1) / kBlockAlign * kBlockAlign; }

// Reserves the blocks on disk: a store into a sparse mapping raises SIGBUS once the disk is full.
int reserve(int fd, uint64_t from, uint64_t bytes) {
#ifdef __linux__
    return posix_fallocate(fd, static_cast<off_t>(from), static_cast<off_t>(bytes));
#else
    fstore_t request{F_ALLOCATEALL, F_PEOFPOSMODE, 0, static_cast<off_t>(bytes), 0};
    if (fcntl(fd, F_PREALLOCATE, &request) != 0) return errno;
    return ftruncate(fd, static_cast<off_t>(from + bytes)) == 0 ? 0 : errno;
#endif
}

void check_header(const JournalHeader& header) {
    if (header.magic != kJournalMagic) throw FormatError{"it does not begin like a journal"};
    if (header.version != kJournalVersion) {
        throw FormatError{"it has journal version " + std::to_string(header.version) + ", this cirron reads version " +
                          std::to_string(kJournalVersion)};
    }
    bool fits = header.session.batch_fields_bytes <= sizeof header.session.batch_fields;
    if (!fits || header.session_checksum != checksum(header.session)) throw FormatError{"its header is damaged"};
}

// Whole blocks only: a last partial page would raise SIGBUS when it is mapped and read.
uint64_t whole_blocks(const struct stat& status) {
    auto bytes = static_cast<uint64_t>(status.st_size);
    if (bytes < kHeaderBytes) throw FormatError{"it is shorter than a journal's header"};
    return bytes / kBlockAlign * kBlockAlign;
}

// With no common lock manager between hosts a free lock proves nothing; silence does.
bool owner_may_live_elsewhere(const JournalHeader& header) {
    if (host_name() == header.session.host) return false;
    return header.heartbeat_wall_ns.load() + kForeignHostSilence_ns > wall_now_ns();
}

}  // namespace

std::string host_name() {
    char name[sizeof(SessionFacts::host)] = {};
    if (gethostname(name, sizeof name - 1) != 0) return "";
    return name;
}

std::unique_ptr<Journal> Journal::create(const std::string& path) {
    std::unique_ptr<Journal> journal(new Journal);
    if (path.empty()) {
        journal->kind_ = "anonymous (no journal path)";
    } else if (!journal->open_new_file(path)) {
        journal->kind_ = std::string("anonymous (") + std::strerror(errno) + ")";
    }
    auto* block = journal->add_block(kHeaderBytes);
    if (journal->file_bytes_ == 0) journal->give_up_file();
    journal->header_ = reinterpret_cast<JournalHeader*>(block);
    return journal;
}

// Whoever finds an unlocked .new file removes it, so the one we lock may be gone by then: we make another.
bool Journal::open_new_file(const std::string& path) {
    std::string unpublished = path + ".new";
    for (int attempt = 0; attempt < 10; ++attempt) {
        int fd = open(unpublished.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0) return false;
        struct stat status;
        bool locked = flock(fd, LOCK_EX) == 0 && fstat(fd, &status) == 0;
        if (locked && status.st_nlink > 0) {
            fd_ = fd;
            file_ = id_of(status);
            path_ = path;
            unpublished_ = unpublished;
            return true;
        }
        int code = errno;
        close(fd);
        errno = code;
        if (!locked) return false;
    }
    return false;
}

void Journal::publish() {
    if (fd_ < 0) return;
    if (rename(unpublished_.c_str(), path_.c_str()) != 0) throw SystemError{errno, path_};
    unpublished_.clear();
}

void Journal::give_up_file() {
    if (fd_ < 0) return;
    unlink();
    close_file();
    path_.clear();
    kind_.erase(0, std::string("partly ").size());
}

std::unique_ptr<Journal> Journal::open_dead(const std::string& path) {
    std::unique_ptr<Journal> journal(new Journal);
    struct stat status = journal->open_existing_file(path, O_RDWR);
    if (flock(journal->fd_, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return nullptr;
        throw SystemError{errno, path};
    }
    if (fstat(journal->fd_, &status) != 0) throw SystemError{errno, path};
    if (status.st_nlink == 0) return nullptr;  // recovered and removed between our open and our lock
    journal->map_existing_blocks(whole_blocks(status));
    if (owner_may_live_elsewhere(*journal->header_)) return nullptr;
    return journal;
}

std::unique_ptr<Journal> Journal::copy_of(const std::string& path) {
    std::unique_ptr<Journal> journal(new Journal);
    struct stat status = journal->open_existing_file(path, O_RDONLY | O_NONBLOCK);  // a pipe of that name would block
    if (S_ISDIR(status.st_mode)) throw SystemError{EISDIR, path};
    journal->copy_existing_blocks(whole_blocks(status));
    journal->close_file();
    return journal;
}

struct stat Journal::open_existing_file(const std::string& path, int flags) {
    path_ = path;
    fd_ = open(path.c_str(), flags | O_CLOEXEC);
    struct stat status;
    if (fd_ < 0 || fstat(fd_, &status) != 0) throw SystemError{errno, path};
    file_ = id_of(status);
    return status;
}

void Journal::map_whole(uint64_t bytes, int flags, int fd) {
    void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (base == MAP_FAILED) throw SystemError{errno, path_};
    mappings_.push_back({base, bytes, fd >= 0});
    header_ = static_cast<JournalHeader*>(base);
}

void Journal::map_existing_blocks(uint64_t bytes) {
    map_whole(bytes, MAP_SHARED, fd_);
    check_header(*header_);
    for (uint64_t at = kHeaderBytes; at < bytes;) at = adopt_block_at(at, bytes);
}

// Not a mapping of the file: whoever cut that short would end us by SIGBUS.
void Journal::copy_existing_blocks(uint64_t bytes) {
    map_whole(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    char* base = reinterpret_cast<char*>(header_);
    copy_in({base, sizeof(JournalHeader)});
    check_header(*header_);
    for (uint64_t at = kHeaderBytes; at < bytes;) {
        copy_in({base + at, sizeof(RingBlock)});  // the longest head of a block
        at = adopt_block_at(at, bytes);
    }
    std::vector<std::span<char>> parts = contents();
    uint64_t total = 0;
    for (std::span<char> part : parts) total += part.size();
    if (total > kMaxCopyBytes) throw FormatError{"its open scopes take " + std::to_string(total) + " bytes"};
    for (std::span<char> part : parts) copy_in(part);
}

std::vector<std::span<char>> Journal::contents() const {
    std::vector<std::span<char>> parts;
    for (NamesBlock* block : names_) parts.emplace_back(block->text, block->used.load());
    for (FramesBlock* block : frames_) parts.emplace_back(block->frames, uint64_t{block->stride} * block->count);
    return parts;
}

void Journal::copy_in(std::span<char> part) {
    auto at = static_cast<off_t>(part.data() - reinterpret_cast<char*>(header_));
    while (!part.empty()) {
        ssize_t got = pread(fd_, part.data(), part.size(), at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw SystemError{errno, path_};
        if (got == 0) return;
        part = part.subspan(static_cast<size_t>(got));
        at += got;
    }
}

uint64_t Journal::adopt_block_at(uint64_t at, uint64_t bytes) {
    auto* block = reinterpret_cast<BlockHeader*>(reinterpret_cast<char*>(header_) + at);
    if (block->type.load() == BlockType::kNone) return bytes;  // its process died while making it, or is at it
    if (block->bytes == 0 || block->bytes % kBlockAlign != 0 || block->bytes > bytes - at || !adopt_block(block)) {
        damage_ = "the block at byte " + std::to_string(at) + " is damaged or cut off";
        return bytes;
    }
    return at + block->bytes;
}

bool Journal::adopt_block(BlockHeader* block) {
    switch (block->type.load()) {
        case BlockType::kNames: {
            auto* names = reinterpret_cast<NamesBlock*>(block);
            if (names->used.load() > block->bytes - sizeof(NamesBlock)) return false;
            names_.push_back(names);
            return true;
        }
        case BlockType::kRing: {
            auto* ring = reinterpret_cast<RingBlock*>(block);
            uint64_t capacity = ring->capacity;
            if (capacity == 0 || (capacity & (capacity - 1)) != 0) return false;
            if (capacity * kCellBytes > block->bytes - sizeof(RingBlock)) return false;
            rings_.push_back(ring);
            return true;
        }
        case BlockType::kFrames: {
            auto* frames = reinterpret_cast<FramesBlock*>(block);
            uint64_t stride = frames->stride;
            if (stride < sizeof(Frame) || stride % 8 != 0) return false;
            if (stride * frames->count > block->bytes - sizeof(FramesBlock)) return false;
            frames_.push_back(frames);
            return true;
        }
        default: return false;
    }
}

Journal::~Journal() {
    if (!unpublished_.empty()) unlink();
    for (const Mapping& mapping : mappings_) munmap(mapping.address, mapping.bytes);
    close_file();
}

bool Journal::has_descriptor() const {
    struct stat status;
    return fd_ >= 0 && fstat(fd_, &status) == 0 && id_of(status) == file_;
}

bool Journal::regain_descriptor() {
    if (has_descriptor()) return true;
    int fd = open(path_.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    int before = std::exchange(fd_, fd);
    if (has_descriptor()) return true;
    close(std::exchange(fd_, before));  // another file of that name
    errno = ENOENT;
    return false;
}

void Journal::close_file() {
    if (has_descriptor()) close(fd_);
    fd_ = -1;
}

void* Journal::map_grown_file(uint64_t bytes) {
    if (fd_ < 0) return nullptr;
    int code = regain_descriptor() ? reserve(fd_, file_bytes_, bytes) : errno;
    if (code != 0) {
        kind_ = std::string("partly anonymous (") + std::strerror(code) + ")";
        return nullptr;
    }
    void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, static_cast<off_t>(file_bytes_));
    if (address == MAP_FAILED) {
        kind_ = std::string("partly anonymous (") + std::strerror(errno) + ")";
        return nullptr;
    }
    file_bytes_ += bytes;
    return address;
}

BlockHeader* Journal::add_block(uint64_t bytes) {
    void* address = map_grown_file(bytes);
    bool is_file = address != nullptr;
    if (!is_file) {
        address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (address == MAP_FAILED) throw std::bad_alloc();
    }
    mappings_.push_back({address, bytes, is_file});
    return static_cast<BlockHeader*>(address);
}

NamesBlock* Journal::add_names_block(uint32_t first_number) {
    std::lock_guard lock(mutex_);
    auto* names = reinterpret_cast<NamesBlock*>(add_block(4 * kBlockAlign));
    names->block.first = first_number;
    names->block.bytes = 4 * kBlockAlign;
    names->block.type.store(BlockType::kNames, std::memory_order_release);
    names_.push_back(names);
    return names;
}

RingBlock* Journal::add_ring_block(uint32_t capacity_cells) {
    std::lock_guard lock(mutex_);
    uint64_t bytes = aligned(sizeof(RingBlock) + uint64_t{capacity_cells} * kCellBytes);
    auto* ring = reinterpret_cast<RingBlock*>(add_block(bytes));
    ring->block.first = static_cast<uint32_t>(rings_.size());
    ring->capacity = capacity_cells;
    ring->block.bytes = bytes;
    ring->block.type.store(BlockType::kRing, std::memory_order_release);
    rings_.push_back(ring);
    return ring;
}

FramesBlock* Journal::add_frames_block(uint32_t stride, uint32_t count) {
    std::lock_guard lock(mutex_);
    uint64_t bytes = aligned(sizeof(FramesBlock) + uint64_t{stride} * count);
    auto* frames = reinterpret_cast<FramesBlock*>(add_block(bytes));
    frames->stride = stride;
    frames->count = count;
    frames->block.bytes = bytes;
    frames->block.type.store(BlockType::kFrames, std::memory_order_release);
    frames_.push_back(frames);
    return frames;
}

std::string Journal::kind() const {
    std::lock_guard lock(mutex_);
    return kind_;
}

std::vector<NamesBlock*> Journal::names_blocks() const {
    std::lock_guard lock(mutex_);
    return names_;
}

std::vector<RingBlock*> Journal::ring_blocks() const {
    std::lock_guard lock(mutex_);
    return rings_;
}

std::vector<FramesBlock*> Journal::frames_blocks() const {
    std::lock_guard lock(mutex_);
    return frames_;
}

bool Journal::path_names_file() const {
    struct stat status;
    return fd_ >= 0 && stat(path_.c_str(), &status) == 0 && id_of(status) == file_;
}

bool Journal::is_intact() const { return fd_ < 0 || path_names_file(); }

bool Journal::is_recoverable(const void* block) const {
    std::lock_guard lock(mutex_);
    auto is_its = [&](const Mapping& mapping) { return mapping.address == block; };
    auto mapping = std::find_if(mappings_.begin(), mappings_.end(), is_its);
    return mapping != mappings_.end() && mapping->is_file && path_names_file();
}

void Journal::unlink() {
    if (fd_ >= 0) ::unlink(unpublished_.empty() ? path_.c_str() : unpublished_.c_str());
}

void Journal::abandon_in_child() {
    if (fd_ < 0) return;
    // The lock is the open file's: it lasts as long as anything here holds that file, a mapping included, and must not
    // outlive the parent. Whatever still looks at the old addresses finds zeros.
    for (const Mapping& mapping : mappings_) {
        mmap(mapping.address, mapping.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    close_file();
}

}  // namespace cirron
