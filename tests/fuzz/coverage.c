/* Edges of the compiled modules, counted for libFuzzer.
 *
 * The modules are compiled with -fsanitize-coverage=trace-pc, which every C compiler of today has; each basic block then
 * calls the function below. Its return address, hashed, is the counter. libFuzzer is given the counters as if Clang had
 * made them.
 */
#include <stddef.h>
#include <stdint.h>

#define COUNTERS 65536

static uint8_t counters[COUNTERS];
static uintptr_t table[2 * COUNTERS];

typedef void (*register_counters)(uint8_t *, uint8_t *);
typedef void (*register_table)(const uintptr_t *, const uintptr_t *);

void __sanitizer_cov_trace_pc(void)
{
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    counters[((pc >> 2) * UINT64_C(0x9E3779B97F4A7C15)) >> 48]++;
}

void atlas_register(register_counters with_counters, register_table with_table)
{
    for (size_t i = 0; i < COUNTERS; i++)
        table[2 * i] = i + 1; /* a stand-in for the address of the block */
    with_counters(counters, counters + COUNTERS);
    with_table(table, table + 2 * COUNTERS);
}

uint8_t *atlas_counters(void)
{
    return counters;
}
