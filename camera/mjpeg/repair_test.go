package mjpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

// segments splits a JPEG before its first scan and calls keep for each segment;
// what it does not keep is left out.
func segments(data []byte, keep func(marker byte, body []byte) bool) []byte {
	out := bytes.Clone(data[:2])
	at := 2
	for data[at+1] != sos {
		length := int(data[at+2])<<8 | int(data[at+3])
		if keep(data[at+1], data[at+4:at+2+length]) {
			out = append(out, data[at:at+2+length]...)
		}
		at += 2 + length
	}
	return append(out, data[at:]...)
}

func without(data []byte, marker byte) []byte {
	return segments(data, func(m byte, _ []byte) bool { return m != marker })
}

// insert puts a segment after the start of image.
func insert(data []byte, marker byte, body string) []byte {
	out := append(bytes.Clone(data[:2]), 0xFF, marker, byte((len(body)+2)>>8), byte(len(body)+2))
	return append(append(out, body...), data[2:]...)
}

func stdlibJPEG(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ownJPEG(t testing.TB, w, h int) []byte {
	data, err := NewEncoder(80).Append(nil, pack(scene(w, h), 0, true))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTablesAreTheTypicalOnes(t *testing.T) {
	// image/jpeg writes the tables of T.81 annex K too: an independent copy.
	ref := stdlibJPEG(t, scene(16, 16))
	var refDHT, ownDHT []byte
	segments(ref, func(m byte, body []byte) bool {
		if m == dht {
			refDHT = append(refDHT, body...)
		}
		return true
	})
	ownDHT = appendDHT(nil, [2][2]bool{{true, true}, {true, true}})[4:]
	if !bytes.Equal(refDHT, ownDHT) {
		t.Error("Huffman tables differ from those of image/jpeg")
	}
	refDQT, ownDQT := []byte(nil), []byte(nil)
	collect := func(to *[]byte) func(byte, []byte) bool {
		return func(m byte, body []byte) bool {
			if m == dqt {
				*to = append(*to, body...)
			}
			return true
		}
	}
	segments(ref, collect(&refDQT))
	segments(ownJPEG(t, 16, 16), collect(&ownDQT))
	if !bytes.Equal(refDQT, ownDQT) {
		t.Error("quantisation tables differ from those of image/jpeg")
	}
}

func TestRepair(t *testing.T) {
	own := ownJPEG(t, 97, 50)
	std := stdlibJPEG(t, scene(97, 50))
	grey := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range grey.Pix {
		grey.Pix[i] = byte(i * 7)
	}
	// Only the chroma tables are missing: image/jpeg writes all in one segment.
	someTables := append(bytes.Clone(own[:2]), appendDHT(nil, [2][2]bool{{true, false}, {true, false}})...)
	someTables = append(someTables, without(own, dht)[2:]...)

	for _, tt := range []struct {
		name  string
		frame []byte
		like  []byte // decodes to the same pixels
		grows int
	}{
		{"whole picture", own, own, 0},
		{"whole picture of another encoder, 4:2:0", std, std, 0},
		{"tables missing", without(own, dht), own, 420},
		{"tables missing, 4:2:0", without(std, dht), std, 420},
		{"only chroma tables missing", someTables, own, 212},
		{"grey picture without tables", without(stdlibJPEG(t, grey), dht), stdlibJPEG(t, grey), 212},
		{"zeroes after the end", append(bytes.Clone(own), make([]byte, 1000)...), own, -1000},
		{"another picture after the end", append(bytes.Clone(own), own...), own, -len(own)},
		{"AVI1 segment is kept", insert(without(own, dht), app0, "AVI1\x00\x00\x00\x00\x00\x00\x00\x00"), own, 420},
		{"Exif segment with a thumbnail is kept", insert(own, app0+1, "Exif\x00\x00\xff\xd8\xff\xd9"), own, 0},
		{"fill bytes before a marker", append([]byte{0xFF, soi, 0xFF, 0xFF}, own[2:]...), own, 0},
		{"padding before the end", append(append(bytes.Clone(own[:len(own)-2]), make([]byte, 30)...), 0xFF, 0xFF, eoi), own, 0},
		{"no JFIF header", without(own, app0), own, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := bytes.Clone(tt.frame)
			got, size, err := Repair(tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, tt.frame) {
				t.Error("the frame itself was changed")
			}
			if len(got)-len(tt.frame) != tt.grows {
				t.Errorf("%d bytes of %d, want a difference of %d", len(got), len(tt.frame), tt.grows)
			}
			a, err := jpeg.Decode(bytes.NewReader(got))
			if err != nil {
				t.Fatalf("not readable: %v", err)
			}
			b, err := jpeg.Decode(bytes.NewReader(tt.like))
			if err != nil {
				t.Fatal(err)
			}
			if a.Bounds().Size() != size {
				t.Errorf("size %v, picture has %v", size, a.Bounds().Size())
			}
			if !same(a, b) {
				t.Error("the pixels changed")
			}
		})
	}
}

func same(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if color.RGBAModel.Convert(a.At(x, y)) != color.RGBAModel.Convert(b.At(x, y)) {
				return false
			}
		}
	}
	return true
}

