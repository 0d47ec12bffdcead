package display

import (
	"bytes"
	"encoding/binary"
)

// jpegHeader is what a JPEG file's marker segments (ITU-T T.81 annex B) tell
// about the work of decoding it, beyond image/jpeg's own DecodeConfig.
type jpegHeader struct {
	orientation int  // EXIF: 1–8; 1 when the file does not say
	progressive bool // all coefficients are kept until the last scan
	scans       int
	// samples is the number of samples of all components for 64 pixels: 64 for
	// grey, 96 for 4:2:0, 192 for 4:4:4.
	samples int
}

// parseJPEG walks the markers of a JPEG file. It never fails: what is broken
// ends the walk, and image/jpeg will say what is wrong.
func parseJPEG(data []byte) jpegHeader {
	h := jpegHeader{orientation: 1, samples: 256}
	if len(data) < 2 || data[0] != 0xff || data[1] != 0xd8 {
		return h
	}
	data = data[2:]
	seenExif := false
	for {
		marker, rest, ok := nextMarker(data)
		if !ok || marker == 0xd9 { // EOI
			return h
		}
		data = rest
		if marker >= 0xd0 && marker <= 0xd8 || marker == 0x01 {
			continue // RSTn, SOI, TEM have no segment
		}
		if len(data) < 2 {
			return h
		}
		n := int(binary.BigEndian.Uint16(data))
		if n < 2 || n > len(data) {
			return h
		}
		segment := data[2:n]
		data = data[n:]
		switch {
		case marker == 0xe1 && !seenExif:
			if tiff, found := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); found {
				seenExif = true
				h.orientation = exifOrientation(tiff)
			}
		case marker == 0xc0 || marker == 0xc1 || marker == 0xc2:
			h.progressive = marker == 0xc2
			if s := sofSamples(segment); s > 0 {
				h.samples = s
			}
		case marker == 0xda:
			h.scans++
		}
	}
}

// nextMarker returns the next marker code of data and what follows it. It skips
// fill bytes, and the entropy-coded data after a scan header, in which 0xff is
// followed by 0.
func nextMarker(data []byte) (marker byte, rest []byte, ok bool) {
	for {
		i := bytes.IndexByte(data, 0xff)
		if i < 0 || i+1 >= len(data) {
			return 0, nil, false
		}
		switch m := data[i+1]; m {
		case 0xff:
			data = data[i+1:]
		case 0:
			data = data[i+2:]
		default:
			return m, data[i+2:], true
		}
	}
}

// sofSamples returns the samples for 64 pixels of a frame header, or 0.
func sofSamples(sof []byte) int {
	if len(sof) < 6 || len(sof) < 6+3*int(sof[5]) {
		return 0
	}
	total, maxH, maxV := 0, 1, 1
	for c := range int(sof[5]) {
		h, v := int(sof[7+3*c]>>4), int(sof[7+3*c]&15)
		total += h * v
		maxH, maxV = max(maxH, h), max(maxV, v)
	}
	// Rounded up, and never less than one full plane.
	return max(64, (64*total+maxH*maxV-1)/(maxH*maxV))
}

// exifOrientation reads tag 0x0112 of the first directory of a TIFF structure
// (JEITA CP-3451 §4.6.2 and §4.6.4). It returns 1, the usual way up, for
// anything that is missing or broken.
func exifOrientation(tiff []byte) int {
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
		short     = 3
	)
	for ; count > 0 && len(entries) >= entrySize; count-- {
		e := entries[:entrySize]
		entries = entries[entrySize:]
		if order.Uint16(e) != tag {
			continue
		}
		v := int(order.Uint16(e[8:]))
		if order.Uint16(e[2:]) != short || order.Uint32(e[4:]) != 1 || v < 1 || v > 8 {
			return 1
		}
		return v
	}
	return 1
}
