// Kernels that XLA's programs call on a CPU: matrix products, convolutions, and elementwise code in one pass.
//
// Arrays are row-major, of float32 (of 4 bytes where only rows are copied, whose numbers are int32); the Python side
// passes nothing else. Work is shared among the threads that XLA
// lends; what is computed does not depend on how it is shared, except for sums over pieces of fixed number.

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "kernels.h"
#include "xla/ffi/api/c_api.h"

namespace {

using Frame = XLA_FFI_CallFrame;

// --- calls from XLA ---

struct Array {
  float* at;
  const Index* dims;
  Index rank, size;
};

Array array(void* of) {
  auto* given = static_cast<XLA_FFI_Buffer*>(of);
  Array a{static_cast<float*>(given->data), given->dims, given->rank, 1};
  for (Index i = 0; i < a.rank; i++) a.size *= a.dims[i];
  return a;
}
Array argument(Frame* frame, Index i) { return array(frame->args.args[i]); }
Array result(Frame* frame, Index i) { return array(frame->rets.rets[i]); }

// The numbers that say what to do; each kernel has one attribute.
struct Code {
  const int32_t* at;
  Index size;
};
Code code(Frame* frame) {
  auto* given = static_cast<XLA_FFI_Array*>(frame->attrs.attrs[0]);
  return {static_cast<int32_t*>(given->data), static_cast<Index>(given->size)};
}

// When a kernel is registered, XLA asks which interface it was written for.
bool asked(Frame* frame) {
  auto* extension = frame->extension_start;
  if (!extension || extension->type != XLA_FFI_Extension_Metadata) return false;
  auto* told = reinterpret_cast<XLA_FFI_Metadata_Extension*>(extension)->metadata;
  told->api_version.major_version = XLA_FFI_API_MAJOR;
  told->api_version.minor_version = XLA_FFI_API_MINOR;
  return true;
}

template <class Kernel>
XLA_FFI_Error* called(Frame* frame, Kernel kernel) {
  if (asked(frame)) return nullptr;
  XLA_FFI_Error_Create_Args args{};
  args.struct_size = sizeof args;
  try {
    kernel();
    return nullptr;
  } catch (const std::bad_alloc&) {
    args.message = "croton: out of memory";
    args.errc = XLA_FFI_Error_Code_RESOURCE_EXHAUSTED;
  } catch (...) {
    args.message = "croton: a kernel failed, which is a mistake in croton";
    args.errc = XLA_FFI_Error_Code_INTERNAL;
  }
  return frame->api->XLA_FFI_Error_Create(&args);
}

// --- threads ---

bool succeeded(Frame* frame, XLA_FFI_Error* error) {
  if (!error) return true;
  XLA_FFI_Error_Destroy_Args args{};
  args.struct_size = sizeof args;
  args.error = error;
  frame->api->XLA_FFI_Error_Destroy(&args);
  return false;
}

Index threads(Frame* frame) {
  Index count = 1;
  XLA_FFI_ThreadPool_NumThreads_Args args{};
  args.struct_size = sizeof args;
  args.ctx = frame->ctx;
  args.num_threads = &count;
  return succeeded(frame, frame->api->XLA_FFI_ThreadPool_NumThreads(&args)) ? max(count, 1) : 1;
}

// Pieces of work that threads take one after the other: the caller from the first on, others from the last, so that each
// core is likely to find in its own cache what it had of other work before. A thread may come when all is done and the
// caller is gone, so who leaves last gives the memory back.
struct Pieces {
  std::atomic<Index> taken{0}, back{0}, done{0}, holders;
  Index front = 0, count;
  void (*run)(void*, Index);
  void* data;

