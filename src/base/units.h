/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities with units, as the lab file writes them. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* Room for a number as decimal text, with its end. */
#define NP_UINT_TEXT 21
/* Writes it into `text` and returns where it begins. printf is most of what a plan of many nodes would cost. */
const char *np_uint_text(guint64 number, char text[NP_UINT_TEXT]);

/* "512MiB", "8 GiB", "1TiB", "20GB" (10^9) to bytes. A unit is required. Returns false with a reason in *why (static). */
bool np_size_parse(const char *text, guint64 *ret_bytes, const char **why);
/* Shortest exact spelling with a binary unit: "8GiB", "1536MiB", else "…B". Caller frees. */
char *np_size_format(guint64 bytes);
/* The same without an allocation: writes it into `text` and returns that. */
#define NP_SIZE_TEXT (NP_UINT_TEXT + 3)
const char *np_size_text(guint64 bytes, char text[NP_SIZE_TEXT]);
/* The next multiple of `whole`; one that no 64 bits hold stays as it is. */
guint64 np_size_up(guint64 bytes, guint64 whole);
/* For people: "812 MiB", "7.9 GiB". Caller frees. */
char *np_size_human(guint64 bytes);

/* "90s", "10m", "1h30m", "500ms" to milliseconds. A unit is required. */
bool np_duration_parse(const char *text, guint64 *ret_ms, const char **why);
/* "10m", "1h30m". Caller frees. */
char *np_duration_format(guint64 ms);
