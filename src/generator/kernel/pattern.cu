/* The image's bytes, made by a GPU: what src/generator/pattern.rs defines, said again in C. Tests compare the two byte for byte,
 * with this file compiled as C and with the PTX that tools/ptx.py made of it (pattern.ptx).
 *
 * Rules that make this possible: the common part of C and CUDA; integers alone; no tables in memory, no switch statements. */

#ifdef __CUDACC__
#define ENTRY extern "C" __global__
#else
#define ENTRY
#endif

typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

/* src/generator/params.rs, field by field: 64 bytes. */
typedef struct {
    u32 width, height, stride, bytes_per_pixel, top_down, kind, color1, color2, cell, line;
    u64 seed, step;
    i32 centre_x, centre_y;
} Params;

#define HEADER_BYTES 54

__device__ static u32 grey(u32 level) { return level * 0x010101u; }

__device__ static i64 from_centre(u32 at, u32 side) { return 2 * (i64)at + 1 - (i64)side; }

__device__ static u32 gradient_channel(u32 from, u32 to, u32 at, u32 last) {
    return ((from & 255) * (last - at) + (to & 255) * at + last / 2) / last;
}

__device__ static u32 gradient(const Params *p, u32 at, u32 last) {
    if (last == 0) return p->color1;
    return gradient_channel(p->color1 >> 16, p->color2 >> 16, at, last) << 16 |
           gradient_channel(p->color1 >> 8, p->color2 >> 8, at, last) << 8 |
           gradient_channel(p->color1, p->color2, at, last);
}

__device__ static u32 checkerboard(const Params *p, u32 x, u32 y) {
    return ((x / p->cell + y / p->cell) & 1) == 0 ? p->color1 : p->color2;
}

__device__ static u32 grid(const Params *p, u32 x, u32 y) {
    return x % p->cell < p->line || y % p->cell < p->line ? p->color1 : p->color2;
}

/* src/generator/pattern/bars.rs */
__device__ static u32 three_quarters(u32 digits, u32 index) {
    u32 digit = digits >> (4 * index);
    return (digit >> 2 & 1) * 0xbf0000u | (digit >> 1 & 1) * 0xbf00u | (digit & 1) * 0xbfu;
}

__device__ static u32 ebu(const Params *p, u32 x) {
    u32 bar = x * 8 / p->width;
    return bar == 0 ? 0xffffffu : three_quarters(0x01452367u, bar);
}

__device__ static u32 smpte(const Params *p, u32 x, u32 y) {
    u32 twelfth = y * 12 / p->height, bar = x * 7 / p->width, place = x * 84 / p->width;
    if (twelfth < 8) return three_quarters(0x01452367u, bar);
    if (twelfth < 9) return three_quarters(0x07030501u, bar);
    if (place < 15) return 0x003f69u;
    if (place < 30) return 0xffffffu;
    if (place < 45) return 0x410077u;
    return place >= 68 && place < 72 ? 0x0a0a0au : 0;
}

/* src/generator/pattern/rings.rs */
__device__ static u32 cosine_level(u32 phase) {
    i32 from_half = (i32)phase - 2048, s, s2, inner, sine;
    if (from_half < 0) from_half = -from_half;
    s = (from_half - 1024) * 32;
    s2 = s * s >> 15;
    inner = 21024 - (2320 * s2 >> 15);
    sine = s * (51472 - (s2 * inner >> 15)) >> 15;
    return (u32)(((sine + 32768) * 255 + 32768) >> 16);
}

__device__ static u32 zoneplate(const Params *p, u32 x, u32 y) {
    i64 dx = from_centre(x, p->width), dy = from_centre(y, p->height);
    return grey(cosine_level((u32)(p->step * (u64)(dx * dx + dy * dy) >> 52)));
}