  void work(bool caller) {
    for (; taken.fetch_add(1) < count; done.fetch_add(1, std::memory_order_release))
      run(data, caller ? front++ : count - 1 - back.fetch_add(1));
  }
  void leave() {
    if (holders.fetch_sub(1) == 1) delete this;
  }
};

// run(data, 0) .. run(data, count - 1). The caller works too, and waits only for pieces that others have begun.
APART void shared(Frame* frame, Index count, void (*run)(void*, Index), void* data) {
  Index helpers = count > 1 ? min(threads(frame), count) - 1 : 0;
  if (helpers == 0) {
    for (Index i = 0; i < count; i++) run(data, i);
    return;
  }
  auto* pieces = new Pieces;
  pieces->holders = helpers + 1;
  pieces->count = count;
  pieces->run = run;
  pieces->data = data;
  for (Index i = 0; i < helpers; i++) {
    XLA_FFI_ThreadPool_Schedule_Args args{};
    args.struct_size = sizeof args;
    args.ctx = frame->ctx;
    args.data = pieces;
    args.task = [](void* data) {
      static_cast<Pieces*>(data)->work(false);
      static_cast<Pieces*>(data)->leave();
    };
    if (!succeeded(frame, frame->api->XLA_FFI_ThreadPool_Schedule(&args))) pieces->leave();
  }
  pieces->work(true);
  for (int spins = 0; pieces->done.load(std::memory_order_acquire) < count; spins++) {
    if (spins > 2000) sched_yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  pieces->leave();
}

// piece(0) .. piece(count - 1), likewise.
template <class Piece>
void shared(Frame* frame, Index count, Piece piece) {
  shared(frame, count, [](void* data, Index i) { (*static_cast<Piece*>(data))(i); }, &piece);
}

// How many pieces to make of so much work, in multiplications: several for each thread, none below some microseconds.
Index pieces(Frame* frame, double work) { return max(1, min(4 * threads(frame), work / 200000)); }

// Room for so many numbers, which a thread keeps: new memory would come page by page in every call. Null if there is none.
float* kept(Index size) {
  struct Memory {
    float* at = nullptr;
    Index size = 0;
    ~Memory() { free(at); }
  };
  static thread_local Memory memory;
  if (size > memory.size) {
    free(memory.at);
    memory.at = static_cast<float*>(malloc(size * sizeof(float)));
    memory.size = memory.at ? size : 0;
  }
  return memory.at;
}

// piece(0, room) .. piece(count - 1, room), each with room for so many numbers.
template <class Piece>
void shared_with_room(Frame* frame, Index count, Index size, Piece piece) {
  std::atomic<bool> failed{false};
  shared(frame, count, [&](Index i) {
    if (float* room = kept(size))
      piece(i, room);
    else
      failed = true;
  });
  if (failed) throw std::bad_alloc();
}

// c = a sum of parts, of so many numbers each: part(0, c), and part(1, zeros) .. part(count - 1, zeros).
template <class Fill>
void summed(Frame* frame, Index count, Index size, float* c, Fill part) {
  const Index apart = (size + 31) / 16 * 16;  // no two parts in one line of a cache
  std::vector<float> others((count - 1) * apart);
  shared(frame, count, [&](Index i) { part(i, i ? others.data() + (i - 1) * apart : c); });
  for (Index i = 0; i < count - 1; i++)
    for (Index j = 0; j < size; j++) c[j] += others[i * apart + j];
}

// --- exchanging rows and columns ---

// Exchanges rows and columns of 8 x 8 numbers.
typedef float Own __attribute__((vector_size(32)));
inline void turn(Own* r) {
#if defined(__clang__)
#define MIX(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
  typedef int Which __attribute__((vector_size(32)));
#define MIX(x, y, ...) __builtin_shuffle(x, y, (Which){__VA_ARGS__})
#endif
  Own t[8];
  UNROLLED for (int i = 0; i < 8; i += 2) {
    t[i] = MIX(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[i + 1] = MIX(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  UNROLLED for (int h = 0; h < 8; h += 4)
    UNROLLED for (int j = 0; j < 2; j++) {
      r[h + 2 * j] = MIX(t[h + j], t[h + 2 + j], 0, 1, 8, 9, 4, 5, 12, 13);
      r[h + 2 * j + 1] = MIX(t[h + j], t[h + 2 + j], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  UNROLLED for (int j = 0; j < 4; j++) {
    t[j] = MIX(r[j], r[4 + j], 0, 1, 2, 3, 8, 9, 10, 11);
    t[4 + j] = MIX(r[j], r[4 + j], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  UNROLLED for (int j = 0; j < 8; j++) r[j] = t[j];
#undef MIX
}

// to[i * WIDE + q] = rows[q][k + i] for i, q < 8.
inline void turn(const float* const* rows, Index k, float* to) {
  Own r[8];
  UNROLLED for (int q = 0; q < 8; q++) r[q] = *(const Eight*)(rows[q] + k);
  turn(r);
  UNROLLED for (int i = 0; i < 8; i++) *(Eight*)(to + i * WIDE) = r[i];
}

// to[i * WIDE + q] = rows[q][i] for i < deep, and 0 from q = wide on.
APART void turned_in(const float* const* rows, Index deep, Index wide, float* to) {
  for (Index some = 0; some < WIDE; some += 8, rows += 8, to += 8) {
    Index count = max(0, min(8, wide - some)), i = 0;
    for (; count == 8 && i + 8 <= deep; i += 8) turn(rows, i, to + i * WIDE);
    for (; i < deep; i++)
      for (Index q = 0; q < 8; q++) to[i * WIDE + q] = q < count ? rows[q][i] : 0;
  }
}

// rows[q][i] = from[i * WIDE + q] for i < deep, q < wide.
APART void turned_out(float* const* rows, Index deep, Index wide, const float* from) {
  for (Index some = 0; some < wide; some += 8, rows += 8, from += 8) {
    Index count = min(8, wide - some), i = 0;
    for (; count == 8 && i + 8 <= deep; i += 8) {
      Own r[8];
      UNROLLED for (int q = 0; q < 8; q++) r[q] = *(const Eight*)(from + (i + q) * WIDE);
      turn(r);
      UNROLLED for (int q = 0; q < 8; q++) *(Eight*)(rows[q] + i) = r[q];
    }
    for (; i < deep; i++)
      for (Index q = 0; q < count; q++) rows[q][i] = from[i * WIDE + q];
  }
}

// --- products of matrices ---

// Rows of the left factor for which the right one is not copied together.
constexpr Index FEW = 128;

struct Right {  // turned: element (k, j) lies at j * ld + k
  const float* at;
  Index ld;
  bool turned;
};

// Terms k.. and columns j.. of the right factor, deep x wide, as a part for tiles.
APART void gather(const Right& right, Index k, Index deep, Index j, Index wide, float* to) {
  if (!right.turned) {
    for (Index i = 0; i < deep; i++, to += WIDE) {
      const float* from = right.at + (k + i) * right.ld + j;
      if (wide == WIDE) {
        *(Lanes*)to = *(const Lanes*)from;
        *(Lanes*)(to + LANES) = *(const Lanes*)(from + LANES);
      } else {
        Index q = 0, width = wide > LANES ? WIDE : LANES;
        for (; q + 8 <= wide; q += 8) *(Eight*)(to + q) = *(const Eight*)(from + q);
        for (; q < wide; q++) to[q] = from[q];
        for (; q < width; q++) to[q] = 0;
      }
    }
    return;
  }
  const float* rows[WIDE];
  for (Index q = 0; q < WIDE; q++) rows[q] = right.at + (j + min(q, wide - 1)) * right.ld + k;
  turned_in(rows, deep, wide, to);
}

// The same for m rows of the left factor, and n terms in all: left as it lies where they are few, if its rows do not all
// fall into the same places of the cache. What follows a narrow part in its rows goes into numbers that nobody takes.
Part laid_out(const Right& right, Index m, Index n, Index k, Index deep, Index j, Index wide, float* room) {
  Index read = (k + deep - 1) * right.ld + j + (wide > LANES ? WIDE : LANES);
  if (!right.turned && m <= FEW && right.ld % 1024 && read <= n * right.ld) return {right.at + k * right.ld + j, right.ld};
  gather(right, k, deep, j, wide, room);
  return {room};
}

// Rows of the left factor that are multiplied one part of the right factor after the other; and how many numbers of them
// the second cache keeps.
constexpr Index SOME_ROWS = 192, NEAR = 1 << 16;

// Small results of MANY terms are made as up to SPLIT sums of at least SOME_TERMS. So are those of FEW rows and a matrix
// that is larger: it is divided by its rows then, as it is where its update is made, and a core reads what it has written.
constexpr Index SOME_TERMS = 192, MANY = 1024, SPLIT = 8, SMALL = 1 << 13;

// A matrix that a row is multiplied by is divided into so many parts; and so is one whose gradient is of one example.
constexpr Index ROW_PARTS = 8;

// sum = a[0] * (row 0 of b) + a[1] * (row 1 of b) + ...
APART void sum_of_rows(const float* a, const float* b, Index ld, Index rows, float* __restrict sum, Index n) {
  for (; rows >= 4; rows -= 4, a += 4, b += 4 * ld)
    for (Index j = 0; j < n; j++) sum[j] += (a[0] * b[j] + a[1] * b[ld + j]) + (a[2] * b[2 * ld + j] + a[3] * b[3 * ld + j]);
  for (; rows > 0; rows--, a++, b += ld)
    for (Index j = 0; j < n; j++) sum[j] += a[0] * b[j];
}

APART float dot(const float* a, const float* b, Index count) {
  Lanes sum[4] = {};
  Index k = 0;
  for (; k + 4 * LANES <= count; k += 4 * LANES)
    UNROLLED for (Index v = 0; v < 4; v++) sum[v] += *(const Lanes*)(a + k + v * LANES) * *(const Lanes*)(b + k + v * LANES);
  for (; k + LANES <= count; k += LANES) sum[0] += *(const Lanes*)(a + k) * *(const Lanes*)(b + k);
  const Lanes all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  float total = 0;
  for (; k < count; k++) total += a[k] * b[k];
  UNROLLED for (Index i = 0; i < LANES; i++) total += all[i];
  return total;
}

void row_product(Frame* frame, const float* a, const Right& b, float* c, Index n, Index deep) {
  const Index rows = b.turned ? n : deep;
  auto first = [=](Index part) { return part * rows / ROW_PARTS; };
  if (b.turned)
    return shared(frame, ROW_PARTS, [&](Index part) {
      for (Index j = first(part); j < first(part + 1); j++) c[j] = dot(a, b.at + j * b.ld, deep);
    });
  memset(c, 0, n * sizeof(float));
  summed(frame, ROW_PARTS, n, c, [&](Index part, float* sum) {
    const Index k = first(part);
    sum_of_rows(a + k, b.at + k * b.ld, b.ld, first(part + 1) - k, sum, n);
  });
}

void product(Frame* frame, const Left& left, const Right& right, float* c, Index m, Index n, Index deep) {
  if (m == 1) return row_product(frame, left.at, right, c, n, deep);
  const bool small = m * n <= SMALL, few = m <= FEW && !left.turned && !right.turned && (small || 16 * m <= deep);
  if ((few && deep >= 2 * SOME_TERMS) || (small && deep >= MANY)) {
    const Index parts = min(SPLIT, deep / SOME_TERMS);
    return summed(frame, parts, m * n, c, [&](Index part, float* sum) {
      alignas(64) float room[DEEP * WIDE];
      const Index first = part * deep / parts, last = (part + 1) * deep / parts;
      for (Index k = first; k < last; k += DEEP)
        for (Index j = 0; j < n; j += WIDE) {
          Index terms = min(DEEP, last - k), wide = min(WIDE, n - j);
          tiles(left, 0, m, k, terms, laid_out(right, m, deep, k, terms, j, wide, room), sum + j, n, wide, k > first);
        }
    });
  }
  // Divided by rows as far as there are many, so that each is read by one thread.
  Index parts = (n + WIDE - 1) / WIDE, count = pieces(frame, double(m) * n * deep);
  Index down = max(1, min(count, m / (SOME_ROWS / 2))), across = min(parts, (count + down - 1) / down);
  while (across * down < count && m >= 2 * down * 4 * ROWS) down *= 2;
  Index rows = ((m + down - 1) / down + ROWS - 1) / ROWS * ROWS;
  shared(frame, across * down, [&](Index piece) {
    alignas(64) float room[DEEP * WIDE];
    Index x = piece % across, last = min(m, (piece / across + 1) * rows);
    for (Index i = piece / across * rows; i < last; i += SOME_ROWS) {
      // What is read of the left factor comes from the second cache in all but the first column of tiles.
      Index now = min(SOME_ROWS, last - i), some = now * deep > NEAR ? DEEP : deep;
      for (Index begin = 0; begin < deep; begin += some)
        for (Index j = x * parts / across * WIDE; j < min(n, (x + 1) * parts / across * WIDE); j += WIDE)
          for (Index k = begin; k < min(deep, begin + some); k += DEEP) {
            Index wide = min(WIDE, n - j), terms = min(DEEP, deep - k);
            Part part = laid_out(right, m, deep, k, terms, j, wide, room);
            tiles(left, i, now, k, terms, part, c + i * n + j, n, wide, k > 0);
          }
    }
  });
}

}  // namespace

// (a, b) -> c, with a code of two numbers: whether a and b are turned.
extern "C" XLA_FFI_Error* croton_product(Frame* frame) {
  return called(frame, [=] {
    Array a = argument(frame, 0), b = argument(frame, 1), c = result(frame, 0);
    const int32_t* turned = code(frame).at;
    product(frame, {a.at, a.dims[1], turned[0] != 0}, {b.at, b.dims[1], turned[1] != 0}, c.at, c.dims[0], c.dims[1],
            a.dims[turned[0] ? 0 : 1]);
  });
}

// --- convolutions of images without padding ---

namespace {

struct Geometry {
  Index images, size, maps, kernel, places;  // size: of an image; kernel: its elements, those of all channels
  std::vector<Index> of_kernel, of_place;    // where elements of the kernel, and places of a map, lie in an image

  // The code has the strides and the dilations.
  Geometry(const Array& x, const Array& w, const Array& y, Code code) {
    Index channels = x.dims[1], high = x.dims[2], wide = x.dims[3];
    images = x.dims[0], size = channels * high * wide, maps = w.dims[0];
    for (Index c = 0; c < channels; c++)
      for (Index i = 0; i < w.dims[2]; i++)
        for (Index j = 0; j < w.dims[3]; j++)
          of_kernel.push_back((c * high + i * code.at[2]) * wide + j * code.at[3]);
    for (Index i = 0; i < y.dims[2]; i++)
      for (Index j = 0; j < y.dims[3]; j++) of_place.push_back(i * code.at[0] * wide + j * code.at[1]);
    kernel = of_kernel.size(), places = of_place.size();
  }
};

bool in_a_row(const Index* places) { return places[7] - places[0] == 7; }

// Elements k.. of the patches at places p.., deep x wide, as a part for tiles: a column for each place.
APART void gather(const float* image, const Geometry& g, Index k, Index deep, Index p, Index wide, float* to) {
  for (Index some = 0; some < WIDE; some += 8, to += 8) {
    Index count = max(0, min(8, wide - some));
    const Index* places = g.of_place.data() + p + some;
    bool row = count == 8 && in_a_row(places);
    for (Index i = 0; i < deep; i++) {
      const float* from = image + g.of_kernel[k + i];
      if (row)
        *(Eight*)(to + i * WIDE) = *(const Eight*)(from + places[0]);
      else
        for (Index q = 0; q < 8; q++) to[i * WIDE + q] = q < count ? from[places[q]] : 0;
    }
  }
}

// The same turned: a row for each of the places p.., a column for each of the elements k...
APART void gather_turned(const float* image, const Geometry& g, Index p, Index deep, Index k, Index wide, float* to) {
  for (Index some = 0; some < WIDE; some += 8, to += 8) {
    Index count = max(0, min(8, wide - some));
    const float* from[8];
    for (Index q = 0; q < count; q++) from[q] = image + g.of_kernel[k + some + q];
    for (Index i = 0; i < deep;) {
      const Index* places = g.of_place.data() + p + i;
      if (count == 8 && i + 8 <= deep && in_a_row(places)) {
        turn(from, places[0], to + i * WIDE);
        i += 8;
      } else {
        for (Index q = 0; q < 8; q++) to[i * WIDE + q] = q < count ? from[q][places[0]] : 0;
        i++;
      }
    }
  }
}

}  // namespace

// (images, filters) -> maps
extern "C" XLA_FFI_Error* croton_maps(Frame* frame) {
  return called(frame, [=] {
    Array x = argument(frame, 0), w = argument(frame, 1), y = result(frame, 0);
    Geometry g(x, w, y, code(frame));
    Left filters{w.at, g.kernel, false};
    Index each = (g.places + WIDE - 1) / WIDE, all = g.images * each;
    Index count = min(all, pieces(frame, double(y.size) * g.kernel));
    shared(frame, count, [&](Index piece) {
      alignas(64) float room[DEEP * WIDE];
      for (Index part = piece * all / count; part < (piece + 1) * all / count; part++) {
        Index n = part / each, p = part % each * WIDE, wide = min(WIDE, g.places - p);
        for (Index k = 0; k < g.kernel; k += DEEP) {
          Index deep = min(DEEP, g.kernel - k);
          gather(x.at + n * g.size, g, k, deep, p, wide, room);
          tiles(filters, 0, g.maps, k, deep, {room}, y.at + n * g.maps * g.places + p, g.places, wide, k > 0);
        }
      }
    });
  });
}

// (filters, maps' gradient) -> images' gradient: the patches' gradients, a tile at a time, added where they lie
extern "C" XLA_FFI_Error* croton_images(Frame* frame) {
  return called(frame, [=] {
    Array w = argument(frame, 0), y = argument(frame, 1), x = result(frame, 0);
    Geometry g(x, w, y, code(frame));
    Left filters{w.at, g.kernel, true};
    Index count = min(g.images, pieces(frame, double(y.size) * g.kernel));
    shared(frame, count, [&](Index piece) {
      alignas(64) float room[DEEP * WIDE], patches[ROWS * WIDE];
      for (Index n = piece * g.images / count; n < (piece + 1) * g.images / count; n++) {
        float* image = x.at + n * g.size;
        memset(image, 0, g.size * sizeof(float));
        for (Index p = 0; p < g.places; p += WIDE) {
          Index wide = min(WIDE, g.places - p);
          const Index* places = g.of_place.data() + p;
          bool row[WIDE / 8];
          for (Index some = 0; some < WIDE / 8; some++) row[some] = wide >= 8 * some + 8 && in_a_row(places + 8 * some);
          for (Index o = 0; o < g.maps; o += DEEP) {
            Index deep = min(DEEP, g.maps - o);
            gather(Right{y.at + n * g.maps * g.places, g.places, false}, o, deep, p, wide, room);
            for (Index k = 0; k < g.kernel; k += ROWS) {
              Index rows = min(ROWS, g.kernel - k);
              tiles(filters, k, rows, o, deep, {room}, patches, WIDE, WIDE, false);
              for (Index r = 0; r < rows; r++)
                for (Index some = 0; some < WIDE / 8; some++) {
                  float* to = image + g.of_kernel[k + r];
                  const float* from = patches + r * WIDE;
                  if (row[some])
                    *(Eight*)(to + places[8 * some]) += *(const Eight*)(from + 8 * some);
                  else
                    for (Index q = 8 * some; q < min(wide, 8 * some + 8); q++) to[places[q]] += from[q];
                }
            }
          }
        }
      }
    });
  });
}

// (images, maps' gradient) -> filters' gradient: a sum for each of at most four parts of the images, and their sum
extern "C" XLA_FFI_Error* croton_filters(Frame* frame) {
  return called(frame, [=] {
    Array x = argument(frame, 0), y = argument(frame, 1), w = result(frame, 0);
    Geometry g(x, w, y, code(frame));
    Index count = max(1, min(g.images, 4));
    memset(w.at, 0, w.size * sizeof(float));
    summed(frame, count, w.size, w.at, [&](Index piece, float* sum) {
      alignas(64) float room[DEEP * WIDE];
      for (Index n = piece * g.images / count; n < (piece + 1) * g.images / count; n++) {
        Left maps{y.at + n * g.maps * g.places, g.places, false};
        for (Index p = 0; p < g.places; p += DEEP)
          for (Index k = 0; k < g.kernel; k += WIDE) {
            Index deep = min(DEEP, g.places - p), wide = min(WIDE, g.kernel - k);
            gather_turned(x.at + n * g.size, g, p, deep, k, wide, room);
            tiles(maps, 0, g.maps, p, deep, {room}, sum + k, g.kernel, wide, true);
          }
      }
    });
  });
}

// --- maxima of windows of 2 x 2 ---

namespace {

// NaN where either is.
template <class Number>
inline Number larger(Number a, Number b) {
  const Number most = a > b ? a : b;
  return a != a ? a : most;
}

inline Eight& eight(float* at) { return *(Eight*)at; }
inline const Eight& eight(const float* at) { return *(const Eight*)at; }

// run(0), run(8), ...: eight columns each, the last so many from the end.
template <class Run>
inline void columns(Index wide, Run run) {
  for (Index c = 0; c + 8 < wide; c += 8) run(c);
  run(wide - 8);
}

// z: the largest of each window of an image; those of columns go through room.
APART void largest(const float* x, Index rows, Index wide, float* __restrict room, float* __restrict z) {
  for (Index i = 0; i < rows / 2; i++, x += 2 * wide)
    columns(wide, [&](Index c) { eight(room + i * wide + c) = larger(eight(x + c), eight(x + wide + c)); });
  for (Index j = 0; j < rows * wide / 4; j++) z[j] = larger(room[2 * j], room[2 * j + 1]);
}

APART void doubled(const float* z, Index count, float* __restrict to) {
  for (Index j = 0; j < count; j++) to[2 * j] = to[2 * j + 1] = z[j];
}

// d: where x is the largest of its window, the window's g, divided by how many are; else 0.
APART void shares(const float* x, const float* g, Index rows, Index wide, float* __restrict room, float* d) {
  const Index half = rows * wide / 2;
  float *best = room, *equal = room + half, *z = equal + half;
  largest(x, rows, wide, equal, z);
  doubled(z, half / 2, best);
  const Eight one = Eight{} + 1;
  for (Index i = 0; i < rows / 2; i++)
    columns(wide, [&](Index c) {
      const Eight most = eight(best + i * wide + c);
      const float* at = x + 2 * i * wide + c;
      eight(equal + i * wide + c) = (eight(at) == most ? one : Eight{}) + (eight(at + wide) == most ? one : Eight{});
    });
  for (Index j = 0; j < half / 2; j++) {
    const float count = equal[2 * j] + equal[2 * j + 1];
    z[j] = g[j] / (count > 1 ? count : 1);
  }
  doubled(z, half / 2, equal);
  for (Index i = 0; i < rows; i++)
    columns(wide, [&](Index c) {
      const Index at = i * wide + c, of = i / 2 * wide + c;
      eight(d + at) = eight(x + at) == eight(best + of) ? eight(equal + of) : Eight{};
    });
}

// run(number of an image, room for as many numbers and half as many), on all cores.
template <class Run>
void each_image(Frame* frame, const Array& x, Run run) {
  const Index size = x.dims[x.rank - 2] * x.dims[x.rank - 1], images = x.size / size;
  const Index count = min(images, pieces(frame, 8.0 * x.size));
  shared_with_room(frame, count, 3 * size / 2, [&](Index piece, float* room) {
    for (Index i = piece * images / count; i < (piece + 1) * images / count; i++) run(i, room);
  });
}

}  // namespace

// (images of even lengths, of at least 8 columns) -> the largest of each window; they do not overlap
extern "C" XLA_FFI_Error* croton_largest(Frame* frame) {
  return called(frame, [=] {
    const Array x = argument(frame, 0), z = result(frame, 0);
    const Index rows = x.dims[x.rank - 2], wide = x.dims[x.rank - 1], size = rows * wide;
    each_image(frame, x, [&](Index i, float* room) { largest(x.at + i * size, rows, wide, room, z.at + i * size / 4); });
  });
}

// (images, the windows' gradient) -> the images' gradient
extern "C" XLA_FFI_Error* croton_shares(Frame* frame) {
  return called(frame, [=] {
    const Array x = argument(frame, 0), g = argument(frame, 1), d = result(frame, 0);
    const Index rows = x.dims[x.rank - 2], wide = x.dims[x.rank - 1], size = rows * wide;
    each_image(frame, x, [&](Index i, float* room) {
      shares(x.at + i * size, g.at + i * size / 4, rows, wide, room, d.at + i * size);
    });
  });
}

// --- rows ---

// (array, int32 numbers of rows) -> these rows; a number that is none of the array's stands for the nearest, as in XLA
extern "C" XLA_FFI_Error* croton_rows(Frame* frame) {
  return called(frame, [=] {
    Array from = argument(frame, 0), which = argument(frame, 1), to = result(frame, 0);
    const auto* rows = reinterpret_cast<const int32_t*>(which.at);
    Index each = which.size ? to.size / which.size : 0, count = min(which.size, pieces(frame, 16.0 * to.size));
    auto row = [&](Index i) { return from.at + max(0, min(rows[min(i, which.size - 1)], from.dims[0] - 1)) * each; };
    shared(frame, count, [&](Index piece) {
      for (Index i = piece * which.size / count; i < (piece + 1) * which.size / count; i++) {
        // They lie anywhere: let memory begin to bring the one after the next.
        for (Index j = 0; j < min(each, 1024); j += 16) __builtin_prefetch(row(i + 2) + j);
        memcpy(to.at + i * each, row(i), each * sizeof(float));
      }
    });
  });
}

// --- sums ---

namespace {

// to[j] = the sum of row[j] over some rows of n numbers. The last columns are taken together with some that were before.
void added(const float* from, Index rows, Index n, float* to) {
  Index j = 0;
  for (; n >= 8 && j < n; j += 8) {
    if (j + 8 > n) j = n - 8;
    Eight sum[4] = {};
    Index i = 0;
    for (; i + 4 <= rows; i += 4)
      for (Index k = 0; k < 4; k++) sum[k] += *(const Eight*)(from + (i + k) * n + j);
    for (; i < rows; i++) sum[0] += *(const Eight*)(from + i * n + j);
    *(Eight*)(to + j) = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
  for (; j < n; j++) {
    to[j] = 0;
    for (Index i = 0; i < rows; i++) to[j] += from[i * n + j];
  }
}

}  // namespace

// array -> the sums over all axes but the last: those of 32 rows at a time, added up in double precision for eight parts of
// the rows at most, and their sum
extern "C" XLA_FFI_Error* croton_sums(Frame* frame) {
  return called(frame, [=] {
    Array from = argument(frame, 0), to = result(frame, 0);
    const Index n = to.size, rows = n ? from.size / n : 0, count = max(1, min(rows / 32, 8));
    std::vector<double> sums(count * n);
    std::vector<float> some(count * n);
    shared(frame, count, [&](Index piece) {
      double* all = sums.data() + piece * n;
      float* sum = some.data() + piece * n;
      for (Index i = piece * rows / count, last = (piece + 1) * rows / count; i < last;) {
        const Index next = min(last, i + 32);
        added(from.at + i * n, next - i, n, sum);
        for (Index j = 0; j < n; j++) all[j] += sum[j];
        i = next;
      }
    });
    for (Index j = 0; j < n; j++) {
      for (Index piece = 1; piece < count; piece++) sums[j] += sums[piece * n + j];
      to.at[j] = float(sums[j]);
    }
  });
}

// --- elementwise loops ---

namespace {

// A loop is a function of its own library: of a count, the arrays (arguments, then results), and scalars.
using Loop = void (*)(Index, float* const*, const float*);

// The functions that were added, each with the two numbers of its name; none is ever taken away.
struct Named {
  int32_t name, more;
  void* loop;
  Named* next;
};
std::atomic<Named*> loops{nullptr};

void* loop_named(const int32_t* name) {
  for (Named* known = loops.load(); known; known = known->next)
    if (known->name == name[0] && known->more == name[1]) return known->loop;
  throw "there is no such loop";
}

// The numbers of an array that a thread takes through a loop at a time, where a part of a product waits for them; and
// how many arrays a loop has at most, as in fuse.py.
constexpr Index SOME = 8192, MOST = 64;

}  // namespace

// By one thread at a time.
extern "C" void croton_add_loop(int32_t name, int32_t more, void* loop) {
  loops = new Named{name, more, loop, loops};
}

// (arrays of one shape, scalars) -> arrays. The code has the two numbers of the loop's name; of how many products the
// first argument is the sum, whose factors stand there; and whether each of these is turned. The sum is made some rows at
// a time, and is never written to memory.
extern "C" XLA_FFI_Error* croton_fused(Frame* frame) {
  return called(frame, [=] {
    const int32_t* given = code(frame).at;
    auto loop = reinterpret_cast<Loop>(loop_named(given));
    const Index products = given[2];
    std::vector<float*> arrays;
    std::vector<float> numbers;
    if (products) arrays.push_back(nullptr);
    for (Index i = 2 * products; i < frame->args.size; i++) {
      Array a = argument(frame, i);
      if (a.rank > 0)
        arrays.push_back(a.at);
      else
        numbers.push_back(*a.at);
    }
    for (Index i = 0; i < frame->rets.size; i++) arrays.push_back(result(frame, i).at);
    const Array to = result(frame, 0);
    auto run = [&](Index first, Index last, float* instead) {
      float* here[MOST];
      for (size_t i = 0; i < arrays.size(); i++) here[i] = i || !products ? arrays[i] + first : instead;
      loop(last - first, here, numbers.data());
    };
    if (!products) {
      Index count = pieces(frame, 8.0 * to.size);
      return shared(frame, count, [&](Index i) { run(i * to.size / count, (i + 1) * to.size / count, nullptr); });
    }
    struct Factors {
      Left left;
      Right right;
      Index deep, before;  // terms: its own, and those of the products before
    };
    std::vector<Factors> all;
    Index terms = 0;
    for (Index i = 0; i < products; i++) {
      const Array a = argument(frame, 2 * i), b = argument(frame, 2 * i + 1);
      const bool first = given[3 + 2 * i], second = given[4 + 2 * i];
      all.push_back({{a.at, a.dims[1], first}, {b.at, b.dims[1], second}, a.dims[first ? 0 : 1], terms});
      terms += all.back().deep;
    }
    const Index m = to.dims[0], n = to.dims[1], wide = (n + WIDE - 1) / WIDE * WIDE;
    const Index some = max(1, SOME / n / ROWS) * ROWS, step = terms == 1 ? 1 : some, steps = (m + step - 1) / step;
    const Index count = min(steps, terms == 1 ? ROW_PARTS : pieces(frame, double(to.size) * (terms + 8)));
    shared_with_room(frame, count, terms * wide + some * n, [&](Index piece, float* parts) {
      float* rows = parts + terms * wide;
      for (const Factors& f : all)
        for (Index j = 0; terms > 1 && j < n; j += WIDE)
          gather(f.right, 0, f.deep, j, min(WIDE, n - j), parts + f.before * wide + j * f.deep);
      const Index end = min(m, (piece + 1) * steps / count * step);
      for (Index row = piece * steps / count * step, last; row < end; row = last) {
        last = min(end, row + some);
        for (Index i = row; terms == 1 && i < last; i++) {
          const float one = all[0].left.at[i], *others = all[0].right.at;
          float* __restrict to = rows + (i - row) * n;
          for (Index j = 0; j < n; j++) to[j] = one * others[j];
        }
        for (Index j = 0; terms > 1 && j < n; j += WIDE)
          for (const Factors& f : all) {
            Part part{parts + f.before * wide + j * f.deep};
            tiles(f.left, row, last - row, 0, f.deep, part, rows + j, n, min(WIDE, n - j), f.before > 0);
          }
        run(row * n, last * n, rows);
      }
    });
  });
}

// --- what is computed for each example ---

namespace {

// c, rows x n, is set to or increased by a product whose right factor was laid out as parts for tiles.
void multiplied(const float* a, Index lda, bool turned, const float* parts, float* c, Index ldc, Index rows, Index deep,
                Index n, bool add) {
  for (Index j = 0; j < n; j += WIDE)
    for (Index k = 0; k < deep; k += MUCH) {
      Index now = min(MUCH, deep - k);
      tiles({a, lda, turned}, 0, rows, k, now, {parts + j * deep + k * WIDE}, c + j, ldc, min(WIDE, n - j), add || k > 0);
    }
}

// A function of its own library (each.py): of the first and the last of its examples, and how many there are in all; the
// arrays; room; what it sums up; how rows are exchanged with columns; and the product. Or of -1 and how many parts there
// were, when what they have summed up is to be brought together. It tells how many examples it takes at a time.
using Each = Index (*)(Index, Index, Index, void* const*, float*, double*, decltype(&turned_in), decltype(&turned_out),
                       decltype(&multiplied));

}  // namespace

// The code has the two numbers of the function's name; how many examples; how many numbers of room a thread needs; how
// many are summed up; and in how many parts the examples are taken.
extern "C" XLA_FFI_Error* croton_each(Frame* frame) {
  return called(frame, [=] {
    const int32_t* given = code(frame).at;
    auto each = reinterpret_cast<Each>(loop_named(given));
    // Another compiler may know another processor.
    if (each(0, 0, 0, nullptr, nullptr, nullptr, turned_in, turned_out, multiplied) != WIDE) throw "other registers";
    const Index all = given[2], size = given[3], summed = given[4], blocks = (all + WIDE - 1) / WIDE;
    const Index count = max(1, min(given[5], blocks));
    std::vector<void*> at;
    for (Index i = 0; i < frame->args.size; i++) at.push_back(argument(frame, i).at);
    for (Index i = 0; i < frame->rets.size; i++) at.push_back(result(frame, i).at);
    std::vector<double> sums(count * summed);
    shared_with_room(frame, count, size + LANES, [&](Index piece, float* room) {
      room += -(reinterpret_cast<uintptr_t>(room) / sizeof(float)) % LANES;
      Index first = piece * blocks / count * WIDE, last = min(all, (piece + 1) * blocks / count * WIDE);
      double* sum = sums.data() + piece * summed;
      each(first, last, all, at.data(), room, sum, turned_in, turned_out, multiplied);
    });
    if (summed) each(-1, count, all, at.data(), nullptr, sums.data(), turned_in, turned_out, multiplied);
  });
}

// --- recurrent loops ---

namespace {

// A loop is a function of its own library (loops.py): of the first and the last of its examples, how many there are in
// all, and steps; the arrays and their lengths; right factors laid out as parts for tiles; room; and the product.
using Steps = void (*)(Index, Index, Index, Index, void* const*, const Index*, const float* const*, float*,
                       decltype(&multiplied));

}  // namespace

// The code has the two numbers of the loop's name; how many examples and steps; the room that an example needs, and its
// multiplications in a step; how many right factors; and for each which argument it is, and whether it is turned.
extern "C" XLA_FFI_Error* croton_scan(Frame* frame) {
  return called(frame, [=] {
    const int32_t* given = code(frame).at;
    auto loop = reinterpret_cast<Steps>(loop_named(given));
    const Index rows = given[2], steps = given[3], each = given[4], work = given[5], factors = given[6];
    std::vector<void*> at;
    std::vector<Index> lengths;
    for (Index i = 0; i < frame->args.size + frame->rets.size; i++) {
      Array a = i < frame->args.size ? argument(frame, i) : result(frame, i - frame->args.size);
      at.push_back(a.at);
      lengths.push_back(a.rank ? a.dims[0] : 1);
    }
    struct Factor {
      Right right;
      Index deep, n, begin;
    };
    std::vector<Factor> all;
    Index size = 0;
    for (Index i = 0; i < factors; i++) {
      const int32_t* which = given + 7 + 2 * i;
      Array b = argument(frame, which[0]);
      bool turned = which[1] != 0;
      all.push_back({{b.at, b.dims[1], turned}, b.dims[turned ? 1 : 0], b.dims[turned ? 0 : 1], size});
      size += all.back().deep * ((all.back().n + WIDE - 1) / WIDE * WIDE);
    }
    float* const memory = kept(size + rows * each);
    if (!memory) throw std::bad_alloc();
    std::vector<const float*> parts;
    for (const Factor& f : all) {
      parts.push_back(memory + f.begin);
      Index count = (f.n + WIDE - 1) / WIDE, some = min(count, pieces(frame, 4.0 * f.deep * f.n));
      shared(frame, some, [&](Index piece) {
        for (Index j = piece * count / some; j < (piece + 1) * count / some; j++)
          gather(f.right, 0, f.deep, j * WIDE, min(WIDE, f.n - j * WIDE), memory + f.begin + j * f.deep * WIDE);
      });
    }
    const double all_work = double(rows) * steps * (work + 8 * each);
    const Index count = max(1, min(min(threads(frame), rows), all_work / 100000));
    shared(frame, count, [&](Index piece) {
      Index first = piece * rows / count, last = (piece + 1) * rows / count;
      loop(first, last, rows, steps, at.data(), lengths.data(), parts.data(), memory + size + first * each, multiplied);
    });
  });
}
