package display

import (
	"bytes"
	"compress/lzw"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pithings/picture/jpeg"
)

// The hostile pictures: small files that ask for much work or memory.

// manyScansJPEG is a progressive grey JPEG whose scans refine coefficients that are
// all 0: some 50 bytes each, and a pass over the whole picture.
func manyScansJPEG(side, scans int) []byte {
	b := []byte{0xFF, jpeg.SOI, 0xFF, jpeg.DQT, 0, 67, 0}
	b = append(b, bytes.Repeat([]byte{1}, 64)...)
	b = append(b, 0xFF, jpeg.SOF2, 0, 11, 8, byte(side>>8), byte(side), byte(side>>8), byte(side), 1, 1, 0x11, 0)
	// One code of one bit each: no difference, and a run of 16384 to 32767 blocks.
	for class, value := range []byte{0x00, 0xE0} {
		b = append(b, 0xFF, jpeg.DHT, 0, 20, byte(class<<4), 1)
		b = append(append(b, make([]byte, 15)...), value)
	}
	blocks := (side + 7) / 8 * ((side + 7) / 8)
	b = append(b, 0xFF, jpeg.SOS, 0, 8, 1, 1, 0, 0, 0, 1)
	b = append(b, make([]byte, (blocks+7)/8)...)
	for range scans - 1 {
		b = append(b, 0xFF, jpeg.SOS, 0, 8, 1, 1, 0, 1, 63, 0x10)
		var bits, n uint32
		for left := blocks; left > 0; left -= 32767 {
			// Code 0 and 14 bits of 1; a run that is too long does no harm.
			bits, n = bits<<15|0x3FFF, n+15
			for ; n >= 8; n -= 8 {
				v := byte(bits >> (n - 8))
				b = append(b, v)
				if v == 0xFF {
					b = append(b, 0)
				}
			}
		}
		b = append(b, byte(bits<<(8-n)), 0)
	}
	return append(b, 0xFF, jpeg.EOI)
}

// emptyPNG is a PNG of zeroes.
func emptyPNG(w, h int, depth, colors, interlace byte, bytesOfRow int) []byte {
	var z bytes.Buffer
	c, _ := zlib.NewWriterLevel(&z, zlib.BestSpeed)
	row := make([]byte, 1+bytesOfRow)
	for range h {
		c.Write(row)
	}
	c.Close()
	chunk := func(b []byte, kind string, data []byte) []byte {
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		at := len(b)
		b = append(append(b, kind...), data...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[at:]))
	}
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	b := chunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", append(ihdr, depth, colors, 0, 0, interlace))
	return chunk(chunk(b, "IDAT", z.Bytes()), "IEND", nil)
}

// emptyGIF is a GIF of one colour. The frame leaves some of the canvas free.
func emptyGIF(w, h, free int) []byte {
	b := append([]byte("GIF89a"), byte((w + free)), byte((w+free)>>8), byte(h), byte(h>>8), 0x80, 0, 0, 9, 9, 9, 200, 200, 200)
	b = append(b, ',', 0, 0, 0, 0, byte(w), byte(w>>8), byte(h), byte(h>>8), 0, 2)
	var z bytes.Buffer
	c := lzw.NewWriter(&z, lzw.LSB, 2)
	row := make([]byte, w)
	for range h {
		c.Write(row)
	}
	c.Close()
	for data := z.Bytes(); len(data) > 0; {
		n := min(len(data), 255)
		b = append(append(b, byte(n)), data[:n]...)
		data = data[n:]
	}
	return append(b, 0, ';')
}

func riff(kind string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(data)))
	b = append(b, "WEBP"+kind...)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(data))), data...)
}

// emptyLossless is a lossless WebP whose pixels take no bits (golang/go#80254).
func emptyLossless(w, h int) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{0x2F}, uint32(w-1)|uint32(h-1)<<14)
	return riff("VP8L", append(b, 0x88, 0x88, 0x08))
}

// emptyLossy is a lossy WebP of zeroes.
func emptyLossy(w, h int) []byte {
	const first = 400_000
	tag := first<<5 | 1<<4
	b := append([]byte{byte(tag), byte(tag >> 8), byte(tag >> 16)}, 0x9D, 0x01, 0x2A, byte(w), byte(w>>8), byte(h), byte(h>>8))
	return riff("VP8 ", append(b, make([]byte, 900_000)...))
}

