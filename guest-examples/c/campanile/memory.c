// Memory for an instance that lives for one call: handed out in a line, and gone with the instance.
//
// It stands in for libc's `malloc`, which asks for more memory instead of using what is there from the start.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAGE ((size_t)65536)

// What stands before each block; as large as the strictest alignment, so that blocks are aligned too.
typedef struct {
  _Alignas(max_align_t) size_t size;
} header;

// Set by the linker: the first address after the module's data and stack.
extern uint8_t __heap_base;

// First free address; 0 before the first block.
static size_t next;

static size_t aligned(size_t size) {
  return (size + sizeof(header) - 1) / sizeof(header) * sizeof(header);
}

// Makes the memory reach `end`. False: the engine refused.
static bool reach(size_t end) {
  size_t have = __builtin_wasm_memory_size(0) * PAGE;
  if (end <= have) {
    return true;
  }
  // An eighth more than asked, so that a text that grows step by step asks rarely.
  size_t missing = (end - have + PAGE - 1) / PAGE;
  return __builtin_wasm_memory_grow(0, missing + missing / 8) != SIZE_MAX ||
         __builtin_wasm_memory_grow(0, missing) != SIZE_MAX;
}

// Lays a block of `size` bytes at `start`, where its header goes.
static void *lay(size_t start, size_t size) {
  // No memory is half as large as all addresses: larger sizes are refused before they overflow.
  if (size > SIZE_MAX / 2 || start > SIZE_MAX / 2 - sizeof(header) || !reach(start + sizeof(header) + aligned(size))) {
    return NULL;
  }
  header *block = (header *)start;
  block->size = size;
  next = start + sizeof(header) + aligned(size);
  return block + 1;
}

static bool is_newest(const header *block) {
  return (size_t)(block + 1) + aligned(block->size) == next;
}

void *malloc(size_t size) {
  return lay(next == 0 ? aligned((size_t)&__heap_base) : next, size);
}

void free(void *data) {
  if (data == NULL) {
    return;
  }
  header *block = (header *)data - 1;
  if (is_newest(block)) {
    next = (size_t)block;
  }
}

void *realloc(void *data, size_t size) {
  if (data == NULL) {
    return malloc(size);
  }
  header *block = (header *)data - 1;
  if (is_newest(block)) {
    return lay((size_t)block, size);
  }
  if (size <= block->size) {
    return data;
  }
  void *moved = malloc(size);
  if (moved != NULL) {
    memcpy(moved, data, block->size);
  }
  return moved;
}
