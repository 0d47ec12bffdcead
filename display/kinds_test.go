package display

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/picture/jpeg"
)

// fieldCase reads a file that the packages of the formats keep for their own tests.
func fieldCase(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "picture", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func inlined(data []byte) string { return "data:;base64," + base64.StdEncoding.EncodeToString(data) }

// TestWhatTheFieldSends: each file was refused or shown wrongly.
func TestWhatTheFieldSends(t *testing.T) {
	for _, path := range []string{
		"webp/testdata/lossy-black.webp",        // golang/go#40173
		"jpeg/testdata/no-eoi.jpg",              // ruffle#8820, libyami#801
		"jpeg/testdata/progressive-420-dri.jpg", // zune-image#358, #359
		"gif/testdata/first-frame-offset.gif",   // bun#30032
		"png/testdata/bad-iccp-crc.png",         // golang/go#43382
	} {
		f := newFake(xrgb8888)
		s := newScreen(t, f, Opts{})
		if err := s.Show(context.Background(), inlined(fieldCase(t, path))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if f.isBlack() != strings.Contains(path, "black") {
			t.Errorf("%s: black is %v", path, f.isBlack())
		}
	}
}

// TestBlackIsBlack: black and white of a lossy WebP reach the ends of the range, with
// alpha, too (golang/go#40173).
func TestBlackIsBlack(t *testing.T) {
	f := newFake(xrgb8888)
	s := newScreen(t, f, Opts{Fit: Cover})
	if err := s.Show(context.Background(), inlined(fieldCase(t, "webp/testdata/lossy-black-white.webp"))); err != nil {
		t.Fatal(err)
	}
	if black, white := f.at(40, 4), f.at(40, 24); black.R > 1 || black.G > 1 || black.B > 1 || white.R < 254 || white.G < 254 || white.B < 254 {
		t.Errorf("black is %v, white %v", black, white)
	}
}

// exifOf is a TIFF structure with an orientation as a LONG (zulip#8177).
func exifOf(orientation int) string {
	return "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x04\x00\x00\x00\x01\x00\x00\x00" + string(rune(orientation))
}

// TestOrientationOfEveryKind: eXIf in PNG and EXIF in WebP count as in JPEG
// (zulip#8177).
func TestOrientationOfEveryKind(t *testing.T) {
	png := encodePNG(t, corners(40, 20))
	lossy := fieldCase(t, "webp/testdata/lossy.webp")
	for o := 1; o <= 8; o++ {
		chunk := binary.BigEndian.AppendUint32(nil, uint32(len(exifOf(o))))
		chunk = append(chunk, "eXIf"+exifOf(o)...)
		chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
		end := len(png) - 12
		withExif := append(append(bytes.Clone(png[:end]), chunk...), png[end:]...)
		webp := append(bytes.Clone(lossy), "EXIF"...)
		webp = binary.LittleEndian.AppendUint32(webp, uint32(len(exifOf(o))))
		webp = append(webp, exifOf(o)+"\x00"[:len(exifOf(o))%2]...)
		binary.LittleEndian.PutUint32(webp[4:], uint32(len(webp)-8))
		for kind, data := range map[string][]byte{"PNG": withExif, "WebP": webp} {
			if p, err := decode(context.Background(), data, DecodeOpts{}); err != nil || p.orientation != o {
				t.Errorf("%s with orientation %d: %d, %v", kind, o, p.orientation, err)
			}
		}
		f := newFake(xrgb8888)
		s := newScreen(t, f, Opts{})
		if err := s.Show(context.Background(), inlined(withExif)); err != nil {
			t.Fatal(err)
		}
		compare(t, f, expected(corners(40, 20), Contain, o, 0, 80, 48), 12)
	}
}

// TestJPEGWithoutHuffmanTables: the screen repairs it as the camera does.
func TestJPEGWithoutHuffmanTables(t *testing.T) {
	data := encodeJPEG(t, corners(40, 20))
	s, ok := jpeg.Next(data, 2)
	for ok && s.Marker != jpeg.DHT {
		s, ok = jpeg.Next(data, s.End)
	}
	if !ok {
		t.Fatal("no tables")
	}
	if _, err := decode(context.Background(), append(bytes.Clone(data[:s.At]), data[s.End:]...), DecodeOpts{}); err != nil {
		t.Error(err)
	}
}

// TestWhatCannotBeShownIsNamed: the kind, not the first oddity in its bytes (go2rtc,
// motion).
func TestWhatCannotBeShownIsNamed(t *testing.T) {
	arithmetic := encodeJPEG(t, corners(8, 8))
	arithmetic[bytes.Index(arithmetic, []byte{0xFF, jpeg.SOF0})+1] = 0xC9
	png := encodePNG(t, corners(8, 8))
	cgbi := append(append(bytes.Clone(png[:8]), "\x00\x00\x00\x04CgBI\x50\x00\x20\x02\x2b\xd5\xb3\x7f"...), png[8:]...)
	for say, data := range map[string][]byte{
		"animated":            fieldCase(t, "webp/testdata/animated.webp"),
		"Apple's CgBI":        cgbi,
		"arithmetic-coded":    arithmetic,
		"a HEIC picture":      []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"),
		"an AVIF picture":     []byte("\x00\x00\x00\x18ftypavif\x00\x00\x00\x00"),
		"a TIFF picture":      []byte("II*\x00\x08\x00\x00\x00"),
		"a JPEG XL picture":   []byte("\xff\x0a\x00\x00"),
		"a JPEG 2000 picture": []byte("\xff\x4f\xff\x51\x00\x00"),
		"an MNG animation":    []byte("\x8aMNG\r\n\x1a\n"),
		"an SVG drawing":      []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`),
		"is an SVG drawing":   []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"an H.264 video":      []byte("\x00\x00\x00\x01\x67\x42\x00\x0a"),
	} {
		if _, err := decode(context.Background(), data, DecodeOpts{}); !errors.Is(err, ErrPicture) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
}

// streamOf serves parts as cameras do: the answer does not end before the test.
func streamOf(t *testing.T, kind, head string, parts ...string) string {
	t.Helper()
	ended := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, head)
		w.(http.Flusher).Flush()
		for _, p := range parts {
			fmt.Fprint(w, p)
			w.(http.Flusher).Flush()
		}
		select {
		case <-ended:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(ended) })
	return srv.URL
}

// TestFirstPictureOfAStream: an MJPEG stream's address shows its first picture at
// once, in all the spellings that cameras have (go2rtc, motion).
func TestFirstPictureOfAStream(t *testing.T) {
	picture := string(encodeJPEG(t, corners(64, 48)))
	gif := string(encodeGIF(t, corners(64, 48)))
	length := fmt.Sprintf("Content-Length: %d\r\n", len(picture))
	for name, tc := range map[string]struct {
		kind, head string
		parts      []string
	}{
		"with lengths":                {"multipart/x-mixed-replace; boundary=frame", "--frame\r\nContent-Type: image/jpeg\r\n" + length + "\r\n", []string{picture}},
		"dashes in the boundary":      {"multipart/x-mixed-replace;boundary=--myboundary", "--myboundary\r\nContent-Type: image/jpeg\r\n" + length + "\r\n", []string{picture}},
		"quoted, lower case, LF":      {`multipart/x-mixed-replace; boundary="x y"`, "--x y\ncontent-type: image/jpeg\ncontent-length:" + fmt.Sprint(len(picture)) + "\n\n", []string{picture}},
		"without lengths":             {"multipart/x-mixed-replace; boundary=frame", "\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n", []string{picture[:300], picture[300:]}},
		"without lengths, no JPEG":    {"multipart/x-mixed-replace; boundary=frame", "--frame\r\nContent-Type: image/gif\r\n\r\n", []string{gif, "\r\n--frame\r\n"}},
		"a boundary with odd signs":   {"multipart/x-mixed-replace; boundary=a@b c", "--a@b c\r\nContent-Type: image/jpeg\r\n" + length + "\r\n", []string{picture}},
		"an empty part first":         {"multipart/x-mixed-replace; boundary=frame", "--frame\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n\r\n--frame\r\nContent-Type: image/jpeg\r\n" + length + "\r\n", []string{picture}},
		"one behind the other":        {"video/x-motion-jpeg", "", []string{picture[:100], picture[100:], picture}},
		"one behind the other, noise": {"application/octet-stream", "", []string{picture + "\x00\x00"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(rgb565)
			s := newScreen(t, f, Opts{Fetch: FetchOpts{Timeout: 10 * time.Second}})
			began := time.Now()
			if err := s.Show(context.Background(), streamOf(t, tc.kind, tc.head, tc.parts...)); err != nil {
				t.Fatal(err)
			}
			if f.isBlack() || time.Since(began) > 5*time.Second {
				t.Errorf("black %v, after %v", f.isBlack(), time.Since(began))
			}
		})
	}
}

// TestStreamsAreBounded: like any answer.
func TestStreamsAreBounded(t *testing.T) {
	const kind = "multipart/x-mixed-replace; boundary=frame"
	for name, tc := range map[string]struct {
		head string
		want error
		say  string
	}{
		"a long promise":       {"--frame\r\nContent-Length: 99999999\r\n\r\n", ErrTooLarge, "more than 524288 bytes"},
		"a long part":          {"--frame\r\n\r\n" + strings.Repeat("x", 600<<10), ErrTooLarge, "more than 524288 bytes"},
		"a long line":          {"--frame\r\nX: " + strings.Repeat("x", 5000), ErrPicture, "a line of more than 4096 bytes"},
		"many lines":           {strings.Repeat("X: y\r\n", 100), ErrPicture, "more than 64 lines"},
		"parts of no pictures": {strings.Repeat("--frame\r\nContent-Length: 2\r\n\r\nhi\r\n", 20), ErrPicture, "no picture in its first 8 parts"},
		"a part cut short":     {"--frame\r\nContent-Length: 100\r\n\r\n\xff\xd8", context.DeadlineExceeded, "longer than"},
	} {
		s := newScreen(t, newFake(rgb565), Opts{Fetch: FetchOpts{MaxBytes: 512 << 10, Timeout: 200 * time.Millisecond}})
		err := s.Show(context.Background(), streamOf(t, kind, tc.head))
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add("multipart/x; boundary=a", []byte("--a\r\nContent-Length: 3\r\n\r\nabc\r\n--a"))
	f.Add("multipart/x; boundary=--a", []byte("--a\n\n\xff\xd8\xff\xd9"))
	f.Add("multipart/", encodeJPEG(f, corners(8, 8)))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		o := FetchOpts{MaxBytes: 4096}.withDefaults()
		fetch := &fetcher{opts: o}
		data, err := fetch.readPart(bytes.NewReader(body), boundary(kind))
		if err == nil && len(data) > 4096 {
			t.Errorf("%d bytes", len(data))
		}
		var whole jpegEnd
		reached := false
		for i := range body {
			reached = reached || whole.reached(body[:i+1])
		}
		if at := new(jpegEnd); at.reached(body) != reached {
			t.Errorf("at once %v, in pieces %v", !reached, reached)
		}
	})
}

// TestAbsoluteLinksInsideAFolder: as relative ones, wherever an allowed folder is.
func TestAbsoluteLinksInsideAFolder(t *testing.T) {
	root := t.TempDir()
	allowed, other, secret := filepath.Join(root, "allowed"), filepath.Join(root, "other"), filepath.Join(root, "secret")
	for _, d := range []string{filepath.Join(allowed, "sub"), other, secret} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	png := encodePNG(t, corners(8, 8))
	for _, name := range []string{filepath.Join(allowed, "sub", "a.png"), filepath.Join(other, "b.png"), filepath.Join(secret, "c.png")} {
		if err := os.WriteFile(name, png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]string{"to-file.png": filepath.Join(allowed, "sub", "a.png"), "to-folder": filepath.Join(allowed, "sub"),
		"to-other.png": filepath.Join(other, "b.png"), "out.png": filepath.Join(secret, "c.png"), "out": secret}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(allowed, name)); err != nil {
			t.Skip(err)
		}
	}
	s := newScreen(t, newFake(rgb565), Opts{Fetch: FetchOpts{AllowFolders: []string{allowed, other}}})
	for name, ok := range map[string]bool{"to-file.png": true, "to-folder/a.png": true, "to-other.png": true, "out.png": false, "out/c.png": false} {
		err := s.Show(context.Background(), "file://"+filepath.ToSlash(filepath.Join(allowed, name)))
		if ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// An allowed folder that is a link itself.
	if err := os.Symlink(allowed, filepath.Join(root, "link")); err != nil {
		t.Skip(err)
	}
	s = newScreen(t, newFake(rgb565), Opts{Fetch: FetchOpts{AllowFolders: []string{filepath.Join(root, "link")}}})
	if err := s.Show(context.Background(), "file://"+filepath.ToSlash(filepath.Join(root, "link", "to-file.png"))); err != nil {
		t.Error(err)
	}
}
