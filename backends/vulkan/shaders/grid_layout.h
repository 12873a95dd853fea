// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Where each codebook lies in the `grids` buffer, in words of 32 bits, as C++ and the shaders both read it.
// An entry of eight bytes takes two words, the first four values in the first.
#ifndef LOADER_VULKAN_GRID_LAYOUT_H
#define LOADER_VULKAN_GRID_LAYOUT_H

#define LOADER_GRID_IQ2_XXS 0u     // 256 entries of two words
#define LOADER_GRID_IQ2_XS 512u    // 512 of two
#define LOADER_GRID_IQ2_S 1536u    // 1024 of two
#define LOADER_GRID_IQ3_XXS 3584u  // 256 of one
#define LOADER_GRID_IQ3_S 3840u    // 512 of one
#define LOADER_GRID_IQ1 4352u      // 2048 of two, signed bytes
#define LOADER_GRID_WORDS 8448u

#endif