func TestRepairRefuses(t *testing.T) {
	own := ownJPEG(t, 320, 240)
	bare := without(own, dht)
	scanAt := bytes.Index(own, []byte{0xFF, sos})
	cut := func(from, n int) []byte {
		return append(bytes.Clone(own[:from]), own[from+n:]...)
	}
	change := func(marker byte, at int, b byte) []byte {
		out := bytes.Clone(own)
		out[bytes.Index(out, []byte{0xFF, marker})+4+at] = b
		return out
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	noise := bytes.Clone(own)
	for i := scanAt + 500; i < scanAt+1500; i++ {
		noise[i] = byte(rnd.Uint32())
	}
	zeroes := bytes.Clone(own)
	clear(zeroes[scanAt+1000 : scanAt+4000])

	for _, tt := range []struct {
		name  string
		frame []byte
	}{
		{"nothing", nil},
		{"one byte", []byte{0xFF}},
		{"start and end only", []byte{0xFF, soi, 0xFF, eoi}},
		{"zeroes", make([]byte, 5000)},
		{"a web page", []byte("<html><body>Not found</body></html>")},
		{"a picture without its first byte", own[1:]},
		{"first half", own[:len(own)/2]},
		{"header only", own[:scanAt]},
		{"end marker missing", own[:len(own)-2]},
		{"half of the end marker missing", own[:len(own)-1]},
		{"first half with an end marker", append(bytes.Clone(own[:len(own)/2]), 0xFF, eoi)},
		{"first half without tables, with an end marker", append(bytes.Clone(bare[:len(bare)/2]), 0xFF, eoi)},
		{"a bus packet missing", cut(scanAt+900, 512)},
		{"a bus packet of noise", noise},
		{"a page of zeroes", zeroes},
		{"no data between header and end", append(bytes.Clone(own[:scanAt+14]), 0xFF, eoi)},
		{"no quantisation tables", without(own, dqt)},
		{"no frame header", without(own, sof0)},
		{"twelve bits a sample", change(sof0, 0, 12)},
		{"no lines", change(sof0, 2, 0)},
		{"four components claimed", change(sof0, 5, 4)},
		{"sampling of 0", change(sof0, 7, 0x01)},
		{"larger than its data", change(sof0, 1, 2)},
		{"smaller than its data", change(sof0, 2, 120)},
		{"segment longer than the frame", change(app0, -2, 0xFF)},
		{"segment without its own length", change(app0, -1, 1)},
		{"Huffman table with too many codes", change(dht, 1, 3)},
		{"two frames run into each other", append(bytes.Clone(own[:len(own)/2]), own...)},
		{"lossless", bytes.Replace(own, []byte{0xFF, sof0}, []byte{0xFF, 0xC3}, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := Repair(tt.frame)
			if !errors.Is(err, ErrCorrupt) || got != nil {
				t.Errorf("%d bytes and error %v, want ErrCorrupt", len(got), err)
			}
			t.Log(err)
		})
	}
}

// withRestarts codes a grey picture with restart markers, by hand: every MCU is
// one block of nothing but a first coefficient.
func withRestarts(interval, mcus, skip int, final bool) []byte {
	b := []byte{0xFF, soi, 0xFF, dqt, 0, 67, 0}
	b = append(b, bytes.Repeat([]byte{16}, 64)...)
	b = append(b, 0xFF, sof0, 0, 11, 8, 0, 8, byte(mcus*8>>8), byte(mcus*8), 1, 1, 0x11, 0,
		0xFF, dri, 0, 4, byte(interval>>8), byte(interval),
		0xFF, sos, 0, 8, 1, 1, 0, 0, 63, 0)
	w := bitWriter{buf: b}
	var codes blockCodes
	codes.set(&huffmanTables[dcTable][luma], &huffmanTables[acTable][luma])
	restarts := 0
	for i := range mcus {
		if i > 0 && i%interval == 0 {
			buf := w.finish()
			w = bitWriter{buf: buf}
			if restarts != skip {
				w.buf = append(w.buf, 0xFF, rst0+byte(restarts%8))
			}
			restarts++
		}
		var c [64]int16
		codes.write(&w, &c, 0, int32(i%5*100))
	}
	b = w.finish()
	if final {
		b = append(b, 0xFF, rst0+byte(restarts%8))
	}
	return append(b, 0xFF, eoi)
}

func TestRepairRestarts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		frame []byte
		ok    bool
	}{
		{"all there", withRestarts(2, 40, -1, false), true},
		{"one more at the end", withRestarts(2, 40, -1, true), true},
		{"one missing", withRestarts(2, 40, 5, false), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, size, err := Repair(tt.frame)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			if size != image.Pt(320, 8) {
				t.Errorf("size %v", size)
			}
			if _, err := jpeg.Decode(bytes.NewReader(got)); err != nil {
				t.Errorf("not readable: %v", err)
			}
		})
	}
}

