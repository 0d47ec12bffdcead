package probe

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"pithings/hw"
)

// Camera looks at a video device. Unless it is nil, missing returns what is wrong with
// the formats that the device offers, and what to do about it.
func (p *Prober) Camera(ctx context.Context, part, device string, missing func(offered []hw.VideoFormat) (problem, fix string)) []Result {
	v, err := p.Board.OpenVideo(device)
	if err != nil {
		return []Result{p.cameraTrouble(ctx, part, device, err)}
	}
	defer v.Close()
	formats, err := v.Formats()
	if err != nil {
		return []Result{Failure(part, err, "unplug the camera and plug it in again, or use another one")}
	}
	r := Found(part, "%s, %s", v, Formats(formats))
	if missing != nil {
		if r.Problem, r.Fix = missing(formats); r.Problem != "" {
			r.Status = Fail
			return []Result{r}
		}
	}
	return []Result{p.inUse(ctx, r, device)}
}

// inUse adds the other programs that have a camera open. They need not be
// taking pictures, so the camera may still work.
func (p *Prober) inUse(ctx context.Context, r Result, device string) Result {
	for _, other := range p.others(ctx, device) {
		if other.Name == own {
			r.Found += fmt.Sprintf(", in use by the pithings that runs now (process %d)", other.PID)
			continue
		}
		r.Status = Warn
		r.Problem = fmt.Sprintf("%s (process %d) has it open, and only one program can take pictures at a time", other.Name, other.PID)
		r.Fix = "stop that program, or give it another camera"
		break
	}
	return r
}

func (p *Prober) others(ctx context.Context, device string) []Process {
	if p.Machine == nil {
		return nil
	}
	return p.Files.Holders(ctx, device, p.Machine.PID)
}

// Formats names each format with its largest size: "MJPG up to 1280x720".
func Formats(formats []hw.VideoFormat) string {
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
	for _, pixel := range order {
		text := pixel.String()
		if l := largest[pixel]; l.Width > 0 {
			text += fmt.Sprintf(" up to %dx%d", l.Width, l.Height)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// cameraTrouble adds what the machine knows about a camera that cannot be used.
func (p *Prober) cameraTrouble(ctx context.Context, part, device string, err error) Result {
	r := Failure(part, err, "plug a USB camera in, and name it as the thing's device in the configuration")
	switch {
	case errors.Is(err, hw.ErrBusy):
		if who := p.others(ctx, device); len(who) > 0 {
			r.Problem += fmt.Sprintf(" (%s, process %d)", who[0].Name, who[0].PID)
		}
	case errors.Is(err, hw.ErrNotFound), errors.Is(err, hw.ErrUnsupported):
		if p.Machine == nil {
			break
		}
		usable, refusals := p.cameras(ctx, device)
		switch csi := refusals[p.csiNode()]; {
		case len(usable) > 0:
			r.Fix = "write device: " + strings.Join(usable, " or device: ")
		case csi != nil && errors.Is(err, hw.ErrNotFound):
			// In the words of the node of the camera that there is.
			r = Failure(part, csi, "")
			r.Problem = fmt.Sprintf("no %s; %s", device, r.Problem)
		case errors.Is(err, hw.ErrNotFound) && !p.Files.Exists(device):
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
func (p *Prober) cameras(ctx context.Context, but string) (usable []string, refusals map[string]error) {
	stable := map[string]string{}
	for _, link := range p.Files.List("/dev/v4l/by-id/*") {
		stable[p.Files.Resolve(link)] = link
	}
	refusals = map[string]error{}
	but = p.Files.Resolve(but)
	nodes := p.Files.List("/dev/video*")
	for _, node := range nodes[:min(len(nodes), maxCameras)] {
		if node == but || ctx.Err() != nil {
			continue
		}
		v, err := p.Board.OpenVideo(node)
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
func (p *Prober) csiNode() string {
	for _, entry := range p.Files.List("/sys/class/video4linux/video*") {
		name := p.Files.Text(path.Join(entry, "name"))
		if strings.HasPrefix(name, "unicam") || strings.HasPrefix(name, "rp1-cfe") {
			return "/dev/" + path.Base(entry)
		}
	}
	return ""
}
