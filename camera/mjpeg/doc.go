// Package mjpeg makes whole JPEG pictures of what V4L2 cameras deliver.
//
// [Repair] takes a Motion-JPEG frame. Cameras may leave the Huffman tables out
// of it (the USB Video Class, Payload MJPEG, and the AVI format before it take
// the typical ones of ITU-T T.81 as given) and drivers may hand over frames that were cut
// short or lost a part on the bus. Repair puts the tables in, trims what follows
// the picture, and refuses what would not show as a whole picture. It never
// decodes to pixels and never encodes anew.
//
// [Encoder] takes packed YUYV rows and writes a baseline JPEG in 4:2:2, the
// resolution the camera sent the colours in. It runs on one core, keeps its
// buffers, and uses 32-bit arithmetic only, so that it stays quick on ARMv6.
//
// The sections named in the comments are those of ITU-T T.81 (09/92), which is
// ISO/IEC 10918-1.
package mjpeg
