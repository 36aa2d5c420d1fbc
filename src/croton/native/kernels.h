// What tiles.cc and kernels.cc have in common: they are compiled at the same time.

#include <cstdint>

// Written out, whatever the compiler thinks: what is indexed so lies in registers.
#define UNROLLED _Pragma("GCC unroll 16")
// Compiled once, not within each of its callers, which would take long.
#define APART __attribute__((noinline))

namespace croton __attribute__((visibility("hidden"))) {

using Index = int64_t;

// Other headers would take longer to read than these.
inline Index min(Index a, Index b) { return a < b ? a : b; }
inline Index max(Index a, Index b) { return a > b ? a : b; }

typedef float Eight __attribute__((vector_size(32), aligned(4), may_alias));

// A tile of a product is ROWS x WIDE, held in registers while it sums over up to DEEP terms. The right factor's part
// for it, DEEP x WIDE, is copied together beforehand and stays in the nearest cache for all rows. AVX-512 has twice the
// registers, each twice as wide.
#if defined(__AVX512F__)
constexpr Index LANES = 16, ROWS = 12, DEEP = 192;
#else
constexpr Index LANES = 8, ROWS = 6, DEEP = 256;
#endif
constexpr Index WIDE = 2 * LANES;
typedef float Lanes __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
// Where the right factor is laid out beforehand, a tile takes as many terms as stay in the nearest cache.
constexpr Index MUCH = 384;

struct Left {  // of a product; turned: element (i, k) lies at k * ld + i
  const float* at;
  Index ld;
  bool turned;
  const float* from(Index i, Index k) const { return at + (turned ? k * ld + i : i * ld + k); }
};

// A part of the right factor: as it was copied together, or as it lies.
struct Part {
  const float* at;
  Index ld = WIDE;
};

// A tile below the other: c, rows x wide, is set to or increased by so many terms; ``vectors``: 2, or 1 where it has no
// more than LANES columns.
template <int vectors, bool turned>
void tiles_of(Index rows, Index deep, const float* a, Index lda, Part b, float* c, Index ldc, Index wide, bool add);

// c, rows x wide, is set to or increased by rows i.. of the left factor, terms k.., times a part b of the right one.
inline void tiles(const Left& left, Index i, Index rows, Index k, Index deep, Part b, float* c, Index ldc, Index wide, bool add) {
  auto some = wide > LANES ? (left.turned ? tiles_of<2, true> : tiles_of<2, false>)
                           : (left.turned ? tiles_of<1, true> : tiles_of<1, false>);
  some(rows, deep, left.from(i, k), left.ld, b, c, ldc, wide, add);
}

}  // namespace croton

using namespace croton;