// emptyAlpha is a lossy WebP with lossless alpha whose samples take no bits.
func emptyAlpha(w, h int) []byte {
	lossy := emptyLossy(w, h)[12:]
	alpha := []byte("ALPH\x04\x00\x00\x00\x01\x88\x88\x08")
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(alpha)+len(lossy)))
	return append(append(append(b, "WEBP"...), alpha...), lossy...)
}

// hostilePictures are files of up to 1 MB. The size of those whose work grows with it
// more than their bytes do can be chosen.
func hostilePictures(side int) map[string][]byte {
	return map[string][]byte{
		"JPEG of 100 scans":                  manyScansJPEG(side, 100),
		"PNG":                                emptyPNG(2000, 2000, 8, 2, 0, 3*2000),
		"PNG, 16 bits":                       emptyPNG(1200, 1200, 16, 6, 0, 8*1200),
		"PNG, interlaced, 16 bits":           emptyPNG(3200, 3200, 16, 6, 1, 8*3200),
		"GIF":                                emptyGIF(2000, 2000, 0),
		"GIF in a canvas":                    emptyGIF(2000, 1500, 1),
		"lossless WebP":                      emptyLossless(side, side),
		"lossless WebP of the largest size":  emptyLossless(16384, 16384),
		"lossy WebP":                         emptyLossy(2000, 2000),
		"alpha beside a lossy WebP":          emptyAlpha(1500, 1500),
		"lossy WebP of the largest size":     emptyLossy(16383, 16383),
		"lossless WebP of many unused codes": unusedCodes(),
	}
}

// unusedCodes is a lossless WebP of 4 x 4 pixels that claims 65,536 groups of codes
// and brings noise instead (golang/go#80069).
func unusedCodes() []byte {
	b := binary.LittleEndian.AppendUint32([]byte{0x2F}, 3|3<<14)
	for i := range 900_000 {
		b = append(b, byte(i*i>>3))
	}
	return riff("VP8L", b)
}

// TestNoFileTakesMoreThanItsPixels: no file of up to 1 MB takes more than 64 MiB
// beyond four bytes for each pixel, whatever it claims (golang/go#80063, #80254,
// #80069).
func TestNoFileTakesMoreThanItsPixels(t *testing.T) {
	for name, data := range hostilePictures(1500) {
		if len(data) > 1<<20 {
			t.Errorf("%s: the file has %d bytes", name, len(data))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := decode(context.Background(), data, DecodeOpts{})
		runtime.ReadMemStats(&after)
		pixels := 0
		if err == nil {
			pixels = p.Bounds().Dx() * p.Bounds().Dy()
		} else if !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrPicture) {
			t.Errorf("%s: %v", name, err)
		}
		if took := int64(after.TotalAlloc - before.TotalAlloc); took > int64(4*pixels)+64<<20 {
			t.Errorf("%s: %d bytes take %d MiB for %d pixels (%v)", name, len(data), took>>20, pixels, err)
		}
	}
	// By the header alone, where the file would be too large to make here.
	for name, h := range map[string]header{
		"within the limit of all": {w: 6000, h: 6000, cost: 127 << 20},
		"too much for its size":   {w: 1000, h: 1000, cost: 70 << 20},
	} {
		err := format{name: "JPEG"}.check(h, DecodeOpts{}.withDefaults())
		if refused := errors.Is(err, ErrTooLarge); refused != (h.cost > int64(4*h.w*h.h)+maxBeyond) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNewerCommandWins: whatever the screen is decoding, a newer command is shown
// within a second (golang/go#80063: 5 to 7 s before that).
func TestNewerCommandWins(t *testing.T) {
	small := encodePNG(t, corners(64, 48))
	slow := hostilePictures(3500)
	var served atomic.Pointer[chan struct{}]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
		w.Write(slow[name])
		close(*served.Load())
	}))
	defer srv.Close()
	for name := range slow {
		f := newFake(rgb565)
		s := newScreen(t, f, Opts{Decode: DecodeOpts{MaxPixels: 1 << 30, MaxMemory: 1 << 30}})
		sent := make(chan struct{})
		served.Store(&sent)
		older := make(chan error, 1)
		go func() { older <- s.Show(context.Background(), srv.URL+"/"+url.PathEscape(name)) }()
		<-sent
		began := time.Now()
		if err := s.Show(context.Background(), inlined(small)); err != nil {
			t.Errorf("%s: the newer one: %v", name, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: the newer one took %v", name, took)
		}
		if f.isBlack() {
			t.Errorf("%s: nothing is shown", name)
		}
		if err := <-older; err != nil && !errors.Is(err, ErrSuperseded) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrPicture) {
			t.Errorf("%s: the older one: %v", name, err)
		}
	}
}