#define TURN(step, angle)                      \
    below = y >> 31;                           \
    along = x >> step;                         \
    across = y >> step;                        \
    x += (across ^ below) - below;             \
    y -= (along ^ below) - below;              \
    turned += (angle##u ^ (u32)below) - (u32)below;

__device__ static u32 direction(i32 dx, i32 dy) {
    i32 x = dx * 8192, y = dy * 8192, below, along, across;
    u32 turned = 0;
    if (x < 0) {
        x = -x;
        y = -y;
        turned = 0x80000000u;
    }
    TURN(0, 536870912)
    TURN(1, 316933406)
    TURN(2, 167458907)
    TURN(3, 85004756)
    TURN(4, 42667331)
    TURN(5, 21354465)
    TURN(6, 10679838)
    TURN(7, 5340245)
    TURN(8, 2670163)
    TURN(9, 1335087)
    TURN(10, 667544)
    TURN(11, 333772)
    TURN(12, 166886)
    TURN(13, 83443)
    TURN(14, 41722)
    TURN(15, 20861)
    TURN(16, 10430)
    TURN(17, 5215)
    TURN(18, 2608)
    TURN(19, 1304)
    return turned;
}

__device__ static u32 siemens(const Params *p, u32 x, u32 y) {
    u32 turned = direction((i32)from_centre(x, p->width), (i32)from_centre(y, p->height));
    u32 is_dark = (u32)((u64)turned * (u64)(2 * p->cell) >> 32) & 1;
    return grey(255 * (1 - is_dark));
}

/* src/generator/pattern/noise.rs */
__device__ static u32 mixed(u32 value) {
    value = (value ^ value >> 16) * 0x7feb352du;
    value = (value ^ value >> 15) * 0x846ca68bu;
    return value ^ value >> 16;
}

__device__ static u32 lattice(u32 seed, u32 column, u32 row) { return mixed(column ^ mixed(row ^ seed)) >> 16; }

__device__ static u32 weight(u32 at, u32 cell) {
    u32 t = (at << 16) / cell, squared = t * t >> 16;
    return (u32)((u64)squared * (u64)(3 * 65536 - 2 * t) >> 16);
}

__device__ static u32 between(u32 first, u32 second, u32 weight) {
    return (first * (65536 - weight) + second * weight) >> 16;
}

__device__ static u32 noise(const Params *p, u32 x, u32 y) {
    u32 seed = mixed((u32)p->seed ^ mixed((u32)(p->seed >> 32) ^ 0x9e3779b9u));
    u32 column = x / p->cell, row = y / p->cell;
    u32 down = weight(y - row * p->cell, p->cell), right = weight(x - column * p->cell, p->cell);
    u32 first = between(lattice(seed, column, row), lattice(seed, column, row + 1), down);
    u32 second = between(lattice(seed, column + 1, row), lattice(seed, column + 1, row + 1), down);
    return grey(between(first, second, right) >> 8);
}

/* src/generator/pattern/philox.rs */
__device__ static u32 random_color(const Params *p, u32 x, u32 y) {
    u32 a = x / 4, b = y, c = 0, d = 0, k0 = (u32)p->seed, k1 = (u32)(p->seed >> 32), round, a2, c2;
    u64 first, second;
    for (round = 0; round < 10; round++) {
        first = (u64)a * 0xd2511f53u;
        second = (u64)c * 0xcd9e8d57u;
        a2 = (u32)(second >> 32) ^ b ^ k0;
        c2 = (u32)(first >> 32) ^ d ^ k1;
        b = (u32)second;
        d = (u32)first;
        a = a2;
        c = c2;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return ((x & 2) == 0 ? (x & 1) == 0 ? a : b : (x & 1) == 0 ? c : d) & 0xffffffu;
}

/* src/generator/pattern/mandelbrot.rs */
__device__ static u32 wave(u32 value) { return (value & 256) == 0 ? value & 255 : 255 - (value & 255); }

__device__ static i32 is_in_main_body(i64 x, i64 y) {
    i64 from_quarter = x - (1 << 26), from_minus_one = x + (1 << 28), y2 = y * y >> 28;
    i64 q = (from_quarter * from_quarter >> 28) + y2, disc = (from_minus_one * from_minus_one >> 28) + y2;
    return disc < 1 << 24 || (q < 1 << 28 && q * (q + from_quarter) >> 28 < y2 >> 2);
}

__device__ static u32 mandelbrot(const Params *p, u32 x, u32 y) {
    i64 at_x = p->centre_x + (from_centre(x, p->width) * (i64)p->step >> 17);
    i64 at_y = p->centre_y - (from_centre(y, p->height) * (i64)p->step >> 17);
    i64 real = 0, imaginary = 0, real2, imaginary2;
    u32 step;
    if (is_in_main_body(at_x, at_y)) return 0;
    for (step = 0; step < 255; step++) {
        real2 = real * real >> 28;
        imaginary2 = imaginary * imaginary >> 28;
        if (real2 + imaginary2 > (i64)4 << 28) break;
        imaginary = (real * imaginary >> 27) + at_y;
        real = real2 - imaginary2 + at_x;
    }
    return step == 255 ? 0 : wave(step * 5) << 16 | wave(step * 9) << 8 | wave(64 + step * 15);
}

/* The numbers of src/generator/params.rs. */
__device__ static u32 pixel(const Params *p, u32 x, u32 y) {
    if (p->kind == 1) return gradient(p, x, p->width - 1);
    if (p->kind == 2) return gradient(p, y, p->height - 1);
    if (p->kind == 3) return checkerboard(p, x, y);
    if (p->kind == 4) return grid(p, x, y);
    if (p->kind == 5) return smpte(p, x, y);
    if (p->kind == 6) return ebu(p, x);
    if (p->kind == 7) return zoneplate(p, x, y);
    if (p->kind == 8) return siemens(p, x, y);
    if (p->kind == 9) return noise(p, x, y);
    if (p->kind == 10) return random_color(p, x, y);
    if (p->kind == 11) return mandelbrot(p, x, y);
    return p->color1;
}

/* `n16` times 16 bytes of the file from `file_off` on, one thread each. The header's bytes and what lies behind the file's end
 * become zero. */
ENTRY void bmp_part(uint4 *out, u64 n16, u64 file_off, Params P) {
    const Params *p = &P;
    u64 index = (u64)blockIdx.x * blockDim.x + threadIdx.x, offset = file_off + index * 16, low = 0, high = 0, color;
    u32 row_bytes = P.width * P.bytes_per_pixel, row = 0, x = 0, column;
    /* Where in the 16 bytes the pixel begins; it may have begun before them. */
    i32 begin = 0;
    uint4 bytes;
    if (index >= n16) return;
    if (offset < HEADER_BYTES) {
        begin = HEADER_BYTES - offset >= 16 ? 16 : (i32)(HEADER_BYTES - offset);
    } else {
        u64 behind = offset - HEADER_BYTES, rows = behind / P.stride;
        column = (u32)(behind - rows * P.stride);
        row = rows > P.height ? P.height : (u32)rows;
        if (column < row_bytes) {
            x = column / P.bytes_per_pixel;
            begin = -(i32)(column - x * P.bytes_per_pixel);
        } else {
            x = P.width;
            begin = -(i32)(column - row_bytes);
        }
    }
    /* Unrolled it would be a dozen times as long, and no faster. */
#ifdef __CUDACC__
#pragma unroll 1
#endif
    while (begin < 16 && row < P.height) {
        if (x < P.width) {
            color = pixel(p, x, P.top_down ? row : P.height - 1 - row);
            if (P.bytes_per_pixel == 4) color |= 0xff000000u;
            if (begin < 0) {
                low |= color >> (-8 * begin);
            } else if (begin < 8) {
                low |= color << (8 * begin);
                if (begin > 4) high |= color >> (64 - 8 * begin);
            } else {
                high |= color << (8 * begin - 64);
            }
            begin += (i32)P.bytes_per_pixel;
            x++;
        } else {
            begin += (i32)(P.stride - row_bytes);
            x = 0;
            row++;
        }
    }
    bytes.x = (u32)low;
    bytes.y = (u32)(low >> 32);
    bytes.z = (u32)high;
    bytes.w = (u32)(high >> 32);
    out[index] = bytes;
}
