package mjpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"testing"

	"pithings/hw"
	t81 "pithings/picture/jpeg"
)

// segments splits a JPEG before its first scan and calls keep for each segment;
// what it does not keep is left out.
func segments(data []byte, keep func(marker byte, body []byte) bool) []byte {
	out := bytes.Clone(data[:2])
	at := 2
	for data[at+1] != t81.SOS {
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
		if m == t81.DHT {
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
			if m == t81.DQT {
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
	someTables = append(someTables, without(own, t81.DHT)[2:]...)

	for _, tt := range []struct {
		name  string
		frame []byte
		like  []byte // decodes to the same pixels
		grows int
	}{
		{"whole picture", own, own, 0},
		{"whole picture of another encoder, 4:2:0", std, std, 0},
		{"tables missing", without(own, t81.DHT), own, 420},
		{"tables missing, 4:2:0", without(std, t81.DHT), std, 420},
		{"only chroma tables missing", someTables, own, 212},
		{"grey picture without tables", without(stdlibJPEG(t, grey), t81.DHT), stdlibJPEG(t, grey), 212},
		{"zeroes after the end", append(bytes.Clone(own), make([]byte, 1000)...), own, -1000},
		{"another picture after the end", append(bytes.Clone(own), own...), own, -len(own)},
		{"AVI1 segment is kept", insert(without(own, t81.DHT), t81.APP0, "AVI1\x00\x00\x00\x00\x00\x00\x00\x00"), own, 420},
		{"Exif segment with a thumbnail is kept", insert(own, t81.APP0+1, "Exif\x00\x00\xff\xd8\xff\xd9"), own, 0},
		{"fill bytes before a marker", append([]byte{0xFF, t81.SOI, 0xFF, 0xFF}, own[2:]...), own, 0},
		{"padding before the end", append(append(bytes.Clone(own[:len(own)-2]), make([]byte, 30)...), 0xFF, 0xFF, t81.EOI), own, 0},
		{"no JFIF header", without(own, t81.APP0), own, 0},
		{"end marker missing", own[:len(own)-2], own, 2},
		{"half of the end marker missing", own[:len(own)-1], own, 1},
		{"end marker missing, zeroes behind", append(bytes.Clone(own[:len(own)-2]), make([]byte, 1000)...), own, 2 - 1000},
		{"end marker and tables missing", without(own, t81.DHT)[:len(without(own, t81.DHT))-2], own, 422},
		{"end marker missing, 4:2:0", std[:len(std)-2], std, 2},
		{"a few stray bytes before the end", stray(own, len(own)-2, maxStray), own, 0},
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

// stray puts n bytes that belong to nothing before the marker at an offset.
func stray(data []byte, at, n int) []byte {
	out := append(bytes.Clone(data[:at]), bytes.Repeat([]byte{0x5A}, n)...)
	return append(out, data[at:]...)
}

// ruffle#8820, libyami#801: all of the picture is there but its EOI.
func TestRepairAddsTheEnd(t *testing.T) {
	frame, err := os.ReadFile("testdata/no-eoi.jpg")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile("testdata/whole.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := Repair(frame); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("%d bytes (%v), want the %d of whole.jpg", len(got), err, len(whole))
	}
}

// Wherever a frame without an end is cut, it is refused, or it shows what it showed.
func TestRepairRefusesEveryCut(t *testing.T) {
	own := ownJPEG(t, 64, 40)
	want := decode(t, own)
	for n := range len(own) - 2 {
		got, _, err := Repair(own[:n])
		if err == nil && !same(decode(t, got), want) {
			t.Errorf("cut to %d of %d bytes, it is another picture", n, len(own))
		}
	}
}

// pits#24, mjpg-streamer#236: what every frame of a camera has before a marker is no corruption.
func TestRepairerLearnsHabits(t *testing.T) {
	own := ownJPEG(t, 97, 50)
	scanAt := bytes.Index(own, []byte{0xFF, t81.SOS})
	withRST := withRestarts(2, 12, -1, false)
	rst := bytes.Index(withRST, []byte{0xFF, t81.RST0 + 2})
	for _, tt := range []struct {
		name  string
		clean []byte
		frame []byte
	}{
		{"before the end", own, stray(own, len(own)-2, 17)},
		{"1300 before the end", own, stray(own, len(own)-2, 1300)},
		{"before the first segment", own, stray(own, 2, 1)},
		{"before the scan", own, stray(own, scanAt, 40)},
		{"before the scan, and tables missing", own, stray(without(own, t81.DHT), bytes.Index(without(own, t81.DHT), []byte{0xFF, t81.SOS}), 40)},
		{"before a restart marker", withRST, stray(withRST, rst, 100)},
		{"in three places", own, stray(stray(stray(own, len(own)-2, 500), scanAt, 3), 2, 9)},
		{"before an end that is missing is nothing", own, append(bytes.Clone(own[:len(own)-2]), bytes.Repeat([]byte{0x5A}, 10)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clean, _, err := Repair(tt.clean)
			if err != nil {
				t.Fatal(err)
			}
			var r Repairer
			good := 0
			for i := range 10 {
				got, _, err := r.Repair(tt.frame)
				if err != nil {
					if !errors.Is(err, ErrCorrupt) || i >= 2 {
						t.Errorf("frame %d: %v", i, err)
					}
					continue
				}
				good++
				if !bytes.Equal(got, clean) && !same(mustDecode(t, got), mustDecode(t, clean)) {
					t.Errorf("frame %d shows another picture", i)
				}
				if again, _, err := Repair(got); err != nil || !bytes.Equal(again, got) {
					t.Errorf("frame %d is not clean: %v", i, err)
				}
			}
			if good < 8 {
				t.Errorf("%d of 10 frames taken", good)
			}
		})
	}
	var r Repairer
	for i := range 30 { // now and then is no habit
		frame := own
		if i%3 == 0 {
			frame = stray(own, len(own)-2, 100)
		}
		if _, _, err := r.Repair(frame); (err != nil) != (i%3 == 0) {
			t.Errorf("frame %d: %v", i, err)
		}
	}
	for range 5 { // too much is none either
		if _, _, err := r.Repair(stray(own, len(own)-2, maxHabit+1)); err == nil {
			t.Error("a frame that continues after its end is accepted")
		}
	}
}

func mustDecode(t *testing.T, data []byte) image.Image {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
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
	bare := without(own, t81.DHT)
	scanAt := bytes.Index(own, []byte{0xFF, t81.SOS})
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
		{"start and end only", []byte{0xFF, t81.SOI, 0xFF, t81.EOI}},
		{"zeroes", make([]byte, 5000)},
		{"a web page", []byte("<html><body>Not found</body></html>")},
		{"a picture without its first byte", own[1:]},
		{"first half", own[:len(own)/2]},
		{"header only", own[:scanAt]},
		{"last byte of the data and the end marker missing", own[:len(own)-3]},
		{"a buffer filled up with zeroes, without an end marker", append(bytes.Clone(own[:len(own)/2]), make([]byte, 200_000)...)},
		{"a hundred stray bytes before the end", stray(own, len(own)-2, 100)},
		{"stray bytes before a segment", stray(own, 2, 1)},
		{"first half with an end marker", append(bytes.Clone(own[:len(own)/2]), 0xFF, t81.EOI)},
		{"first half without tables, with an end marker", append(bytes.Clone(bare[:len(bare)/2]), 0xFF, t81.EOI)},
		{"a bus packet missing", cut(scanAt+900, 512)},
		{"a bus packet of noise", noise},
		{"a page of zeroes", zeroes},
		{"no data between header and end", append(bytes.Clone(own[:scanAt+14]), 0xFF, t81.EOI)},
		{"no quantisation tables", without(own, t81.DQT)},
		{"no frame header", without(own, t81.SOF0)},
		{"twelve bits a sample", change(t81.SOF0, 0, 12)},
		{"no lines", change(t81.SOF0, 2, 0)},
		{"four components claimed", change(t81.SOF0, 5, 4)},
		{"sampling of 0", change(t81.SOF0, 7, 0x01)},
		{"larger than its data", change(t81.SOF0, 1, 2)},
		{"smaller than its data", change(t81.SOF0, 2, 120)},
		{"segment longer than the frame", change(t81.APP0, -2, 0xFF)},
		{"segment without its own length", change(t81.APP0, -1, 1)},
		{"Huffman table with too many codes", change(t81.DHT, 1, 3)},
		{"two frames run into each other", append(bytes.Clone(own[:len(own)/2]), own...)},
		{"lossless", bytes.Replace(own, []byte{0xFF, t81.SOF0}, []byte{0xFF, 0xC3}, 1)},
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
	b := []byte{0xFF, t81.SOI, 0xFF, t81.DQT, 0, 67, 0}
	b = append(b, bytes.Repeat([]byte{16}, 64)...)
	b = append(b, 0xFF, t81.SOF0, 0, 11, 8, 0, 8, byte(mcus*8>>8), byte(mcus*8), 1, 1, 0x11, 0,
		0xFF, t81.DRI, 0, 4, byte(interval>>8), byte(interval),
		0xFF, t81.SOS, 0, 8, 1, 1, 0, 0, 63, 0)
	w := bitWriter{buf: b}
	var codes blockCodes
	codes.set(luma)
	restarts := 0
	for i := range mcus {
		if i > 0 && i%interval == 0 {
			buf := w.finish()
			w = bitWriter{buf: buf}
			if restarts != skip {
				w.buf = append(w.buf, 0xFF, t81.RST0+byte(restarts%8))
			}
			restarts++
		}
		var c [64]int16
		codes.write(&w, &c, 0, int32(i%5*100))
	}
	b = w.finish()
	if final {
		b = append(b, 0xFF, t81.RST0+byte(restarts%8))
	}
	return append(b, 0xFF, t81.EOI)
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
	own := without(ownJPEG(t, 100, 60), t81.DHT)
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

// limit reports that image/jpeg does not claim to read such a picture.
func limit(err error) bool {
	var unsupported jpeg.UnsupportedError
	return errors.As(err, &unsupported)
}

func FuzzRepair(f *testing.F) {
	own := ownJPEG(f, 33, 18)
	f.Add(own)
	f.Add(without(own, t81.DHT))
	f.Add(own[:len(own)/2])
	f.Add(own[:len(own)-2])
	f.Add(stray(stray(own, len(own)-2, 50), 2, 3))
	f.Add(stdlibJPEG(f, scene(20, 20)))
	f.Add(withRestarts(2, 6, -1, true))
	f.Add([]byte{0xFF, t81.SOI, 0xFF, t81.EOI})
	f.Fuzz(func(t *testing.T, frame []byte) {
		var r Repairer
		got, size, err := r.Repair(frame)
		for range habit - 1 {
			if err != nil {
				got, size, err = r.Repair(frame)
			}
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || got != nil {
				t.Fatalf("%d bytes with error %v", len(got), err)
			}
			return
		}
		if len(got) > len(frame)+426 {
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
	for i := range rawFormats {
		f.Add(uint8(85), uint8(20), uint8(10), uint8(3), uint8(i), true, []byte("noise"))
		f.Add(uint8(100), uint8(1), uint8(1), uint8(0), uint8(i), false, []byte{255})
	}
	f.Fuzz(func(t *testing.T, quality, w, h, padding, format uint8, full bool, seed []byte) {
		if w == 0 || h == 0 || len(seed) == 0 {
			return
		}
		p := Frame{Pixel: rawFormats[int(format)%len(rawFormats)], Width: int(w), Height: int(h), FullRange: full}
		p.Stride = p.Pixel.RowBytes(p.Width) + int(padding)
		p.Pix = make([]byte, hw.LayoutOf(p.Pixel, p.Width, p.Height, p.Stride).Least())
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
		frame := without(ownJPEG(b, size.X, size.Y), t81.DHT)
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
