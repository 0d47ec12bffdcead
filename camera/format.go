package camera

import (
	"cmp"
	"fmt"
	"image"
	"slices"
	"sort"
	"strings"

	"pithings/hw"
)

// understood are the formats that pictures can be made of, the best first:
// compressed ones carry large sizes at full rate over USB 2 and cost no time, then
// those with more colour samples, and the grey one last.
var understood = [...]hw.PixelFormat{hw.MJPG, hw.JPEG, hw.YUYV, hw.UYVY, hw.YU12, hw.NV12, hw.GREY}

// Formats returns the formats that are taken of a device when pixel is asked for, the best
// first: all that are understood for 0, both compressed ones for one of them.
func Formats(pixel hw.PixelFormat) []hw.PixelFormat {
	switch pixel {
	case 0:
		return slices.Clone(understood[:])
	case hw.MJPG, hw.JPEG:
		return []hw.PixelFormat{hw.MJPG, hw.JPEG}
	}
	return []hw.PixelFormat{pixel}
}

// ParseFormat returns the pixel format that a configuration means, for Opts.Pixel: 0 for
// "auto", MJPG for "mjpeg", and for the raw ones what they are called, in any case. ok is
// false for others.
func ParseFormat(name string) (pixel hw.PixelFormat, ok bool) {
	switch name = strings.ToUpper(name); name {
	case "AUTO":
		return 0, true
	case "MJPEG":
		return hw.MJPG, true
	}
	for _, p := range understood {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}

// names lists formats for people: "MJPG, JPEG or YUYV".
func names(formats []hw.PixelFormat) string {
	var text []string
	for _, p := range formats {
		text = append(text, p.String())
	}
	if n := len(text); n > 1 {
		return strings.Join(text[:n-1], ", ") + " or " + text[n-1]
	}
	return strings.Join(text, "")
}

// choices returns the formats to ask the device for, the best first.
func (c *Camera) choices(v hw.Video) ([]hw.VideoFormat, error) {
	offered, err := v.Formats()
	if err != nil {
		return nil, fmt.Errorf("cannot list the formats of %v: %w", v, err)
	}
	list := rank(offered, c.opts.Pixel, c.opts.Size)
	if len(list) > 0 {
		return list, nil
	}
	return nil, fmt.Errorf("%w: %v offers %s, and not %s; %s", hw.ErrUnsupported, v, pixels(offered), names(Formats(c.opts.Pixel)), advice(c.opts.Pixel))
}

func advice(wanted hw.PixelFormat) string {
	if wanted != 0 && !slices.Contains(understood[:], wanted) {
		return "choose a pixel format among " + names(understood[:]) + ", or none"
	}
	if wanted != 0 {
		return "leave the pixel format out to take what there is"
	}
	return "use another device (a webcam often has several nodes; CSI cameras need one that delivers processed pictures)"
}

// pixels lists the pixel formats offered, each once.
func pixels(offered []hw.VideoFormat) string {
	var names []string
	for _, f := range offered {
		if n := fmt.Sprintf("%q", f.Pixel.String()); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "no format"
	}
	const most = 12
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return strings.Join(names, ", ")
}

// rank returns one format for each pixel format that is offered, understood and
// meant by pixel: those that come in the wanted size first, then those that come
// nearest to it; grey pictures last, for colour is worth more than a size. A size of 0
// leaves it to the driver.
func rank(offered []hw.VideoFormat, pixel hw.PixelFormat, size image.Point) []hw.VideoFormat {
	type choice struct {
		hw.VideoFormat
		off int
	}
	var list []choice
	wanted := Formats(pixel)
	for _, p := range understood {
		if !slices.Contains(wanted, p) {
			continue
		}
		best := choice{hw.VideoFormat{Pixel: p, Width: size.X, Height: size.Y}, -1}
		for _, f := range offered {
			if f.Pixel != p {
				continue
			}
			if size.X <= 0 || size.Y <= 0 || f.Width <= 0 || f.Height <= 0 {
				// The driver knows better, or takes a range.
				best = choice{hw.VideoFormat{Pixel: p, Width: max(size.X, 0), Height: max(size.Y, 0)}, 0}
				break
			}
			if off := max(f.Width-size.X, size.X-f.Width) + max(f.Height-size.Y, size.Y-f.Height); best.off < 0 || off < best.off {
				best = choice{f, off}
			}
		}
		if best.off >= 0 {
			list = append(list, best)
		}
	}
	grey := func(c choice) int {
		if c.Pixel == hw.GREY {
			return 1
		}
		return 0
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		return cmp.Or(grey(a)-grey(b), a.off-b.off) < 0
	})
	formats := make([]hw.VideoFormat, len(list))
	for i, c := range list {
		formats[i] = c.VideoFormat
	}
	return formats
}
