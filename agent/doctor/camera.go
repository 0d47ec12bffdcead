package doctor

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/hw"
)

// camera checks a video device. format is the configuration's.
func (e *examination) camera(part, device, format string) check {
	return check{part, func(ctx context.Context, part string) []Result {
		v, err := e.Board.OpenVideo(device)
		if err != nil {
			return []Result{e.cameraTrouble(ctx, part, device, err)}
		}
		defer v.Close()
		formats, err := v.Formats()
		if err != nil {
			return []Result{failure(part, err, "unplug the camera and plug it in again, or use another one")}
		}
		r := found(part, "%s, %s", v, summary(formats))
		if wanted := pixels(format); !slices.ContainsFunc(formats, func(f hw.VideoFormat) bool { return slices.Contains(wanted, f.Pixel) }) {
			r.Status = Fail
			if format == config.FormatAuto {
				r.Problem, r.Fix = "it offers no format that pithings understands", "use a camera with MJPEG or YUYV, as most USB cameras have"
			} else {
				r.Problem, r.Fix = "it does not offer the configured format "+format, "write format: auto in the configuration"
			}
			return []Result{r}
		}
		return []Result{e.inUse(ctx, r, device)}
	}}
}

// inUse adds the other programs that have a camera open. They need not be
// taking pictures, so the camera may still work.
func (e *examination) inUse(ctx context.Context, r Result, device string) Result {
	for _, p := range e.others(ctx, device) {
		if p.name == own {
			r.Found += fmt.Sprintf(", in use by the pithings that runs now (process %d)", p.pid)
			continue
		}
		r.Status = Warn
		r.Problem = fmt.Sprintf("%s (process %d) has it open, and only one program can take pictures at a time", p.name, p.pid)
		r.Fix = "stop that program, or give it another camera"
		break
	}
	return r
}

func (e *examination) others(ctx context.Context, device string) []process {
	if e.Machine == nil {
		return nil
	}
	return e.root.holders(ctx, device, e.Machine.PID)
}

// pixels are the formats that a configuration's word stands for.
func pixels(format string) []hw.PixelFormat {
	switch format {
	case config.FormatMJPEG:
		return []hw.PixelFormat{hw.MJPG, hw.JPEG}
	case config.FormatYUYV:
		return []hw.PixelFormat{hw.YUYV}
	}
	return []hw.PixelFormat{hw.MJPG, hw.JPEG, hw.YUYV}
}

// summary names each format with its largest size: "MJPG up to 1280x720".
func summary(formats []hw.VideoFormat) string {
	var order []hw.PixelFormat
	largest := map[hw.PixelFormat]hw.VideoFormat{}
	for _, f := range formats {
		l, seen := largest[f.Pixel]
		if !seen {
			order = append(order, f.Pixel)
		}
		if !seen || f.Width*f.Height > l.Width*l.Height {
			largest[f.Pixel] = f
		}
	}
	var out []string
	for _, p := range order {
		text := p.String()
		if l := largest[p]; l.Width > 0 {
			text += fmt.Sprintf(" up to %dx%d", l.Width, l.Height)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// cameraTrouble adds what the machine knows about a camera that cannot be used.
func (e *examination) cameraTrouble(ctx context.Context, part, device string, err error) Result {
	r := failure(part, err, "plug a USB camera in, and name it as the thing's device in the configuration")
	switch {
	case errors.Is(err, hw.ErrBusy):
		if who := e.others(ctx, device); len(who) > 0 {
			r.Problem += fmt.Sprintf(" (%s, process %d)", who[0].name, who[0].pid)
		}
	case errors.Is(err, hw.ErrNotFound), errors.Is(err, hw.ErrUnsupported):
		if e.Machine == nil {
			break
		}
		usable, refusals := e.cameras(ctx, device)
		switch csi := refusals[e.csiNode()]; {
		case len(usable) > 0:
			r.Fix = "write device: " + strings.Join(usable, " or device: ")
		case csi != nil && errors.Is(err, hw.ErrNotFound):
			// In the words of the node of the camera that there is.
			r = failure(part, csi, "")
			r.Problem = fmt.Sprintf("no %s; %s", device, r.Problem)
		case errors.Is(err, hw.ErrNotFound) && !e.root.exists(device):
			r.Problem = fmt.Sprintf("no %s, and no other camera", device)
			r.Fix = "plug a USB camera in; `lsusb` and `ls /dev/video*` should then show it"
		case errors.Is(err, hw.ErrNotFound):
			r.Fix = "plug the camera in again, or start the program that feeds the loopback device"
		}
	}
	return r
}

// maxCameras bounds how many nodes are tried: a Pi 5 has about forty.
const maxCameras = 64

// cameras tries all video devices but one: which could be used, and why the
// others could not. A usable one has the name that stays the same when devices
// are plugged in another order, if it has one.
func (e *examination) cameras(ctx context.Context, but string) (usable []string, refusals map[string]error) {
	stable := map[string]string{}
	for _, link := range e.root.list("/dev/v4l/by-id/*") {
		stable[e.root.resolve(link)] = link
	}
	refusals = map[string]error{}
	but = e.root.resolve(but)
	nodes := e.root.list("/dev/video*")
	for _, node := range nodes[:min(len(nodes), maxCameras)] {
		if node == but || ctx.Err() != nil {
			continue
		}
		v, err := e.Board.OpenVideo(node)
		if err != nil {
			refusals[node] = err
			continue
		}
		v.Close()
		if link := stable[node]; link != "" {
			node = link
		}
		usable = append(usable, node)
	}
	return usable[:min(len(usable), 3)], refusals
}

// csiNode is a node of a CSI camera's receiver, "" when there is none. The
// image processors and codecs of a Pi have nodes without any camera.
func (e *examination) csiNode() string {
	for _, entry := range e.root.list("/sys/class/video4linux/video*") {
		name := e.root.text(path.Join(entry, "name"))
		if strings.HasPrefix(name, "unicam") || strings.HasPrefix(name, "rp1-cfe") {
			return "/dev/" + path.Base(entry)
		}
	}
	return ""
}
