//go:build system

package system

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pithings/display"
	"pithings/hw/mock"
	needed "pithings/test/binary"
)

// The programs that show how a picture is to look: libjpeg-turbo's, libwebp's, and
// ImageMagick under the name that Debian's package alone uses.
const imageMagick = "/usr/bin/convert-im6"

// A pictureCase is a picture file and the command that writes it as PNM.
type pictureCase struct {
	name      string
	file      string
	reference []string // {} stands for the file
	chroma    bool     // colours are interpolated
}

// TestPicturesAsReferencesShowThem makes families of pictures and compares what the
// screen shows, one pixel for each of the picture's, with what the formats' own
// libraries show: a mean difference of up to 3 levels where chroma is interpolated,
// and up to 1 elsewhere.
func TestPicturesAsReferencesShowThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := maker{t, dir}
	var cases []pictureCase
	for _, family := range []func(maker) []pictureCase{jpegFamily, pngFamily, gifFamily, webpFamily} {
		cases = append(cases, family(m)...)
	}
	worst := map[bool]float64{}
	for _, c := range cases {
		args := strings.Fields(strings.ReplaceAll(strings.Join(c.reference, " "), "{}", c.file))
		want := pnm(t, m.output(args[0], args[1:]...))
		got, err := shown(t, c.file, want.Rect)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		mean := meanDifference(got, want)
		most := 1.0
		if c.chroma {
			most = 3
		}
		if mean > most {
			t.Errorf("%s: mean difference %.2f, at most %.0f", c.name, mean, most)
		}
		worst[c.chroma] = max(worst[c.chroma], mean)
	}
	t.Logf("%d pictures; largest mean difference %.2f, with chroma interpolated %.2f", len(cases), worst[false], worst[true])
}

type maker struct {
	t   *testing.T
	dir string
}

// output runs a program and returns what it prints.
func (m maker) output(program string, args ...string) []byte {
	m.t.Helper()
	path := program
	if !filepath.IsAbs(path) {
		path = needed.Need(m.t, program)
	}
	var errs bytes.Buffer
	c := exec.Command(path, args...)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		m.t.Fatalf("%s %v: %v %s", program, args, err, errs.String())
	}
	return out
}

// save writes a file and returns its path.
func (m maker) save(name string, data []byte) string {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// source saves a picture with slopes, edges, saturated colours and some noise, as
// PPM, and returns its path.
func (m maker) source(w, h int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "P6\n%d %d\n255\n", w, h)
	seed := uint32(w*1000 + h)
	for y := range h {
		for x := range w {
			seed = seed*1664525 + 1013904223
			noise := int(seed>>29) - 4
			c := color.RGBA{byte(x * 255 / w), byte(y * 255 / h), byte(255 - x*255/w), 255}
			switch {
			case x > w/2 && y > h/2 && x < w*3/4:
				c = color.RGBA{220, 30, 30, 255}
			case x > w*3/4 && y > h/2:
				c = color.RGBA{250, 250, 250, 255}
			}
			for _, v := range []byte{c.R, c.G, c.B} {
				b.WriteByte(byte(min(max(int(v)+noise, 0), 255)))
			}
		}
	}
	return m.save(fmt.Sprintf("source-%dx%d.ppm", w, h), b.Bytes())
}

var oddSizes = []image.Point{{64, 48}, {33, 17}, {101, 67}, {7, 9}, {1, 1}}

