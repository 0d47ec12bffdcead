// Package exif reads the one thing of a picture's Exif data that a screen needs:
// which way up it wants to be seen.
package exif

import (
	"bytes"
	"encoding/binary"
)

// Orientation reads tag 0x0112 of the first directory of a TIFF structure (JEITA
// CP-3451 §4.6.2 and §4.6.4), of which all the kinds of picture files carry one:
// JPEG in an APP1 segment, PNG in an eXIf chunk, WebP in an EXIF chunk. It returns
// 1 to 8, and 1, the usual way up, for anything that is missing or broken.
//
// The standard has the value as a SHORT; some programs write a BYTE or a LONG.
func Orientation(tiff []byte) int {
	// JPEG's prefix, which some programs leave before the structure elsewhere, too.
	tiff = bytes.TrimPrefix(tiff, []byte("Exif\x00\x00"))
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := order.Uint32(tiff[4:])
	if uint64(at)+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at:]
	count := int(order.Uint16(entries))
	entries = entries[2:]
	const (
		entrySize = 12
		tag       = 0x0112
	)
	for ; count > 0 && len(entries) >= entrySize; count-- {
		e := entries[:entrySize]
		entries = entries[entrySize:]
		if order.Uint16(e) == tag {
			return value(e, order)
		}
	}
	return 1
}

// value reads a directory entry's one value (TIFF 6.0 §2: types 1, 3 and 4).
func value(e []byte, order binary.ByteOrder) int {
	var v uint32
	switch order.Uint16(e[2:]) {
	case 1: // BYTE
		v = uint32(e[8])
	case 3: // SHORT
		v = uint32(order.Uint16(e[8:]))
	case 4: // LONG
		v = order.Uint32(e[8:])
	}
	if order.Uint32(e[4:]) != 1 || v < 1 || v > 8 {
		return 1
	}
	return int(v)
}
