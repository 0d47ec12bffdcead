package camera

import (
	"fmt"
	"image"
	"slices"
	"strings"

	"pithings/hw"
)

// understood are the formats that pictures can be made of, the best first:
// compressed ones carry large sizes at full rate over USB 2, and cost no time.
var understood = [...]hw.PixelFormat{hw.MJPG, hw.JPEG, hw.YUYV}

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
	wanted := "MJPG, JPEG or YUYV"
	if c.opts.Pixel != 0 {
		wanted = c.opts.Pixel.String()
	}
	return nil, fmt.Errorf("%w: %v offers %s, and not %s; %s", hw.ErrUnsupported, v, pixels(offered), wanted, advice(c.opts.Pixel))
}

func advice(wanted hw.PixelFormat) string {
	if wanted != 0 && !slices.Contains(understood[:], wanted) {
		return "choose a pixel format among MJPG, JPEG and YUYV, or none"
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

// rank returns one format for each pixel format that is offered, understood and,
// unless it is 0, equal to pixel: those that come in the wanted size first, then
// those that come nearest to it. A size of 0 leaves it to the driver.
func rank(offered []hw.VideoFormat, pixel hw.PixelFormat, size image.Point) []hw.VideoFormat {
	type choice struct {
		hw.VideoFormat
		off int
	}
	var list []choice
	for _, p := range understood {
		if pixel != 0 && p != pixel {
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
	slices.SortStableFunc(list, func(a, b choice) int { return a.off - b.off })
	formats := make([]hw.VideoFormat, len(list))
	for i, c := range list {
		formats[i] = c.VideoFormat
	}
	return formats
}