func TestRepairAgreesWithADecoder(t *testing.T) {
	// Broken anywhere, a frame that image/jpeg cannot read must not pass.
	own := without(ownJPEG(t, 100, 60), dht)
	rnd := rand.New(rand.NewPCG(7, 8))
	passed := 0
	for range 3000 {
		frame := bytes.Clone(own)
		for range 1 + rnd.IntN(3) {
			frame[rnd.IntN(len(frame))] = byte(rnd.Uint32())
		}
		got, _, err := Repair(frame)
		if err != nil {
			continue
		}
		passed++
		if _, err := jpeg.Decode(bytes.NewReader(got)); err != nil && !limit(err) {
			t.Fatalf("Repair lets pass what image/jpeg refuses: %v", err)
		}
	}
	t.Logf("%d of 3000 broken frames still decode", passed)
}

// limit tells that image/jpeg does not claim to read such a picture.
func limit(err error) bool {
	var unsupported jpeg.UnsupportedError
	return errors.As(err, &unsupported)
}

func FuzzRepair(f *testing.F) {
	own := ownJPEG(f, 33, 18)
	f.Add(own)
	f.Add(without(own, dht))
	f.Add(own[:len(own)/2])
	f.Add(stdlibJPEG(f, scene(20, 20)))
	f.Add(withRestarts(2, 6, -1, true))
	f.Add([]byte{0xFF, soi, 0xFF, eoi})
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, size, err := Repair(frame)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || got != nil {
				t.Fatalf("%d bytes with error %v", len(got), err)
			}
			return
		}
		if len(got) > len(frame)+424 {
			t.Fatalf("%d bytes grew to %d", len(frame), len(got))
		}
		c, err := jpeg.DecodeConfig(bytes.NewReader(got))
		if err != nil && !limit(err) {
			t.Fatalf("image/jpeg refuses it: %v", err)
		}
		if err == nil && image.Pt(c.Width, c.Height) != size {
			t.Fatalf("size %v, image/jpeg says %d x %d", size, c.Width, c.Height)
		}
		again, _, err := Repair(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("repaired twice it is another picture: %v", err)
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add(uint8(85), uint8(20), uint8(10), uint8(3), true, []byte("noise"))
	f.Add(uint8(100), uint8(1), uint8(1), uint8(0), false, []byte{255})
	f.Fuzz(func(t *testing.T, quality, w, h, padding uint8, full bool, seed []byte) {
		if w == 0 || h == 0 || len(seed) == 0 {
			return
		}
		p := YUYV{Width: int(w), Height: int(h), Stride: 2*int(w) + int(padding), FullRange: full}
		p.Pix = make([]byte, p.Stride*p.Height)
		for i := range p.Pix {
			p.Pix[i] = seed[i*i%len(seed)]
		}
		data, err := NewEncoder(int(quality)).Append(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Repair(data); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkRepair(b *testing.B) {
	for _, size := range []image.Point{{640, 480}, {1280, 720}} {
		frame := without(ownJPEG(b, size.X, size.Y), dht)
		b.Run(fmt.Sprintf("%dx%d", size.X, size.Y), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				if _, _, err := Repair(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
