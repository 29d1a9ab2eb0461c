/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding UTF-8 strictly: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#include "base/utf8.h"

bool utf8_decode(const char *text, size_t len, size_t *ret_len, uint32_t *ret_code)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char lead = p[0];
	unsigned char low = 0x80, high = 0xbf;
	size_t want;
	uint32_t code;
	*ret_len = 1;
	if (lead < 0x80) {
		want = 1;
		code = lead;
	} else if (lead >= 0xc2 && lead <= 0xdf) {
		want = 2;
		code = lead & 0x1f;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		want = 3;
		code = lead & 0x0f;
		low = lead == 0xe0 ? 0xa0 : 0x80;
		high = lead == 0xed ? 0x9f : 0xbf;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		want = 4;
		code = lead & 0x07;
		low = lead == 0xf0 ? 0x90 : 0x80;
		high = lead == 0xf4 ? 0x8f : 0xbf;
	} else {
		return false;
	}
	for (size_t i = 1; i < want; i++) {
		if (i >= len || p[i] < low || p[i] > high)
			return false;
		code = code << 6 | (p[i] & 0x3f);
		*ret_len = i + 1;
		low = 0x80;
		high = 0xbf;
	}
	*ret_code = code;
	return true;
}

bool utf8_is_valid(const char *text, size_t len)
{
	size_t used;
	uint32_t code;
	for (size_t i = 0; i < len; i += used)
		if (!utf8_decode(text + i, len - i, &used, &code))
			return false;
	return true;
}