// TestDecodingIsBoundedInTime: 55 KB of JPEG in 100 scans were 2.4 s of work.
func TestDecodingIsBoundedInTime(t *testing.T) {
	for name, data := range map[string][]byte{"JPEG": manyScansJPEG(3000, 100), "WebP": emptyLossless(3000, 3000)} {
		began := time.Now()
		if _, err := decode(context.Background(), data, DecodeOpts{}); err != nil {
			t.Fatal(err)
		}
		whole := time.Since(began)
		began = time.Now()
		_, err := decode(context.Background(), data, DecodeOpts{Timeout: 10 * time.Millisecond})
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "longer than 10ms") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > whole/2 {
			t.Errorf("%s: bounded %v, unbounded %v", name, took, whole)
		}
	}
	if _, err := decode(context.Background(), manyScansJPEG(64, 101), DecodeOpts{}); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "101 scans") {
		t.Error(err)
	}
}

// TestNoBlindRequestsToThisMachine: display commands do not reach other services on
// loopback addresses: not by another path, a redirect, a name, a second look-up, or a
// connection that is still open.
func TestNoBlindRequestsToThisMachine(t *testing.T) {
	var asked []string
	picture := encodePNG(t, corners(8, 8))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if r.URL.Path == "/own/moved" {
			http.Redirect(w, r, "/admin", http.StatusFound)
			return
		}
		w.Write(picture)
	}))
	defer srv.Close()
	port := netip.MustParseAddrPort(strings.TrimPrefix(srv.URL, "http://")).Port()
	own := func(u *url.URL) bool { return strings.HasPrefix(u.Path, "/own/") }
	open := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, tc := range []struct {
		name, uri string
		allow     []netip.Prefix
		ok        bool
	}{
		{"our own picture", srv.URL + "/own/a.png", nil, true},
		{"another path, over the open connection", srv.URL + "/admin", nil, false},
		{"redirect", srv.URL + "/own/moved", nil, false},
		{"by name", fmt.Sprintf("http://localhost:%d/admin", port), nil, false},
		{"by a name of the network", fmt.Sprintf("http://camera.example:%d/admin", port), nil, false},
		{"our own, by a name", fmt.Sprintf("http://camera.example:%d/own/a.png", port), nil, true},
		{"mapped", fmt.Sprintf("http://[::ffff:127.0.0.1]:%d/admin", port), nil, false},
		{"another loopback address", fmt.Sprintf("http://127.8.8.8:%d/admin", port), nil, false},
		{"IPv6", fmt.Sprintf("http://[::1]:%d/admin", port), nil, false},
		{"NAT64", fmt.Sprintf("http://[64:ff9b::127.0.0.1]:%d/admin", port), nil, false},
		{"allowed", srv.URL + "/admin", open, true},
		{"allowed, redirect", srv.URL + "/own/moved", open, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScreen(t, newFake(rgb565), Opts{Fetch: FetchOpts{Own: own, AllowNets: tc.allow}})
			s.fetch.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go answerName(theirs, func() [4]byte { return [4]byte{127, 0, 0, 1} })
				return ours, nil
			}}
			if err := s.Show(context.Background(), srv.URL+"/own/first.png"); err != nil {
				t.Fatal(err)
			}
			asked = nil
			err := s.Show(context.Background(), tc.uri)
			if tc.ok != (err == nil) || err != nil && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "fetch.allow_nets")) {
				t.Errorf("error %v", err)
			}
			for _, path := range asked {
				if !tc.ok && path == "/admin" {
					t.Error("the service was asked")
				}
			}
		})
	}
	s := New(newFake(rgb565), "/dev/fb0", Opts{}, quiet)
	defer s.Close()
	if err := s.Show(context.Background(), srv.URL+"/own/a.png"); !errors.Is(err, ErrRefused) {
		t.Errorf("without a word about our own: %v", err)
	}
}

// TestPictureOfAnotherMachine: its camera announces pictures under 127.0.0.1, which
// is the screen's own machine for the screen.
func TestPictureOfAnotherMachine(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	s := newScreen(t, newFake(rgb565), Opts{})
	for _, what := range []string{"not found", "nothing listens"} {
		err := s.Show(context.Background(), srv.URL+"/pictures/a.jpg")
		if err == nil || !strings.Contains(err.Error(), "if another one took the picture, set http.listen or http.base_url there") {
			t.Errorf("%s: %v", what, err)
		}
		srv.Close()
	}
}