func jpegFamily(m maker) (list []pictureCase) {
	for _, size := range oddSizes {
		source := m.source(size.X, size.Y)
		for _, sampling := range []string{"1x1", "2x1", "2x2", "1x2", "4x1", "4x2", "1x4", "3x1", "3x2", "2x2,1x2,2x1", "1x1,2x2,2x2"} {
			for _, how := range []string{"", "-progressive", "-restart 1", "-restart 2B", "-progressive -restart 3B", "-optimize -quality 30"} {
				name := fmt.Sprintf("JPEG %v %s %s", size, sampling, how)
				args := append([]string{"-sample", sampling}, strings.Fields(how)...)
				file := m.save(strings.NewReplacer(" ", "_", ",", "+").Replace(name)+".jpg", m.output("cjpeg", append(args, source)...))
				list = append(list, pictureCase{name, file, []string{"djpeg", "-pnm", "{}"}, sampling != "1x1"})
			}
		}
		for _, how := range []string{"-grayscale", "-rgb", "-grayscale -progressive -restart 2B"} {
			name := fmt.Sprintf("JPEG %v %s", size, how)
			file := m.save(strings.ReplaceAll(name, " ", "_")+".jpg", m.output("cjpeg", append(strings.Fields(how), source)...))
			list = append(list, pictureCase{name, file, []string{"djpeg", "-pnm", "{}"}, false})
		}
		cmyk := filepath.Join(m.dir, fmt.Sprintf("cmyk-%v.jpg", size))
		m.output(imageMagick, source, "-colorspace", "CMYK", cmyk)
		list = append(list, pictureCase{fmt.Sprintf("JPEG %v CMYK", size), cmyk, []string{"djpeg", "-pnm", "{}"}, false})
	}
	return list
}

func pngFamily(m maker) (list []pictureCase) {
	for _, size := range oddSizes {
		source := m.source(size.X, size.Y)
		for _, kind := range []string{
			"-type Grayscale -depth 1", "-type Grayscale -depth 2", "-type Grayscale -depth 4", "-type Grayscale -depth 8", "-type Grayscale -depth 16",
			"-type TrueColor -depth 8", "-type TrueColor -depth 16", "-type Palette -colors 2", "-type Palette -colors 4", "-type Palette -colors 16", "-type Palette -colors 200",
			"-type TrueColorAlpha -depth 8", "-type TrueColorAlpha -depth 16", "-type GrayscaleAlpha -depth 8",
		} {
			for _, how := range []string{"", "-interlace PNG"} {
				name := fmt.Sprintf("PNG %v %s %s", size, kind, how)
				file := filepath.Join(m.dir, strings.ReplaceAll(name, " ", "_")+".png")
				args := []string{source}
				if strings.Contains(kind, "Alpha") {
					args = append(args, "-alpha", "set", "-channel", "A", "-evaluate", "multiply", "0.6", "+channel")
				}
				args = append(append(append(args, strings.Fields(kind)...), strings.Fields(how)...), file)
				m.output(imageMagick, args...)
				list = append(list, pictureCase{name, file, overBlack, false})
			}
		}
		// Transparency by a colour: gray, true colour, palette.
		for colors, trns := range map[string]string{"Grayscale": "\x00\x40", "TrueColor": "\x00\x40\x00\x40\x00\x40", "Palette": "\x00\x80\xff"} {
			file := filepath.Join(m.dir, fmt.Sprintf("trns-%s-%v.png", colors, size))
			m.output(imageMagick, source, "-type", colors, "-colors", "16", "-depth", "8", file)
			data, err := os.ReadFile(file)
			if err != nil {
				m.t.Fatal(err)
			}
			file = m.save("with-"+filepath.Base(file), withTRNS(data, trns))
			list = append(list, pictureCase{"PNG tRNS " + filepath.Base(file), file, overBlack, false})
		}
	}
	return list
}

// overBlack is how ImageMagick shows the first frame of anything before black.
var overBlack = []string{imageMagick, "{}[0]", "-background", "black", "-alpha", "remove", "-alpha", "off", "-depth", "8", "ppm:-"}

// withTRNS puts a tRNS chunk before the first IDAT.
func withTRNS(data []byte, trns string) []byte {
	at := bytes.Index(data, []byte("IDAT")) - 4
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(trns)))
	chunk = append(chunk, "tRNS"+trns...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return append(append(append([]byte(nil), data[:at]...), chunk...), data[at:]...)
}

