package system

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"testing"
)

// Each raw format of a kernel's camera gives the same picture: vivid shows colour bars.
func TestRawFormats(t *testing.T) {
	take := func(t *testing.T, format string) image.Image {
		t.Helper()
		cmd := exec.Command("/bin/pithings", "capture", "-", "--device", vivid, "--size", "320x180", "--format", format)
		cmd.Stderr = os.Stderr
		data, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		m, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if size := m.Bounds().Size(); size != image.Pt(320, 180) {
			t.Errorf("%s: a picture of %v", format, size)
		}
		return m
	}
	want := take(t, "yuyv")
	for _, format := range []string{"uyvy", "yu12", "nv12", "grey"} {
		t.Run(format, func(t *testing.T) {
			got := take(t, format)
			if _, grey := got.(*image.Gray); grey != (format == "grey") {
				t.Errorf("a %T", got)
			}
			var off, n int
			differ := func(a, b uint32) {
				off += max(int(a)-int(b), int(b)-int(a)) >> 8
				n++
			}
			// The lower half: vivid writes the time into the upper one, and moves nothing by itself.
			for y := 100; y < 170; y += 7 {
				for x := 5; x < 320; x += 10 {
					ar, ag, ab, _ := want.At(x, y).RGBA()
					br, bg, bb, _ := got.At(x, y).RGBA()
					if format == "grey" {
						// Its luma is that of Rec. 709, in full range (v4l2-tpg-core.c).
						differ((2126*ar+7152*ag+722*ab)/10000, bg)
						continue
					}
					differ(ar, br)
					differ(ag, bg)
					differ(ab, bb)
				}
			}
			if mean := float64(off) / float64(n); mean > 6 {
				t.Errorf("differs from YUYV by %.1f levels on average", mean)
			}
		})
	}
}
