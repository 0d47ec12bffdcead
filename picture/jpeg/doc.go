// Package jpeg decodes JPEG pictures as libjpeg-turbo shows them, and gives
// others the parts of the format that they need: its markers, its frame header
// and its standard tables.
//
//	img, err := jpeg.Decode(ctx, data)
//
// [Decode] takes baseline, extended sequential and progressive pictures of 8
// bits, in one scan or several, with restart markers or without, with each
// sampling factor from 1 to 4, and in grey, Y'CbCr, RGB, CMYK and YCCK. Huffman
// tables that are missing are the typical ones of annex K.3, as in Motion JPEG.
// A missing end marker and stray bytes before a marker are passed over. Data
// that end before the last block are refused, because half a picture is worse
// than the one before it.
//
// Compared with image/jpeg it reads more of what cameras write, needs half the
// memory for progressive pictures, is quicker, and stops soon after its context
// ends.
//
// The sections named in the comments are those of ITU-T T.81 (09/92), which is
// ISO/IEC 10918-1. Adobe's marker is that of ITU-T T.872 §6.5.3.
package jpeg
