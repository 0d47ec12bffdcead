// Package mjpeg makes whole JPEG pictures of what V4L2 cameras deliver.
//
// [Repair] takes a Motion-JPEG frame. Cameras may leave the Huffman tables out
// of it (the USB Video Class, Payload MJPEG, and the AVI format before it take
// the typical ones of ITU-T T.81 as given) and drivers may hand over frames that were cut
// short or lost a part on the bus. Repair puts the tables in, adds an end marker
// that is missing, trims what follows the picture, and refuses what would not show
// as a whole picture. It never decodes to pixels and never encodes anew. A
// [Repairer] also knows the habits of one camera.
//
// [Encoder] takes raw rows and writes a baseline JPEG with the samples that the camera sent,
// none added and none dropped: YUYV and UYVY in 4:2:2, YU12 and NV12 in 4:2:0, GREY with one
// component. It runs on one core, keeps its buffers, and uses 32-bit arithmetic only, so that it
// stays quick on ARMv6.
//
// Markers, the frame header and the standard tables are those of package picture/jpeg.
//
// The sections named in the comments are those of ITU-T T.81 (09/92), which is
// ISO/IEC 10918-1.
package mjpeg
