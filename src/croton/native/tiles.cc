// The tiles that products are made of, for each number of rows that they may have.

#include "kernels.h"

// Keeps a vector in its register: else g++ has each multiplication that uses it read it from memory again.
#if defined(__AVX__)
#define HELD(vector) asm("" : "+v"(vector))
#else
#define HELD(vector)
#endif

namespace {

// Sets c to, or increases it by, so many numbers. The last eight are taken together, also where some come before.
APART void put(float* __restrict c, const float* __restrict from, Index count, bool add) {
  if (count < 8) {
    for (Index j = 0; j < count; j++) c[j] = add ? c[j] + from[j] : from[j];
    return;
  }
  Eight last = *(const Eight*)(from + count - 8);
  if (add) last += *(const Eight*)(c + count - 8);
  for (Index j = 0; j + 8 < count; j += 8) {
    Eight now = *(const Eight*)(from + j);
    Eight* to = (Eight*)(c + j);
    *to = add ? *to + now : now;
  }
  *(Eight*)(c + count - 8) = last;
}

// ``vectors``: 2, or 1 where a tile has no more than LANES columns.
template <int rows, int vectors, bool turned>
void tile(Index deep, const float* a, Index lda, Part b, float* c, Index ldc, Index wide, bool add) {
  Lanes sum[rows][vectors] = {};
  _Pragma("GCC unroll 4") for (Index k = 0; k < deep; k++) {
    Lanes right[vectors];
    UNROLLED for (int v = 0; v < vectors; v++) {
      right[v] = *(const Lanes*)(b.at + k * b.ld + v * LANES);
      HELD(right[v]);
    }
    UNROLLED for (int r = 0; r < rows; r++) {
      float x = turned ? a[k * lda + r] : a[r * lda + k];
      UNROLLED for (int v = 0; v < vectors; v++) sum[r][v] += x * right[v];
    }
  }
  UNROLLED for (int r = 0; r < rows; r++, c += ldc) {
    if (wide == vectors * LANES) {
      UNROLLED for (int v = 0; v < vectors; v++) {
        Lanes* to = (Lanes*)(c + v * LANES);
        *to = add ? *to + sum[r][v] : sum[r][v];
      }
    } else {
      put(c, (const float*)sum[r], wide, add);
    }
  }
}

template <int vectors, bool turned, int rows = ROWS>
void tile_of(Index now, Index deep, const float* a, Index lda, Part b, float* c, Index ldc, Index wide, bool add) {
  if (now == rows)
    tile<rows, vectors, turned>(deep, a, lda, b, c, ldc, wide, add);
  else if constexpr (rows > 1)
    tile_of<vectors, turned, rows - 1>(now, deep, a, lda, b, c, ldc, wide, add);
}

}  // namespace

template <int vectors, bool turned>
void croton::tiles_of(Index rows, Index deep, const float* a, Index lda, Part b, float* c, Index ldc, Index wide,
                    bool add) {
  // Of nearly equal height: a low tile takes as long as a high one.
  for (Index count = (rows + ROWS - 1) / ROWS, now; rows > 0; rows -= now, count--) {
    now = (rows + count - 1) / count;
    tile_of<vectors, turned>(now, deep, a, lda, b, c, ldc, wide, add);
    a += turned ? now : now * lda, c += now * ldc;
  }
}

template void croton::tiles_of<1, false>(Index, Index, const float*, Index, Part, float*, Index, Index, bool);
template void croton::tiles_of<1, true>(Index, Index, const float*, Index, Part, float*, Index, Index, bool);
template void croton::tiles_of<2, false>(Index, Index, const float*, Index, Part, float*, Index, Index, bool);
template void croton::tiles_of<2, true>(Index, Index, const float*, Index, Part, float*, Index, Index, bool);
