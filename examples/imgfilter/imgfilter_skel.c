/* SPDX-License-Identifier: MIT */
/*
 * The DSP's side of imgfilter.idl. Sizes come from the caller three times over
 * (as numbers, as counts, as lengths of the memory) and must agree before a
 * pixel is touched.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <qda_skel.h>

enum {
	METHOD_OPEN = 0,
	METHOD_CLOSE = 1,
	METHOD_SOBEL = 2,
	METHOD_SOBEL_PGM = 3,
};

/* |gx| + |gy| with the kernels -1 0 1 / -2 0 2 / -1 0 1 and its transpose. */
static void sobel_rows(const uint8_t *in, uint8_t *out, size_t width, size_t height, int limit)
{
	memset(out, 0, width * height);
	for (size_t y = 1; y + 1 < height; y++) {
		const uint8_t *above = in + (y - 1) * width;
		const uint8_t *row = above + width;
		const uint8_t *below = row + width;

		for (size_t x = 1; x + 1 < width; x++) {
			int gx = above[x + 1] - above[x - 1] + 2 * (row[x + 1] - row[x - 1]) +
				 below[x + 1] - below[x - 1];
			int gy = below[x - 1] - above[x - 1] + 2 * (below[x] - above[x]) +
				 below[x + 1] - above[x + 1];
			int sum = abs(gx) + abs(gy);

			out[y * width + x] = (uint8_t)(sum < limit ? sum : limit);
		}
	}
}

/* primIn { u32 imageLen, width, height, edgesLen }, image; edges */
static AEEResult sobel(remote_arg *pra)
{
	uint32_t prim[4];

	if (pra[0].buf.nLen < sizeof(prim))
		return AEE_EBADPARM;
	memcpy(prim, pra[0].buf.pv, sizeof(prim));
	if (pra[1].buf.nLen != prim[0] || pra[2].buf.nLen != prim[3])
		return AEE_EBADPARM;
	if ((uint64_t)prim[1] * prim[2] != prim[0]) {
		FARF(ERROR, "sobel: %u bytes are no image of %u x %u pixels", prim[0], prim[1],
		     prim[2]);
		return AEE_EBADPARM;
	}
	if (prim[3] < prim[0])
		return AEE_EBUFFERTOOSMALL;
	/* An empty argument has no memory. */
	if (prim[0])
		sobel_rows(pra[1].buf.pv, pra[2].buf.pv, prim[1], prim[2], UINT8_MAX);
	return AEE_SUCCESS;
}

/* The bytes of a PGM header still to be read. */
struct reader {
	const uint8_t *next;
	const uint8_t *end;
};

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* White space and comments, at least one character of them, and a decimal number. */
static bool read_number(struct reader *reader, uint32_t limit, uint32_t *ret_number)
{
	const uint8_t *start = reader->next;
	uint32_t number = 0;
	bool comment = false;

	for (; reader->next < reader->end; reader->next++) {
		uint8_t c = *reader->next;

		if (c == '#')
			comment = true;
		else if (c == '\n' || c == '\r')
			comment = false;
		else if (!comment && !is_space(c))
			break;
	}
	if (reader->next == start)
		return false;

	start = reader->next;
	for (; reader->next < reader->end; reader->next++) {
		uint8_t c = *reader->next;

		if (c < '0' || c > '9')
			break;
		if (number > (limit - (c - '0')) / 10)
			return false;
		number = number * 10 + (c - '0');
	}
	*ret_number = number;
	return reader->next > start && number > 0;
}

/* Return: bytes of the header, or 0 if this is no 8-bit binary PGM of one whole image. */
static size_t pgm_header(const uint8_t *pgm, size_t length, uint32_t *ret_width,
			 uint32_t *ret_height, uint32_t *ret_maxval)
{
	struct reader reader;
	size_t header;

	if (length < 2 || memcmp(pgm, "P5", 2))
		return 0;
	reader = (struct reader){.next = pgm + 2, .end = pgm + length};
	if (!read_number(&reader, UINT32_MAX, ret_width) ||
	    !read_number(&reader, UINT32_MAX, ret_height) ||
	    !read_number(&reader, UINT8_MAX, ret_maxval))
		return 0;
	/* One white-space character ends the header. The next may be a pixel that looks like one.
	 */
	if (reader.next == reader.end || !is_space(*reader.next))
		return 0;
	header = (size_t)(reader.next + 1 - pgm);
	if ((uint64_t)*ret_width * *ret_height != length - header)
		return 0;
	return header;
}

/* primIn { u32 pgmLen, edgesLen }, pgm; edges */
static AEEResult sobel_pgm(remote_arg *pra)
{
	uint32_t prim[2], width, height, maxval;
	const uint8_t *pgm = pra[1].buf.pv;
	uint8_t *edges = pra[2].buf.pv;
	size_t header;

	if (pra[0].buf.nLen < sizeof(prim))
		return AEE_EBADPARM;
	memcpy(prim, pra[0].buf.pv, sizeof(prim));
	if (pra[1].buf.nLen != prim[0] || pra[2].buf.nLen != prim[1])
		return AEE_EBADPARM;
	header = pgm_header(pgm, prim[0], &width, &height, &maxval);
	if (!header) {
		FARF(ERROR, "sobel_pgm: %u bytes are no 8-bit binary PGM of one image", prim[0]);
		return AEE_EBADPARM;
	}
	if (prim[1] < prim[0])
		return AEE_EBUFFERTOOSMALL;
	memcpy(edges, pgm, header);
	sobel_rows(pgm + header, edges + header, width, height, (int)maxval);
	return AEE_SUCCESS;
}

QDA_SKEL_EXPORT AEEResult imgfilter_skel_handle_invoke(remote_handle64 h, uint32_t sc,
						       remote_arg *pra);

AEEResult imgfilter_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra)
{
	(void)h; /* the filter keeps nothing between calls */

	switch (sc) {
	case REMOTE_SCALARS_MAKEX(0, METHOD_OPEN, 2, 0, 0, 1):
		pra[2].h64 = 1;
		return AEE_SUCCESS;
	case REMOTE_SCALARS_MAKEX(0, METHOD_CLOSE, 0, 0, 1, 0):
		return AEE_SUCCESS;
	case REMOTE_SCALARS_MAKE(METHOD_SOBEL, 2, 1):
		return sobel(pra);
	case REMOTE_SCALARS_MAKE(METHOD_SOBEL_PGM, 2, 1):
		return sobel_pgm(pra);
	}
	/* A number this interface does not have, or the wrong number of arguments. */
	return REMOTE_SCALARS_METHOD(sc) > METHOD_SOBEL_PGM ? AEE_EUNSUPPORTED : AEE_EBADPARM;
}