func gifFamily(m maker) (list []pictureCase) {
	source := m.source(40, 30)
	for _, offset := range []string{"+0+0", "+20+10", "+60+42", "+0+42"} {
		for _, disposal := range []string{"Undefined", "None", "Background", "Previous"} {
			for _, how := range []string{"", "-interlace GIF", "-transparent white", "-colors 2"} {
				name := fmt.Sprintf("GIF %s %s %s", offset, disposal, how)
				file := filepath.Join(m.dir, strings.ReplaceAll(name, " ", "_")+".gif")
				args := append([]string{"-dispose", disposal, "-delay", "10", "(", source}, strings.Fields(how)...)
				m.output(imageMagick, append(args, "-repage", "100x72"+offset, ")", "(", source, "-repage", "100x72+3+4", ")", "-loop", "0", file)...)
				coalesced := []string{imageMagick, "{}", "-coalesce", "-delete", "1--1", "-background", "black", "-alpha", "remove", "-alpha", "off", "-depth", "8", "ppm:-"}
				list = append(list, pictureCase{name, file, coalesced, false})
			}
		}
	}
	return list
}

func webpFamily(m maker) (list []pictureCase) {
	for _, size := range oddSizes {
		source := m.source(size.X, size.Y)
		alpha := filepath.Join(m.dir, fmt.Sprintf("alpha-%v.png", size))
		m.output(imageMagick, source, "-alpha", "set", "-channel", "A", "-evaluate", "multiply", "0.6", "+channel", alpha)
		for _, how := range []string{"-q 5", "-q 50", "-q 95", "-q 50 -f 100 -sharpness 7", "-q 50 -f 80 -nostrong", "-q 60 -segments 1 -m 0", "-lossless", "-lossless -m 0", "-lossless -m 6"} {
			for kind, from := range map[string]string{"": source, "alpha": alpha} {
				name := fmt.Sprintf("WebP %v %s %s", size, how, kind)
				file := filepath.Join(m.dir, strings.ReplaceAll(name, " ", "_")+".webp")
				m.output("cwebp", append(strings.Fields(how), "-quiet", "-exact", from, "-o", file)...)
				// dwebp itself decodes; ImageMagick only lays its picture on black.
				decoded := file + ".png"
				m.output("dwebp", file, "-o", decoded)
				reference := append([]string(nil), overBlack...)
				reference[1] = decoded + "[0]"
				list = append(list, pictureCase{name, file, reference, !strings.Contains(how, "lossless")})
			}
		}
	}
	return list
}

// shown is what a screen of the picture's own size shows of a file.
func shown(t *testing.T, file string, size image.Rectangle) (*image.RGBA, error) {
	g := mock.DefaultScreen
	g.Width, g.Height, g.Stride = size.Dx(), size.Dy(), 4*size.Dx()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	board := mock.New(mock.Options{Screen: g})
	t.Cleanup(func() { board.Close() })
	return show(board, file, log)
}

func show(board *mock.Board, file string, log *slog.Logger) (*image.RGBA, error) {
	s := display.New(board, "/dev/fb0", display.Opts{Fetch: display.FetchOpts{AllowFolders: []string{filepath.Dir(file)}}}, log)
	defer s.Close()
	if err := s.Show(context.Background(), "file://"+strings.NewReplacer("%", "%25", " ", "%20").Replace(file)); err != nil {
		return nil, err
	}
	return board.Framebuffer("/dev/fb0").Image(), nil
}

// pnm reads a binary PGM or PPM.
func pnm(t *testing.T, data []byte) *image.RGBA {
	t.Helper()
	var kind string
	var w, h, most int
	r := bufio.NewReader(bytes.NewReader(data))
	if _, err := fmt.Fscan(r, &kind, &w, &h, &most); err != nil || most != 255 || kind != "P5" && kind != "P6" {
		t.Fatalf("no PNM: %.20q, %v", data, err)
	}
	r.ReadByte()
	pix, _ := io.ReadAll(r)
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		c := color.RGBA{A: 255}
		if kind == "P5" {
			c.R, c.G, c.B = pix[i], pix[i], pix[i]
		} else {
			c.R, c.G, c.B = pix[3*i], pix[3*i+1], pix[3*i+2]
		}
		img.SetRGBA(i%w, i/w, c)
	}
	return img
}

func meanDifference(a, b *image.RGBA) float64 {
	sum, n := 0, 0
	for i := range a.Pix {
		if i%4 != 3 {
			d := int(a.Pix[i]) - int(b.Pix[i])
			sum += max(d, -d)
			n++
		}
	}
	return float64(sum) / float64(n)
}
