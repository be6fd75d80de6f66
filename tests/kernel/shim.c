/* What CUDA has and C has not. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define __device__
#define __global__
typedef struct { unsigned x, y, z, w; } uint4;
static struct { unsigned x, y, z; } blockIdx, blockDim, threadIdx;

