package doctor

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"pithings/hw"
)

// screen checks a framebuffer.
func (e *examination) screen(part, device string) check {
	return check{part, func(_ context.Context, part string) []Result {
		if s, ok := e.describeScreen(device); ok {
			if e.Machine.Open(device) == nil {
				return e.described(part, device, s)
			}
			// The board has the words for what is in the way.
		}
		fb, err := e.Board.OpenFramebuffer(device)
		if err != nil {
			return []Result{e.screenTrouble(part, device, err)}
		}
		defer fb.Close()
		return append([]Result{found(part, "%s, %s", fb, fb.Geometry())}, e.console(part)...)
	}}
}

// screenEntry is what sysfs says about a framebuffer.
type screenEntry struct {
	name                        string
	width, height, stride, bits int
}

var screenMode = regexp.MustCompile(`^[A-Za-z]:(\d{1,5})x(\d{1,5})`)

// describeScreen reads sysfs, because opening a framebuffer takes the console
// away, and giving it back draws it anew over somebody's picture.
func (e *examination) describeScreen(device string) (s screenEntry, ok bool) {
	if e.Machine == nil {
		return s, false
	}
	dir := path.Join("/sys/class/graphics", path.Base(e.root.resolve(device)))
	attribute := func(name string) int {
		n, _ := strconv.Atoi(e.root.text(path.Join(dir, name)))
		return n
	}
	s = screenEntry{name: e.root.text(path.Join(dir, "name")), stride: attribute("stride"), bits: attribute("bits_per_pixel")}
	// The virtual size may be larger than what is seen.
	width, height, _ := strings.Cut(e.root.text(path.Join(dir, "virtual_size")), ",")
	if m := screenMode.FindStringSubmatch(e.root.text(path.Join(dir, "mode"))); m != nil {
		width, height = m[1], m[2]
	}
	s.width, _ = strconv.Atoi(width)
	s.height, _ = strconv.Atoi(height)
	return s, s.bits > 0 && s.width > 0 && s.height > 0
}

func (e *examination) described(part, device string, s screenEntry) []Result {
	// sysfs does not tell the places of the colours: the usual ones.
	g := hw.Geometry{Width: s.width, Height: s.height, Stride: s.stride, BitsPerPixel: s.bits,
		Red: hw.Bitfield{Offset: 16, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 0, Length: 8}}
	if s.bits == 16 {
		g.Red, g.Green, g.Blue = hw.Bitfield{Offset: 11, Length: 5}, hw.Bitfield{Offset: 5, Length: 6}, hw.Bitfield{Offset: 0, Length: 5}
	}
	title := fmt.Sprintf("%s (%s)", device, s.name)
	if err := g.Validate(); err != nil {
		return []Result{failure(part, fmt.Errorf("%s: %w", title, err), "choose another mode of the screen")}
	}
	return append([]Result{found(part, "%s, %dx%d, %d bits per pixel", title, s.width, s.height, s.bits)}, e.console(part)...)
}

// screenTrouble adds what the machine knows about a screen that is not there.
func (e *examination) screenTrouble(part, device string, err error) Result {
	r := failure(part, err, "name a framebuffer as the thing's device in the configuration (ls /dev/fb*)")
	if !errors.Is(err, hw.ErrNotFound) {
		return r
	}
	var sockets []string
	for _, c := range e.root.list("/sys/class/drm/card*-*") {
		_, name, _ := strings.Cut(path.Base(c), "-")
		if state := e.root.text(path.Join(c, "status")); state != "" && !strings.HasPrefix(name, "Writeback") {
			sockets = append(sockets, name+" is "+state)
		}
	}
	if len(sockets) > 0 {
		r.Problem += " (" + strings.Join(sockets[:min(len(sockets), 4)], ", ") + ")"
	}
	if others := e.root.list("/dev/fb[0-9]*"); len(others) > 0 {
		r.Fix = "write device: " + strings.Join(others[:min(len(others), 4)], " or device: ")
	}
	return r
}

// serviceFiles are where the service's unit may be told about its terminal.
var serviceFiles = []string{
	"/etc/systemd/system/pithings.service", "/etc/systemd/system/pithings.service.d/*.conf",
	"/usr/lib/systemd/system/pithings.service", "/usr/lib/systemd/system/pithings.service.d/*.conf",
	"/lib/systemd/system/pithings.service", "/lib/systemd/system/pithings.service.d/*.conf",
}

var handsOver = regexp.MustCompile(`(?m)^[ \t]*TTYPath[ \t]*=[ \t]*/dev/tty\d`)

// console tells how to keep the text console off the pictures, if the kernel
// draws one and the service does not own it.
func (e *examination) console(part string) []Result {
	drawn := false
	for _, c := range e.root.list("/sys/class/vtconsole/vtcon*") {
		drawn = drawn || strings.Contains(e.root.text(path.Join(c, "name")), "frame buffer") && e.root.text(path.Join(c, "bind")) == "1"
	}
	if !drawn {
		return nil
	}
	for _, pattern := range serviceFiles {
		for _, file := range e.root.list(pattern) {
			if handsOver.MatchString(e.root.text(file)) {
				return nil
			}
		}
	}
	return []Result{{Part: part, Status: Note,
		Found: "the kernel's text console is drawn on the screen too, and no service takes it over",
		Fix:   "copy deploy/pithings.service.d/screen.conf to /etc/systemd/system/pithings.service.d/ when pithings runs as a service"}}
}
