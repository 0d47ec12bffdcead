// Package webp decodes still WebP pictures, lossy and lossless, with and without
// alpha, as dwebp shows them.
//
// It exists beside golang.org/x/image/webp because that takes the samples of
// lossy pictures for full-range ones (black shows as grey), takes more memory
// than a picture has pixels for when a small file asks for it, and cannot be
// stopped. [ParseHeader] looks at the chunk that holds the picture, whatever the
// container around it claims; [Decode] stops soon after its context ends.
//
// The sections named in the comments are those of RFC 9649 (the container and the
// lossless format) and RFC 6386 (VP8).
package webp
