
/* Reads pieces that are wanted, runs the kernel as a GPU would (whole blocks of 256 threads), writes what it made. Ends with 3
 * where the kernel wrote beside its piece, and leaves bytes it did not write as 0xCC. */
int main(void) {
    struct { Params params; u64 offset, n16; } wanted;
    enum { GUARD = 64, BLOCK = 256 };
    while (fread(&wanted, sizeof wanted, 1, stdin) == 1) {
        size_t bytes = wanted.n16 * 16, at;
        unsigned blocks = (unsigned)((wanted.n16 + BLOCK - 1) / BLOCK);
        unsigned char *memory = aligned_alloc(16, bytes + 2 * GUARD);
        if (memory == NULL || sizeof wanted != 80) return 2;
        memset(memory, 0xcc, bytes + 2 * GUARD);
        blockDim.x = BLOCK;
        for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)
            for (threadIdx.x = 0; threadIdx.x < BLOCK; threadIdx.x++)
                bmp_part((uint4 *)(memory + GUARD), wanted.n16, wanted.offset, wanted.params);
        for (at = 0; at < GUARD; at++)
            if (memory[at] != 0xcc || memory[GUARD + bytes + at] != 0xcc) return 3;
        if (fwrite(memory + GUARD, 1, bytes, stdout) != bytes) return 4;
        free(memory);
    }
    return 0;
}
